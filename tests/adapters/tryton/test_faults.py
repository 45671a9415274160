"""A broken line, a broken server and a slow one: never a duplicate, never a wrong answer."""

from __future__ import annotations

import time

import pytest

from erp_integrations.adapters.base import AdapterError, Effect, ErrorClass
from erp_integrations.adapters.tryton import rest
from tests.adapters.tryton.conftest import (
    adapter_for,
    cost_code,
    done,
    party,
    refused,
    vendor,
    vendor_update,
)
from tests.servers import free_port
from tests.tryton_proxy import NOT_JSON, response

UNCERTAIN = (ErrorClass.TRANSIENT, Effect.UNCERTAIN)
NOT_APPLIED = (ErrorClass.TRANSIENT, Effect.NOT_APPLIED)


@pytest.fixture
def hasty(through_proxy, monkeypatch) -> None:
    """An adapter whose calls time out after two seconds, on a Tryton that has warmed up."""
    done(through_proxy, vendor(f"WARM{time.time_ns()}"))
    monkeypatch.setattr(rest, "CALL_SECONDS", 2.0)


def rows(erp, code: str) -> int:
    return len(erp.rows("SELECT id FROM party_party WHERE code = ?", code))


def test_an_answer_lost_after_applying_is_uncertain_and_one_row_is_found(
    through_proxy, faults, erp
):
    faults.set("cut_after", calls=1)
    error = refused(through_proxy, vendor("LOST01"))
    assert (error.cls, error.effect) == UNCERTAIN
    assert "broke off" in error.message
    erp_record = through_proxy.find("vendor", "LOST01")
    wire = through_proxy.preview(vendor("LOST01"))
    assert all(field.value == erp_record.data[field.source] for field in wire.fields)
    assert rows(erp, "LOST01") == 1
    assert refused(through_proxy, vendor("LOST01")).cls is ErrorClass.DUPLICATE
    assert rows(erp, "LOST01") == 1


def test_a_lost_update_is_no_conflict_when_it_is_tried_again(through_proxy, faults, erp):
    first = done(through_proxy, vendor("LOST02"))
    command = vendor_update(first, name="Acme Renamed")
    faults.set("cut_after", calls=1)
    error = refused(through_proxy, command)
    assert (error.cls, error.effect) == UNCERTAIN
    done(through_proxy, command)
    assert party(erp, "LOST02")["name"] == "Acme Renamed"


def test_a_request_cut_off_may_have_arrived(through_proxy, faults, erp):
    faults.set("cut_before")
    error = refused(through_proxy, vendor("CUT001"))
    assert (error.cls, error.effect) == UNCERTAIN
    assert through_proxy.find("vendor", "CUT001") is None
    assert rows(erp, "CUT001") == 0


def test_half_an_answer_is_no_answer(through_proxy, faults, erp):
    faults.set("cut_body", calls=1)
    assert refused(through_proxy, vendor("HALF01")).effect is Effect.UNCERTAIN
    assert rows(erp, "HALF01") == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "kind, seconds", [("black_hole", 4), ("delay", 3), ("trickle", 0.1), ("trickle_head", 0.1)]
)
def test_a_slow_answer_ends_at_the_deadline(through_proxy, faults, kind, seconds):
    faults.set(kind, seconds=seconds)
    started = time.monotonic()
    error = refused(through_proxy, vendor(f"SLOW{len(kind)}"))
    assert time.monotonic() - started < 3.5
    assert (error.cls, error.effect) == UNCERTAIN
    assert "did not answer within 2 seconds" in error.message


@pytest.mark.usefixtures("hasty")
def test_a_slow_look_up_changes_nothing(through_proxy, faults):
    faults.set("black_hole", seconds=4, writes_only=False)
    with pytest.raises(AdapterError) as raised:
        through_proxy.find("vendor", "SLOW")
    assert (raised.value.error.cls, raised.value.error.effect) == NOT_APPLIED
    assert not through_proxy.check().ok


@pytest.mark.usefixtures("hasty")
def test_an_answer_that_comes_after_the_caller_gave_up_is_applied_once(through_proxy, faults, erp):
    faults.set("delay", seconds=3, calls=1)
    assert refused(through_proxy, vendor("LATE01")).effect is Effect.UNCERTAIN
    assert through_proxy.find("vendor", "LATE01") is None
    until = time.monotonic() + 5
    while not rows(erp, "LATE01") and time.monotonic() < until:
        time.sleep(0.1)
    assert rows(erp, "LATE01") == 1
    assert through_proxy.find("vendor", "LATE01") is not None
    assert through_proxy.manifest({}).settles_within >= 30


def test_after_an_uncertain_answer_the_rest_of_the_batch_is_not_sent(through_proxy, faults, erp):
    faults.set("cut_after", calls=1)
    outcomes = through_proxy.submit([vendor("REST01"), vendor("REST02"), vendor("REST03")])
    assert [(outcome.error.cls, outcome.error.effect) for outcome in outcomes] == [
        UNCERTAIN,
        NOT_APPLIED,
        NOT_APPLIED,
    ]
    assert (rows(erp, "REST01"), rows(erp, "REST02"), rows(erp, "REST03")) == (1, 0, 0)


def test_a_server_that_is_down_has_taken_nothing(make, erp):
    error = refused(make(url=f"http://127.0.0.1:{free_port()}/erp"), vendor("DOWN01"))
    assert (error.cls, error.effect) == NOT_APPLIED
    assert "Connection refused" in error.message


def test_a_name_that_does_not_resolve_has_taken_nothing(make):
    error = refused(make(url="http://nowhere.invalid/erp"), vendor("DNS001"))
    assert (error.cls, error.effect) == NOT_APPLIED
    assert "nowhere.invalid cannot be reached" in error.message


def test_a_server_without_tls_has_taken_nothing(make, erp):
    error = refused(make(url=erp.url.replace("http:", "https:")), vendor("TLS001"))
    assert (error.cls, error.effect) == NOT_APPLIED
    assert rows(erp, "TLS001") == 0


@pytest.mark.parametrize(
    "status, cls, effect",
    [
        ("400 Bad Request", ErrorClass.BUG, Effect.NOT_APPLIED),
        ("401 Unauthorized", ErrorClass.AUTH_EXPIRED, Effect.NOT_APPLIED),
        ("403 Forbidden", ErrorClass.FORBIDDEN, Effect.NOT_APPLIED),
        ("404 Not Found", ErrorClass.MISSING_REF, Effect.NOT_APPLIED),
        ("409 Conflict", ErrorClass.CONFLICT, Effect.NOT_APPLIED),
        ("423 Locked", ErrorClass.CONFLICT, Effect.NOT_APPLIED),
        ("429 Too Many Requests\r\nRetry-After: 7", ErrorClass.THROTTLED, Effect.NOT_APPLIED),
        ("500 Internal Server Error", ErrorClass.BUG, Effect.UNCERTAIN),
        ("502 Bad Gateway", ErrorClass.TRANSIENT, Effect.UNCERTAIN),
        ("503 Service Unavailable", ErrorClass.TRANSIENT, Effect.UNCERTAIN),
        ("504 Gateway Timeout", ErrorClass.TRANSIENT, Effect.UNCERTAIN),
        ("200 OK", ErrorClass.BUG, Effect.UNCERTAIN),
        ("302 Found\r\nLocation: http://127.0.0.1:9/", ErrorClass.BUG, Effect.UNCERTAIN),
        ("799 Odd", ErrorClass.BUG, Effect.UNCERTAIN),
    ],
)
def test_what_is_not_trytons_answer_is_told_apart_by_its_status(
    through_proxy, faults, erp, status, cls, effect
):
    faults.set("answer", with_answer=response(status, NOT_JSON))
    error = refused(through_proxy, vendor("HTML01"))
    assert (error.cls, error.effect) == (cls, effect)
    assert error.retry_after == (7.0 if cls is ErrorClass.THROTTLED else None)
    assert "It works!" not in error.message
    assert rows(erp, "HTML01") == 0


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"id": 1}', b'"text"', b"\xff\xfe", b'{"code": "X"'], ids=repr
)
def test_an_answer_of_another_form_leaves_a_write_uncertain(through_proxy, faults, body):
    faults.set("answer", with_answer=response("200 OK", body, "application/json"))
    error = refused(through_proxy, vendor("FORM01"))
    assert (error.cls, error.effect) == (ErrorClass.BUG, Effect.UNCERTAIN)


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[1]", b"42", b'[{"id": 1}]'], ids=repr)
def test_an_answer_of_another_form_fails_a_look_up(through_proxy, faults, body):
    answer = response("200 OK", body, "application/json")
    faults.set("answer", with_answer=answer, writes_only=False)
    for ask in (
        lambda: through_proxy.find("vendor", "X"),
        lambda: through_proxy.find("cost_code", "X"),
        lambda: through_proxy.pull("vendor"),
        lambda: through_proxy.choices("vendor_type"),
    ):
        with pytest.raises(AdapterError):
            ask()
    assert not through_proxy.check().ok


@pytest.mark.parametrize("status", ["500 Internal Server Error", "507 Full", "599 Odd"])
def test_a_question_that_tryton_fails_at_is_asked_again(through_proxy, faults, status):
    faults.set("answer", with_answer=response(status, NOT_JSON), writes_only=False)
    for ask in (
        lambda: through_proxy.find("vendor", "X"),
        lambda: through_proxy.find("cost_code", "X"),
        lambda: through_proxy.pull("vendor"),
        lambda: through_proxy.choices("vendor_type"),
    ):
        with pytest.raises(AdapterError) as raised:
            ask()
        assert (raised.value.error.cls, raised.value.error.effect) == NOT_APPLIED


@pytest.mark.parametrize("writes_only", [True, False])
def test_a_tryton_that_still_loads_its_modules_is_asked_again(
    through_proxy, faults, erp, writes_only
):
    page = b"<!doctype html><title>400 Bad Request</title><p>Unable to get RPC method</p>"
    faults.set("answer", with_answer=response("400 Bad Request", page), writes_only=writes_only)
    error = refused(through_proxy, vendor("LOAD01"))
    assert (error.cls, error.effect) == NOT_APPLIED
    assert "still starting" in error.message
    assert rows(erp, "LOAD01") == 0


def test_no_answer_is_read_without_end(through_proxy, faults, monkeypatch):
    monkeypatch.setattr("erpbridge.outgoing.client.MOST_BYTES", 100)
    faults.set("answer", with_answer=response("200 OK", b"[" + b" " * 1000), writes_only=False)
    with pytest.raises(AdapterError, match="more than 100 bytes"):
        through_proxy.find("vendor", "X")


def test_the_key_goes_to_the_server_only_and_is_hidden_from_what_is_kept(
    through_proxy, faults, erp, caplog
):
    key = erp.facts["key"]
    echo = f"<p>Authorization: Bearer {key}</p> {key}".encode()
    faults.set("answer", with_answer=response("500 Internal Server Error", echo))
    caplog.set_level("DEBUG")
    error = refused(through_proxy, vendor("ECHO01"))
    assert key.encode() in faults.requests[-1]
    assert key not in repr(error) + caplog.text


def test_no_redirect_is_followed(through_proxy, faults, erp, proxied):
    place = f"302 Found\r\nLocation: {erp.url}/rest/model/party.party"
    faults.set("answer", with_answer=response(place, b""))
    assert "redirects elsewhere" in refused(through_proxy, vendor("MOVE01")).message
    assert rows(erp, "MOVE01") == 0


def test_a_lost_cost_code_is_found_and_not_made_twice(through_proxy, faults, erp):
    faults.set("cut_after", calls=1)
    assert refused(through_proxy, cost_code("50-1", "Ducts")).effect is Effect.UNCERTAIN
    assert refused(through_proxy, cost_code("50-1", "Ducts")).cls is ErrorClass.DUPLICATE
    count = erp.rows("SELECT count(*) AS n FROM analytic_account_account WHERE code = '50-1'")
    assert count == [{"n": 1}]


def test_a_batch_that_would_not_end_in_time_is_not_begun(erp, tmp_path, monkeypatch):
    monkeypatch.setattr("erp_integrations.adapters.tryton.adapter.CALL_DEADLINE", 15.0)
    error = refused(adapter_for(erp, tmp_path), vendor("TIME01"))
    assert (error.cls, error.effect) == NOT_APPLIED
    assert rows(erp, "TIME01") == 0
