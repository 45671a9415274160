"""While another process locks the database, pages and REST calls say so, and nothing is lost."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from html import unescape

import psycopg2
import pytest
from django.db import connection
from django.urls import reverse
from zeal import zeal_ignore

from directory.models import Company

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy() -> Iterator[None]:
    """Another process writes companies, and takes longer than any request waits."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        other = sqlite3.connect(name)
        other.execute("BEGIN IMMEDIATE")
        impatient, usual = "PRAGMA busy_timeout = 50", "PRAGMA busy_timeout = 20000"
    else:
        given = connection.get_connection_params()
        other = psycopg2.connect(
            **{name: given[name] for name in ("dbname", "user", "host", "port")}
        )
        other.cursor().execute(f"LOCK TABLE {Company._meta.db_table} IN EXCLUSIVE MODE")
        impatient, usual = "SET lock_timeout = 50", "SET lock_timeout = 0"
    with connection.cursor() as cursor:
        cursor.execute(impatient)
    yield
    other.rollback()
    other.close()
    with connection.cursor() as cursor:
        cursor.execute(usual)


def test_a_call_is_503_and_says_when_to_come_again(api, busy):
    answer = api.post("vendors", {"vendor": {"name": "Firm"}})
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert answer.json()["message"].startswith("The database is busy. Nothing was saved.")


@pytest.fixture
def browser(ada, client_of):
    """Ada is signed in before the database is locked."""
    client = client_of(ada)
    client.raise_request_exception = False
    with zeal_ignore():  # the view runs once for each try
        yield client


def test_a_page_keeps_what_was_typed_and_sends_it_again(account, browser, busy):
    address = reverse("directory:account_company_create", args=[account.pk])
    typed = {"name": "O'Malley & Sons", "notes": "piles\nslabs", "country_code": "US"}
    answer = browser.post(address, typed)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    page = answer.content.decode()
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    assert {name: unescape(value) for name, value in fields} == typed
    assert f'action="{address}"' in page
    assert not Company.objects.exists()


def test_a_password_is_not_written_into_the_page(db, client, busy):
    client.raise_request_exception = False
    address = reverse("login")
    answer = client.post(address, {"username": "a@b.example", "password": "Secret-Word-1"})
    assert "Secret-Word-1" not in answer.content.decode()
