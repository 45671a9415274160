"""An ERP that takes commands into a queue: handed over, asked about, settled once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection as db
from django.test.utils import CaptureQueriesContext

from erp_integrations.adapters.base import Outcome
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.export import settle
from erp_integrations.export.delivery import queued
from erp_integrations.export.due import due_connections
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow import standing
from erpbridge.clock.measured import ago
from tests.erp_integrations import steps


@pytest.fixture
def connection(connection) -> Connection:
    """The ledger works its queue off ten seconds later, by its own clock."""
    steps.change_config(connection, delivery="queued", latency_ms=10_000)
    return connection


def state(item: Item) -> str:
    item.refresh_from_db()
    return item.state


def tries(item: Item) -> list[tuple[str, str]]:
    return list(item.tries.order_by("fence").values_list("first_look", "outcome"))


def effects(connection: Connection) -> int:
    return len(steps.ledger_of(connection).effects())


def work_off(connection: Connection) -> None:
    steps.ledger_of(connection).work(at_once=True)


def test_handed_over_item_is_asked_about_until_the_erp_has_worked_it_off(
    connection, accepted_item, company
):
    steps.export(connection)
    assert state(accepted_item) == State.SUBMITTED
    assert "was submitted" in standing.sentence(accepted_item)
    steps.let_pass(11)
    assert due_connections() == [connection.pk]
    steps.export(connection)
    assert (state(accepted_item), tries(accepted_item)) == (State.SUBMITTED, [("absent", "open")])
    work_off(connection)
    steps.let_pass(2)
    steps.export(connection)
    assert (state(accepted_item), tries(accepted_item)) == (State.SYNCED, [("absent", "applied")])
    company.refresh_from_db()
    assert company.origin_code == "QUARRY01"
    assert effects(connection) == 1


def test_nothing_is_asked_before_its_time(connection, accepted_item):
    steps.export(connection)
    assert due_connections() == []
    with CaptureQueriesContext(db) as queries:
        assert queued.take_pending(connection, manifest_of(connection)) == []
    assert not any("UPDATE" in query["sql"] and '"fence"' in query["sql"] for query in queries)


def test_what_the_queue_refuses_fails_with_the_erps_words(connection, accepted_item):
    steps.export(connection)
    vendor = {"vendor_id": "QUARRY01", "vendor_name": "By hand", "vendor_type": "OTH"}
    message = json.dumps({"operation": "create", "vendor": vendor})
    steps.ledger_of(connection).post("by hand", message)
    work_off(connection)
    steps.let_pass(11)
    steps.export(connection)
    assert state(accepted_item) == State.FAILED
    assert accepted_item.error_text == "Vendor ID QUARRY01 already exists."
    assert tries(accepted_item) == [("absent", "not_applied")]


def test_silent_queue_is_given_up_looked_up_and_joined_by_the_same_command(
    connection, accepted_item
):
    steps.export(connection)
    handle = Item.objects.get().handle
    steps.let_pass(61)
    steps.export(connection)
    assert state(accepted_item) == State.UNCERTAIN
    steps.let_pass(30)
    steps.export(connection)
    assert state(accepted_item) == State.UNCERTAIN
    steps.let_pass(31)
    steps.export(connection)
    assert (state(accepted_item), accepted_item.handle) == (State.SUBMITTED, handle)
    work_off(connection)
    steps.let_pass(11)
    steps.export(connection)
    assert (state(accepted_item), effects(connection)) == (State.SYNCED, 1)


def test_lost_answer_to_the_handing_over_is_believed_absent_only_after_the_queues_time(
    connection, accepted_item
):
    steps.break_erp(connection, "timeout_after")
    steps.export(connection)
    assert state(accepted_item) == State.UNCERTAIN
    steps.let_pass(30)
    steps.export(connection)
    assert state(accepted_item) == State.UNCERTAIN
    work_off(connection)
    steps.let_pass(2)
    steps.export(connection)
    assert (state(accepted_item), effects(connection)) == (State.SYNCED, 1)


def test_erp_that_cannot_be_asked_does_not_lose_what_it_was_handed(connection, accepted_item):
    steps.export(connection)
    steps.change_config(connection, fault="down")
    steps.let_pass(100)
    connection.refresh_from_db()
    steps.export(connection)
    assert state(accepted_item) == State.SUBMITTED
    steps.change_config(connection, fault="none")
    work_off(connection)
    steps.let_pass(100)
    connection.refresh_from_db()
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED


def test_two_workers_do_not_ask_about_the_same_item_and_settle_it_once(connection, accepted_item):
    steps.export(connection)
    steps.let_pass(11)
    work_off(connection)
    manifest = manifest_of(connection)
    first = queued.take_pending(connection, manifest)
    assert len(first) == 1
    assert queued.take_pending(connection, manifest) == []
    steps.let_pass(21)
    second = queued.take_pending(connection, manifest)
    outcomes = adapter_of(connection).poll([claim.item.handle for claim in first])
    for claims in (second, first):
        settle.settle(connection, manifest, settle.answers_of(claims, outcomes))
    assert (state(accepted_item), tries(accepted_item)) == (State.SYNCED, [("absent", "applied")])


def test_not_yet_of_a_paused_worker_does_not_touch_what_was_settled_since(
    connection, accepted_item
):
    steps.export(connection)
    steps.let_pass(11)
    manifest = manifest_of(connection)
    (stale,) = queued.take_pending(connection, manifest)
    work_off(connection)
    steps.let_pass(21)
    steps.export(connection)
    assert state(accepted_item) == State.SYNCED
    answers = [settle.Answer(stale, Outcome(handle="77", check_after=1))]
    assert queued.still_pending(manifest, answers) == []
    assert (state(accepted_item), accepted_item.check_after) == (State.SYNCED, None)


def test_each_not_yet_is_noted_and_only_the_rest_settles(connection, accept_companies):
    accept_companies(3)
    steps.export(connection)
    steps.let_pass(11)
    manifest = manifest_of(connection)
    silent, done, waiting = queued.take_pending(connection, manifest)
    Attempt.objects.filter(pk=silent.attempt.pk).update(opened_reading=ago(manifest.silent_after))
    answers = [
        settle.Answer(silent, Outcome(handle="A", check_after=7)),
        settle.Answer(done, Outcome(erp_id="9", erp_version="1")),
        settle.Answer(waiting, Outcome(handle="C", check_after=7)),
    ]
    settling = queued.still_pending(manifest, answers)
    assert {claim.item.pk for claim, _outcome in settling} == {silent.item.pk, done.item.pk}
    handles = dict(Item.objects.values_list("pk", "handle"))
    assert handles[waiting.item.pk] == "C"
    assert handles[silent.item.pk] == silent.item.handle != "A"
    assert handles[done.item.pk] == done.item.handle


GIVEN_TO_ANOTHER: dict[str, Any] = {"fence": 99}
LEFT = [{"state": state} for state in (State.UNCERTAIN, State.NEEDS_ANSWER, State.FAILED)]


@pytest.mark.parametrize("left", [*LEFT, GIVEN_TO_ANOTHER])
def test_a_late_not_yet_leaves_an_item_alone_that_is_no_longer_asked_about(
    connection, accepted_item, left
):
    steps.export(connection)
    steps.let_pass(11)
    (claim,) = queued.take_pending(connection, manifest_of(connection))
    Item.objects.filter(pk=accepted_item.pk).update(**left)
    before = Item.objects.values().get(pk=accepted_item.pk)
    late = [settle.Answer(claim, Outcome(handle="late", check_after=7))]
    assert queued.still_pending(manifest_of(connection), late) == []
    assert Item.objects.values().get(pk=accepted_item.pk) == before


def test_an_item_without_the_attempt_of_its_number_is_not_asked_about(connection, accept_companies):
    accept_companies(2)
    steps.export(connection)
    first, second = Item.objects.order_by("pk")
    Item.objects.filter(pk=first.pk).update(fence=first.fence + 1)
    assert [claim.item for claim in queued.claims_of(Item.objects.order_by("pk"))] == [second]
