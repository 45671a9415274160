"""What an HTTP status says about a request, for adapters without codes of their own."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path

import pytest

from erp_integrations.adapters.base import AdapterError, Effect, ErrorClass, Io
from erp_integrations.adapters.http import (
    AWAY,
    REFUSALS,
    Answer,
    HttpClient,
    Redaction,
    status_error,
)

ROOT = Path(__file__).resolve().parents[2]
DATE = "Mon, 30 Nov 2026 12:00:00 GMT"


def answer(status: int, *, safe: bool = False, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body, safe, Redaction(["top-secret"]))


@pytest.mark.parametrize(
    ("status", "cls", "effect_of_a_write"),
    [
        (302, ErrorClass.BUG, Effect.UNCERTAIN),
        (400, ErrorClass.INVALID, Effect.NOT_APPLIED),
        (401, ErrorClass.AUTH_EXPIRED, Effect.NOT_APPLIED),
        (403, ErrorClass.FORBIDDEN, Effect.NOT_APPLIED),
        (404, ErrorClass.MISSING_REF, Effect.NOT_APPLIED),
        (405, ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED),
        (408, ErrorClass.BUG, Effect.UNCERTAIN),
        (409, ErrorClass.CONFLICT, Effect.NOT_APPLIED),
        (412, ErrorClass.CONFLICT, Effect.NOT_APPLIED),
        (422, ErrorClass.INVALID, Effect.NOT_APPLIED),
        (429, ErrorClass.THROTTLED, Effect.NOT_APPLIED),
        (502, ErrorClass.TRANSIENT, Effect.UNCERTAIN),
        (503, ErrorClass.TRANSIENT, Effect.UNCERTAIN),
        (504, ErrorClass.TRANSIENT, Effect.UNCERTAIN),
        (999, ErrorClass.BUG, Effect.UNCERTAIN),
    ],
)
def test_a_status_has_a_class_and_an_effect(status, cls, effect_of_a_write):
    written, read = status_error(answer(status)), status_error(answer(status, safe=True))
    assert (written.cls, written.effect) == (cls, effect_of_a_write)
    assert (read.cls, read.effect) == (cls, Effect.NOT_APPLIED)
    assert written.erp_code == str(status)


def rows_of_the_guide() -> list[list[str]]:
    """The rows of its table that name status codes."""
    guide = (ROOT / "docs" / "write-an-adapter.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([0-9, ]+) \| `(\w+)` \| ([a-z ]+) \| ([a-z ]+) \|$", guide, re.M)
    return [[status, *row[1:]] for row in rows for status in row[0].split(", ")]


def test_the_guide_lists_every_status_as_it_is():
    rows = rows_of_the_guide()
    assert {int(row[0]) for row in rows} == {*REFUSALS, *AWAY}
    for status, cls, write, read in rows:
        errors = [status_error(answer(int(status), safe=safe)) for safe in (False, True)]
        assert [error.cls for error in errors] == [cls, cls], status
        effects = [error.effect.replace("_", " ") for error in errors]
        assert effects == [write, read], status


def test_a_server_error_is_asked_again_where_it_only_reads():
    written, read = status_error(answer(500)), status_error(answer(500, safe=True))
    assert (written.cls, written.effect) == (ErrorClass.BUG, Effect.UNCERTAIN)
    assert (read.cls, read.effect) == (ErrorClass.TRANSIENT, Effect.NOT_APPLIED)


def test_the_message_is_the_erps_without_secrets_or_else_the_form_of_the_answer():
    refused = answer(422, body=b"<html>", Content_Type="text/html; charset=utf-8")
    assert status_error(refused, "No top-secret here.", field="name").message == "No [hidden] here."
    assert status_error(refused, field="name").field == "name"
    assert status_error(refused).message == (
        "The ERP answered with status 422 (6 bytes of text/html)."
    )


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("7", 7.0),
        (" 30 ", 30.0),
        ("0", None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("Mon, 30 Nov 2026 12:01:30 GMT", 90.0),
        ("Mon, 30 Nov 2026 11:59:00 GMT", None),
        # Without a zone it is no time that can be compared.
        ("Mon, 30 Nov 2026 12:01:30", None),
    ],
)
def test_retry_after_is_seconds_or_a_time_by_the_servers_clock(wait, seconds):
    assert status_error(answer(429, Retry_After=wait, Date=DATE)).retry_after == seconds


def test_a_time_to_retry_without_the_servers_clock_says_nothing():
    assert answer(503, Retry_After="Mon, 30 Nov 2026 12:01:30 GMT").retry_after is None


def test_a_secret_is_hidden_also_where_a_library_quotes_it():
    secret = "top-secret\n"
    assert Redaction([secret])(f"Invalid header {secret!r}") == "Invalid header '[hidden]'"


def test_without_an_address_the_error_says_how_one_begins(tmp_path):
    io = Io(tmp_path, time.time, logging.getLogger("erp"))
    with pytest.raises(AdapterError) as raised:
        HttpClient("", headers={}, secrets=[], io=io).call("GET", "", seconds=1)
    error = raised.value.error
    assert (error.cls, error.effect) == (ErrorClass.SETUP, Effect.NOT_APPLIED)
    assert error.message == "Address: begin with https:// (or http://) and the name of the host."
