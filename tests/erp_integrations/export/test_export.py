"""What the engine does when the ERP refuses, is slow, is down, is silent, or answers nonsense."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from dataclasses import replace

import pytest

from erp_integrations.adapters.base import Effect, ErpError, ErrorClass, Health, Outcome
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.adapters.simulator.entries import Record
from erp_integrations.adapters.tryton import rest
from erp_integrations.clock import Reading, ago
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.connections.secrets import seal
from erp_integrations.export import (
    circuit_breaker,
    due,
    engine,
    lease_recovery,
    settle,
    uncertain_lookup,
)
from erp_integrations.export.claim import claim
from erp_integrations.export.due import due_connections
from erp_integrations.models import Attempt, Connection, Halt, Item, Link
from erp_integrations.models.states import State
from erp_integrations.sendable import badge
from erp_integrations.workflow.accept import manual_resolution
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.payloads.commands import command_of
from erp_integrations.workflow.refusals import MovedOn
from erpbridge.audit.models import Event
from erpbridge.outgoing import names
from erpbridge.outgoing.uptime import uptime
from erpbridge.refusals import Refused
from tests.erp_integrations import steps
from tests.factories import CompanyFactory
from tests.outgoing.hosts import host
from tests.outgoing.test_in_time import wait_for


def state(item: Item) -> str:
    item.refresh_from_db()
    return item.state


def outcomes(item: Item) -> list[tuple[str, str]]:
    return list(item.tries.order_by("fence").values_list("first_look", "outcome"))


def effects(connection: Connection) -> list[str]:
    return [effect.key for effect in steps.ledger_of(connection).effects()]


def put(connection: Connection, name: str) -> Record:
    """A vendor QUARRY01 that somebody enters in the ERP by hand."""
    vendor = {"vendor_id": "QUARRY01", "vendor_name": name, "vendor_type": "OTH"}
    message = json.dumps({"operation": "create", "vendor": vendor})
    return steps.ledger_of(connection).post("by hand", message)


# --- refused ----------------------------------------------------------------------------------


def test_refused_record_fails_with_the_erps_own_words(connection, accepted_item, company):
    steps.break_erp(connection, "refuse")
    steps.export(connection)
    assert state(accepted_item) == State.FAILED
    assert accepted_item.error_text == "This vendor is on the list of vendors not to be paid."
    assert accepted_item.error_advice
    assert outcomes(accepted_item) == [("absent", "not_applied")]
    company.refresh_from_db()
    assert (badge(company).key, company.origin_id) == ("failed", "")


def test_failed_item_is_retried_as_it_was_or_with_another_id(
    connection, accepted_item, pat, access_of
):
    steps.break_erp(connection, "refuse", times=2)
    steps.export(connection)
    first = Item.objects.get().intent
    assert steps.retry(accepted_item, access_of(pat)).done == 1
    steps.export(connection)
    assert state(accepted_item) == State.FAILED
    assert accepted_item.intent != first
    assert steps.retry(accepted_item, access_of(pat), vendor_id="QUARRY02").done == 1
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    assert (accepted_item.error_text, effects(connection)) == ("", ["QUARRY02"])


def test_failed_item_can_be_rejected_and_sent_again(
    connection, accepted_item, company, ada, pat, access_of
):
    steps.break_erp(connection, "refuse")
    steps.export(connection)
    items = Item.objects.filter(pk=accepted_item.pk)
    assert (
        accept_services.reject(items, entity="vendor", reason="No", access=access_of(pat)).done == 1
    )
    (again,) = steps.send_all([company], access_of(ada))
    assert again.pk != accepted_item.pk
    assert again.operation == "create"


def test_id_that_exists_in_the_erp_fails_and_leaves_the_record_there_untouched(
    connection, accepted_item, company, pat, access_of
):
    ledger = steps.ledger_of(connection)
    put(connection, "Old")
    before = dump(ledger)
    steps.export(connection)
    assert state(accepted_item) == State.FAILED
    assert accepted_item.error_class == "duplicate"
    assert accepted_item.error_text == ("QUARRY01 is already in the ERP: Old. Nothing was written.")
    assert dump(ledger) == before
    assert steps.retry(accepted_item, access_of(pat), vendor_id="QUARRY02").done == 1
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    assert ledger.vendor("QUARRY01").values["vendor_name"] == "Old"


def dump(ledger) -> list[str]:
    db = sqlite3.connect(ledger.path)
    try:
        return [line for line in db.iterdump() if '"fault' not in line]
    finally:
        db.close()


def test_link_instead_ties_the_company_to_the_record_that_is_there(
    connection, accepted_item, company, ada, pat, access_of
):
    ledger = steps.ledger_of(connection)
    there = put(connection, "Old")
    steps.export(connection)
    accepted_item.refresh_from_db()
    manual_resolution.look_up_and_link(accepted_item, key="quarry01", by=pat)
    assert state(accepted_item) == State.SYNCED
    company.refresh_from_db()
    assert (company.origin_id, company.origin_code) == (str(there.id), "QUARRY01")
    assert Link.objects.get().synced_digest == ""
    assert ledger.vendor("QUARRY01").values["vendor_name"] == "Old"
    # What the ERP holds is not what was sent, so sending again makes sense, as an update.
    (again,) = steps.send_all([company], access_of(ada))
    assert steps.decide([again], access_of(pat)).done == 1
    steps.export(connection)
    assert state(again) == State.SYNCED
    assert ledger.vendor("QUARRY01").values["vendor_name"] == "Quarry & Sons, LLC"


# --- slow, down -------------------------------------------------------------------------------


def test_throttled_items_wait_as_long_as_the_erp_asks_and_are_not_counted(
    connection, accepted_item
):
    steps.break_erp(connection, "throttle")
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    assert accepted_item.attempts == 0
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    steps.let_pass(3)
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    assert effects(connection) == ["QUARRY01"]


def test_endless_throttling_never_fails_an_item(connection, accepted_item):
    Item.objects.update(attempts=7)
    steps.break_erp(connection, "throttle")
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED


def test_items_wait_while_the_erp_is_down_and_go_out_afterwards(connection, accepted_item):
    steps.change_config(connection, fault="down")
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    assert (accepted_item.attempts, accepted_item.error_class) == (1, "transient")
    assert accepted_item.not_before is not None
    steps.change_config(connection, fault="none")
    steps.let_pass(1000)
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED


def test_erp_that_stays_down_fails_the_item_after_eight_tries(connection, accepted_item):
    steps.change_config(connection, fault="down")
    for _ in range(12):
        steps.export(connection)
        steps.let_pass(1000)
    assert state(accepted_item) == State.FAILED
    assert accepted_item.attempts == 8
    assert "refused" in accepted_item.error_text


def test_breaker_counts_calls_and_not_items_and_rests_after_five(
    connection, account, ada, pat, access_of
):
    items = steps.send_all(CompanyFactory.create_batch(20, account=account), access_of(ada))
    assert steps.decide(items, access_of(pat)).done == 20
    steps.change_config(connection, fault="down")
    steps.run(
        connection,
        adapter_of(connection),
        manifest_of(connection),
        claim(connection, manifest_of(connection)),
        since=uptime(),
    )
    connection.refresh_from_db()
    assert (connection.breaker_failures, connection.breaker_until) == (1, None)
    Item.objects.update(not_before=None)
    steps.export(connection)
    connection.refresh_from_db()
    assert connection.breaker_failures == 5
    assert circuit_breaker.is_resting(connection)
    assert claim(connection, manifest_of(connection)) == []
    assert due_connections() == []
    steps.let_pass(31)
    Item.objects.update(not_before=None)
    assert due_connections() == [connection.pk]
    assert len(claim(connection, manifest_of(connection))) == 1


def test_success_closes_the_breaker(connection, accepted_item):
    Connection.objects.update(breaker_failures=7, breaker_until=ago(1))
    steps.export(connection)
    connection.refresh_from_db()
    assert (connection.breaker_failures, connection.breaker_until) == (0, None)


def expire_login(connection):
    """The ERP refuses the login in the middle of an export."""
    (claimed,) = steps.claim(connection, manifest_of(connection))
    expired = ErpError(ErrorClass.AUTH_EXPIRED, Effect.NOT_APPLIED, "Log in again.")
    settle.settle(
        connection, manifest_of(connection), [settle.Answer(claimed, Outcome(error=expired))]
    )
    connection.refresh_from_db()


def test_expired_login_pauses_the_connection_once_and_says_why(connection, accepted_item):
    expire_login(connection)
    assert "Log in again." in connection.pause_reason
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    assert Event.objects.filter(verb="connection_paused").count() == 1


def test_export_goes_on_by_itself_once_the_login_works_again(connection, accepted_item):
    expire_login(connection)
    steps.let_pass(1000)
    assert due_connections() == [connection.pk]
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    connection.refresh_from_db()
    assert (connection.paused_at, connection.halted_for) == (None, "")


def test_export_stays_paused_while_the_login_is_still_refused(connection, accepted_item):
    expire_login(connection)
    steps.change_config(connection, fault="down")
    steps.let_pass(1000)
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    connection.refresh_from_db()
    assert connection.halted_for == Halt.LOGIN


def test_a_pause_by_a_person_while_the_login_is_tried_is_not_ended_by_it(
    connection, accepted_item, ada, monkeypatch
):
    expire_login(connection)
    steps.let_pass(1000)

    def check(self):
        connection_services.pause(connection, by=ada, reason="Year-end closing")
        return Health()

    monkeypatch.setattr(SimulatorAdapter, "check", check)
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    connection.refresh_from_db()
    assert connection.pause_reason == "Year-end closing"


def test_a_pause_by_a_person_is_not_ended_by_a_working_login(connection, accepted_item, ada):
    expire_login(connection)
    connection_services.pause(connection, by=ada, reason="Year-end closing")
    steps.let_pass(1000)
    assert due_connections() == []
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    connection_services.resume(connection, by=ada)
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED


# --- silent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before", "garbage"])
def test_silence_is_uncertain_and_never_sent_again_before_a_look(
    connection, accepted_item, company, fault
):
    steps.break_erp(connection, fault)
    steps.export(connection)
    assert state(accepted_item) == State.UNCERTAIN
    assert outcomes(accepted_item) == [("absent", "uncertain")]
    intent = accepted_item.intent
    steps.export(connection)
    written = effects(connection)
    if fault == "timeout_after":
        assert state(accepted_item) == State.SYNCED
    else:
        # The look came too early to believe that nothing is there.
        assert (state(accepted_item), written) == (State.UNCERTAIN, [])
        steps.let_pass(30)
        steps.export(connection)
        assert state(accepted_item) == State.SYNCED
    assert accepted_item.intent == intent
    assert [(effect.intent, effect.key) for effect in steps.ledger_of(connection).effects()] == [
        (str(intent), "QUARRY01")
    ]
    company.refresh_from_db()
    assert company.origin_code == "QUARRY01"


def test_vendor_found_after_silence_that_is_not_ours_needs_an_answer(
    connection, accepted_item, pat, company
):
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)
    put(connection, "Other")
    steps.let_pass(30)
    steps.export(connection)
    assert state(accepted_item) == State.NEEDS_ANSWER
    company.refresh_from_db()
    assert (badge(company).key, company.origin_id) == ("needs_answer", "")
    # "It is not there": the same command goes out again, and the look keeps it from overwriting.
    manual_resolution.it_is_not_there(accepted_item, by=pat, why="Looked")
    with pytest.raises(MovedOn):
        manual_resolution.it_is_not_there(accepted_item, by=pat)
    steps.export(connection)
    assert state(accepted_item) == State.FAILED
    assert accepted_item.error_class == "duplicate"
    assert steps.ledger_of(connection).vendor("QUARRY01").values["vendor_name"] == "Other"


def test_person_can_answer_that_it_is_there(connection, accepted_item, pat, company):
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)
    Item.objects.update(check_after=Reading())
    item = Item.objects.get()
    uncertain_lookup.ask_user(item, "Is it there?")
    vendor = put(connection, "Q")
    item.refresh_from_db()
    with pytest.raises(Refused, match="no single record"):
        manual_resolution.look_up_and_link(item, key="NOPE", by=pat)
    manual_resolution.look_up_and_link(item, key="QUARRY01", by=pat, why="Seen")
    assert state(item) == State.SYNCED
    company.refresh_from_db()
    assert company.origin_id == str(vendor.id)


@pytest.mark.parametrize("erp_id", ["", "x" * 201])
def test_id_that_cannot_be_one_is_no_answer(connection, accepted_item, pat, erp_id):
    with pytest.raises(Refused, match="from 1 to 200"):
        manual_resolution.it_is_there(accepted_item, erp_id=erp_id, erp_code="", by=pat)


def test_own_vendor_that_arrived_late_is_not_taken_for_a_duplicate(
    connection, accepted_item, company
):
    """Sent, silent, looked up too early, queued again; then the first try takes effect."""
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)
    steps.let_pass(30)
    item = Item.objects.get()
    uncertain_lookup._not_there(item, settled=True)
    assert state(accepted_item) == State.QUEUED
    command = command_of(accepted_item)
    adapter_of(connection).submit([command])
    steps.export(connection)
    assert state(accepted_item) == State.UNCERTAIN
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    assert effects(connection) == ["QUARRY01"]


def test_look_that_fails_waits_longer_each_time_and_then_asks_a_person(connection, accepted_item):
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)
    steps.change_config(connection, fault="down")
    for looks in range(1, uncertain_lookup.MOST_LOOKS):
        steps.let_pass(1000)
        steps.export(connection)
        assert (state(accepted_item), accepted_item.looks) == (State.UNCERTAIN, looks)
    steps.let_pass(1000)
    steps.export(connection)
    assert state(accepted_item) == State.NEEDS_ANSWER
    assert "lookup in the ERP failed" in accepted_item.error_text


# --- lost workers -----------------------------------------------------------------------------


def test_item_of_a_worker_that_died_is_looked_up_and_sent_again(connection, accepted_item):
    steps.claim(connection, manifest_of(connection))
    assert lease_recovery.expire_leases() == 0
    steps.let_pass(81)
    assert lease_recovery.expire_leases() == 1
    assert state(accepted_item) == State.UNCERTAIN
    assert outcomes(accepted_item) == [("", "lost")]
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    assert outcomes(accepted_item) == [("", "lost"), ("absent", "applied")]
    assert effects(connection) == ["QUARRY01"]


def test_effect_of_a_worker_that_died_after_sending_is_found(connection, accepted_item):
    (claimed,) = claim(connection, manifest_of(connection))
    adapter = adapter_of(connection)
    assert steps.look(adapter, manifest_of(connection), [claimed], since=uptime()) == []
    adapter.submit([claimed.command])
    steps.let_pass(81)
    lease_recovery.expire_leases()
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    assert effects(connection) == ["QUARRY01"]


def test_late_answer_of_a_worker_that_lost_its_claim_is_kept_and_changes_nothing(
    connection, accepted_item
):
    (late,) = steps.claim(connection, manifest_of(connection))
    steps.let_pass(81)
    lease_recovery.expire_leases()
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    refused = ErpError(ErrorClass.INVALID, Effect.NOT_APPLIED, "No.")
    settle.settle(
        connection, manifest_of(connection), [settle.Answer(late, Outcome(error=refused))]
    )
    applied = Outcome(erp_id="99", erp_code="OTHER")
    settle.settle(connection, manifest_of(connection), [settle.Answer(late, applied)])
    assert state(accepted_item) == State.SYNCED
    assert accepted_item.erp_code == "QUARRY01"
    assert Link.objects.get().erp_code == "QUARRY01"
    kept = Attempt.objects.get(pk=late.attempt.pk)
    assert (kept.outcome, kept.erp_id) == ("late", "99")


def test_claim_that_is_too_old_sends_nothing(connection, accepted_item, settings):
    claims = claim(connection, manifest_of(connection))
    started = uptime() - settings.ERPBRIDGE_LEASE_MARGIN
    steps.run(connection, adapter_of(connection), manifest_of(connection), claims, since=started)
    assert state(accepted_item) == State.QUEUED
    assert effects(connection) == []


def test_the_time_that_looks_took_is_not_taken_from_what_is_claimed_after_them(
    connection, accepted_item, settings, monkeypatch
):
    late = []
    monkeypatch.setattr(engine, "uptime", lambda: uptime() + sum(late))
    looks = settings.ERPBRIDGE_LEASE_MARGIN / 2 + 1
    monkeypatch.setattr(due, "checks_are_due", lambda _connection: late.append(looks))
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    assert outcomes(accepted_item) == [("absent", "applied")]


def test_item_that_failed_before_is_claimed_alone(connection, account, ada, pat, access_of):
    items = steps.send_all(CompanyFactory.create_batch(4, account=account), access_of(ada))
    steps.decide(items, access_of(pat))
    Item.objects.filter(pk=items[1].pk).update(attempts=1)
    assert [len(claim(connection, manifest_of(connection))) for _ in range(3)] == [3, 1, 0]


def test_paused_connection_claims_and_looks_at_nothing(connection, accepted_item, ada):
    connection_services.pause(connection, by=ada, reason="Month end")
    steps.export(connection)
    assert state(accepted_item) == State.QUEUED
    assert due_connections() == []


# --- updates ----------------------------------------------------------------------------------


def test_changed_company_is_written_as_an_update(connection, synced_company, ada, pat, access_of):
    item = steps.update_item(synced_company, access_of(ada), "Quarry, Inc.")
    assert item.operation == "update"
    assert steps.decide([item], access_of(pat)).done == 1
    steps.export(connection)
    assert state(item) == State.SYNCED
    ledger = steps.ledger_of(connection)
    assert ledger.vendor("QUARRY01").values["vendor_name"] == "Quarry, Inc."
    assert ledger.count() == 1
    assert Link.objects.get().synced_payload["name"] == "Quarry, Inc."


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before"])
def test_silent_update_is_looked_up(connection, synced_company, ada, pat, access_of, fault):
    item = steps.update_item(synced_company, access_of(ada), "Quarry, Inc.")
    steps.decide([item], access_of(pat))
    steps.break_erp(connection, fault)
    steps.export(connection)
    assert state(item) == State.UNCERTAIN
    steps.let_pass(30)
    steps.export(connection)
    assert state(item) == State.SYNCED
    assert len(steps.ledger_of(connection).effects()) == 2


def test_update_of_a_vendor_changed_in_the_erp_fails_as_a_conflict(
    connection, synced_company, ada, pat, access_of
):
    item = steps.update_item(synced_company, access_of(ada), "Quarry, Inc.")
    steps.decide([item], access_of(pat))
    Link.objects.update(erp_version="0")
    steps.export(connection)
    assert state(item) == State.FAILED
    assert item.error_class == "conflict"


def test_company_with_a_tax_id_in_another_form_is_recognized_after_silence(
    connection, account, ada, pat, access_of
):
    """The ledger keeps it as the IRS writes it, so what it holds differs from what was typed."""
    company = CompanyFactory.create(account=account, entity_type="ein", entity_id="91 1144442")
    (item,) = steps.send_all([company], access_of(ada))
    steps.decide([item], access_of(pat))
    steps.break_erp(connection, "timeout_after")
    steps.export(connection)
    steps.export(connection)
    assert state(item) == State.SYNCED


# --- one ERP record, one record ---------------------------------------------------------------


def test_two_items_with_one_erp_id_in_a_batch_leave_one_synced_and_ask_about_the_other(
    connection, account, ada, pat, access_of
):
    items = steps.send_all(CompanyFactory.create_batch(3, account=account), access_of(ada))
    steps.decide(items, access_of(pat))
    claims = steps.claim(connection, manifest_of(connection))
    given = [Outcome(erp_id=erp_id, erp_code=erp_id) for erp_id in ("1", "1", "2")]
    settle.settle(connection, manifest_of(connection), settle.answers_of(claims, given))
    assert [state(item) for item in items] == [State.SYNCED, State.UNCERTAIN, State.SYNCED]
    assert Link.objects.count() == 2
    assert "linked to another record" in items[1].error_text


def test_id_of_another_record_is_no_answer(
    connection, synced_company, account, ada, pat, access_of
):
    (item,) = steps.send_all([CompanyFactory.create(account=account)], access_of(ada))
    steps.decide([item], access_of(pat))
    steps.break_erp(connection, "refuse")
    steps.export(connection)
    item.refresh_from_db()
    with pytest.raises(Refused, match="QUARRY01 is linked to another record already"):
        manual_resolution.look_up_and_link(item, key="QUARRY01", by=pat)
    assert state(item) == State.FAILED


def test_vendor_like_ours_that_nobody_saw_missing_needs_an_answer(connection, accepted_item):
    """The worker died before it looked, so the same vendor may have been there all along."""
    (claimed,) = steps.claim(connection, manifest_of(connection))
    adapter_of(connection).submit([replace(claimed.command, intent="of somebody else")])
    steps.let_pass(81)
    lease_recovery.expire_leases()
    steps.export(connection)
    assert state(accepted_item) == State.NEEDS_ANSWER


def test_late_answer_does_not_settle_the_claim_of_another_worker(connection, accepted_item):
    (late,) = steps.claim(connection, manifest_of(connection))
    steps.let_pass(81)
    lease_recovery.expire_leases()
    uncertain_lookup._not_there(Item.objects.get(), settled=True)
    assert len(claim(connection, manifest_of(connection))) == 1
    refused = ErpError(ErrorClass.INVALID, Effect.NOT_APPLIED, "No.")
    for answer in (Outcome(error=refused), Outcome(erp_id="99", erp_code="OTHER")):
        settle.settle(connection, manifest_of(connection), [settle.Answer(late, answer)])
        assert state(accepted_item) == State.SENDING
    assert Attempt.objects.get(pk=late.attempt.pk).outcome == "late"
    assert not Link.objects.exists()


# --- a write that could not be sent in time ----------------------------------------------------

NOTHING = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"


def test_a_create_whose_name_is_resolved_too_late_waits_to_be_sent_again(
    connection, accepted_item, monkeypatch
):
    monkeypatch.setattr(rest, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(rest, "LEAST_SECONDS", 0.1)
    resolved, go_on, asked = socket.getaddrinfo, threading.Event(), []
    # What Tryton needs to look nothing up for: the look, then the write.
    Item.objects.update(payload={"name": "Quarry"}, acceptance={"vendor_id": "QUARRY01"})
    with host(answer=NOTHING) as server:
        config = {"url": f"http://127.0.0.1:{server.port}/erp", "company": 1}
        Connection.objects.update(adapter="tryton", config=config, secrets={"key": seal("k" * 40)})

        def second_is_slow(name, port, *how):
            asked.append(port)
            if asked.count(server.port) == 2:
                go_on.wait(20)
            return resolved(name, port, *how)

        monkeypatch.setattr(socket, "getaddrinfo", second_is_slow)
        steps.export(connection)
        go_on.set()
        wait_for(lambda: not names._look_ups.running)
        heard = server.heard()
    accepted_item.refresh_from_db()
    attempt = Attempt.objects.get()
    assert (accepted_item.state, attempt.outcome) == (State.QUEUED, Attempt.Outcome.NOT_APPLIED)
    assert "nothing was sent" in accepted_item.error_text
    assert attempt.first_look == "absent"
    assert heard.startswith(b"GET ")
    assert b"POST" not in heard
