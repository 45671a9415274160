"""A database whose disk is full: the answer says so, nothing is stored and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.urls import reverse

from directory.models import Company
from erpbridge.db.busy import DISK, SHORT, trouble_of
from tests.every_call.test_refusals import tables

pytestmark = pytest.mark.django_db(transaction=True)
# Of four bytes each: a row with it needs a new page of the file.
LONG = "\N{BRICK}" * 1_000
DISK_FULL, OUT_OF_MEMORY = "53100", "53200"
TOLD = "The server's disk is full or cannot be written; tell the operator."


def postgresql_raises(code: str) -> None:
    """The answer to a statement that needs space when there is none."""
    table = Company._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{code}'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER no_room BEFORE INSERT ON {table} EXECUTE FUNCTION no_room()"
        )


@contextmanager
def lacking(code: str, pragma: str, usual: str) -> Iterator[None]:
    """PostgreSQL answers with ``code``; SQLite is set to fail in the same way."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")
            cursor.execute(pragma)
        else:
            postgresql_raises(code)
        try:
            yield
        finally:
            cursor.execute(
                usual if connection.vendor == "sqlite" else "DROP FUNCTION no_room CASCADE"
            )


@pytest.fixture
def full() -> Iterator[None]:
    """SQLite's file has no free page, and cannot grow."""
    most = "PRAGMA max_page_count"
    with lacking(DISK_FULL, f"{most} = 1", f"{most} = 1073741823"):
        yield


@pytest.fixture
def person(ada, client_of):
    """Ada is signed in before the disk is full."""
    client = client_of(ada)
    client.raise_request_exception = False
    return client


def next_steps(caplog) -> list[str]:
    return [record.message for record in caplog.records if record.name == "erpbridge.db.busy"]


def test_a_call_is_503_stores_nothing_and_tells_the_operator(api, full, caplog):
    before = tables()
    answer = api.post("vendors", {"vendor": {"name": "Firm", "notes": LONG}})
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert answer.json()["message"] == f"{TOLD} Nothing was saved. Try again once there is room."
    assert tables() == before
    (step,) = next_steps(caplog)
    assert "free room on it" in step


def test_a_call_with_an_idempotency_key_can_be_made_again(api, full):
    body = {"vendor": {"name": "Firm", "notes": LONG}}
    assert api.post("vendors", body, Idempotency_Key="one").status_code == 503
    assert api.post("vendors", body, Idempotency_Key="one").status_code == 503


def test_a_page_keeps_what_was_typed_stores_nothing_and_tells_the_operator(
    account, person, full, caplog
):
    address = reverse("directory:account_company_create", args=[account.pk])
    typed = {"name": "O'Malley & Sons", "notes": LONG, "country_code": "US"}
    before = tables()
    answer = person.post(address, typed)
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    page = unescape(answer.content.decode())
    assert f"{TOLD} Nothing that you entered is lost: send it again from here" in page
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.content.decode())
    assert {name: unescape(value) for name, value in fields} == typed
    assert tables() == before
    (step,) = next_steps(caplog)
    assert "free room on it" in step


def test_what_else_a_database_may_lack_is_said():
    read_only = "PRAGMA query_only"
    with (
        lacking(OUT_OF_MEMORY, f"{read_only} = 1", f"{read_only} = 0"),
        pytest.raises(OperationalError) as raised,
    ):
        Company.objects.create(name="Firm")
    assert trouble_of(raised.value) is (DISK if connection.vendor == "sqlite" else SHORT)


def test_no_room_for_a_file_is_said_like_that_of_the_database():
    with pytest.raises(OSError, match="No space left") as raised:
        Path("/dev/full").write_bytes(b"of an upload")
    assert trouble_of(raised.value) is DISK
