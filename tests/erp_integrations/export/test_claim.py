"""What may be claimed now: rate, items in flight, parents first, turns between connections."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection as database

from erp_integrations.adapters.base import Delivery, Rate
from erp_integrations.clock import after, ago, now
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import engine, rate_limit
from erp_integrations.export.claim import claim, lease, write_ahead
from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.links.settlement import ErpRef, settle_synced
from erp_integrations.workflow.payloads.commands import full_command
from erpbridge.clock.measured import STEP
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, ItemFactory

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def queued(connection, ada, count=1, **more):
    for number in range(count):
        given = {"state": State.QUEUED, "intent": uuid.uuid4(), "decided_by": ada} | more
        key = given.pop("erp_key", f"KEY{Item.objects.count()}{number}")
        ItemFactory.create(
            account=connection.account,
            connection=connection,
            sent_by=ada,
            erp_key=key,
            decided_at=NOON,
            **given,
        )


def claimed(connection):
    return [taken.item for taken in claim(connection, manifest_of(connection))]


@pytest.mark.parametrize(
    ("ahead", "allowed"),
    [(-60, 20), (0, 20), (1, 19), (9.5, 10), (10.1, 9), (19, 1), (20, 0), (90, 0)],
)
def test_a_rate_allows_what_the_time_since_the_last_command_stands_for(ahead, allowed):
    next_slot = NOON + timedelta(seconds=ahead)
    assert rate_limit.slots(NOON, next_slot, per_minute=60, burst=20) == allowed


def test_a_throttled_connection_without_a_rate_waits_for_its_time():
    later = NOON + timedelta(seconds=3)
    assert rate_limit.slots(NOON, later, per_minute=None, burst=20) == 0
    assert rate_limit.slots(later, later, per_minute=None, burst=20) == 20


@pytest.mark.parametrize(("ahead", "start"), [(None, 0), (-60, 0), (0, 0), (7, 7)])
def test_what_was_used_of_a_rate_is_added_to_what_was_used_before(ahead, start):
    before = None if ahead is None else NOON + timedelta(seconds=ahead)
    after = rate_limit.next_slot(NOON, before, per_minute=30, used=5)
    assert after == NOON + timedelta(seconds=start + 10)


def test_no_more_is_claimed_than_the_rate_of_the_connection_allows(connection, ada):
    Connection.objects.update(rate_per_minute=60)
    queued(connection, ada, 45)
    assert len(claimed(connection)) == 20
    assert claimed(connection) == []
    Item.objects.filter(state=State.SENDING).update(state=State.FAILED, lease_until=None)
    steps.let_pass(10 - STEP)
    assert len(claimed(connection)) == 10


def test_no_more_is_in_flight_than_the_connection_takes_at_once(connection, ada):
    Connection.objects.update(max_in_flight=3)
    queued(connection, ada, 5)
    assert len(claimed(connection)) == 3
    assert claimed(connection) == []


def test_no_more_calls_are_open_than_the_adapter_declares(connection, ada):
    queued(connection, ada, 25)
    manifest = replace(manifest_of(connection), concurrency=2)
    assert len(claim(connection, manifest)) == 20
    assert len(claim(connection, manifest)) == 5
    queued(connection, ada, 5)
    assert claim(connection, manifest) == []
    # One of the two calls has ended.
    ended = Item.objects.filter(state=State.SENDING).order_by("pk").first()
    calls = Item.objects.filter(state=State.SENDING, call=ended.call)
    assert calls.update(state=State.FAILED, lease_until=None) == 20
    assert len(claim(connection, manifest)) == 5


def test_a_call_has_commands_of_one_operation(connection, ada):
    queued(connection, ada, 2)
    queued(connection, ada, 3, operation="update")
    queued(connection, ada, 1)
    manifest = manifest_of(connection)
    vendor = manifest.entities["vendor"]
    batches = replace(vendor.batches, create=5, update=2)
    manifest = replace(manifest, entities={"vendor": replace(vendor, batches=batches)})
    operations = [
        [claimed.command.operation for claimed in claim(connection, manifest)] for _ in range(3)
    ]
    assert operations == [["create"] * 3, ["update"] * 2, ["update"]]


def test_parents_are_claimed_before_children_that_were_accepted_earlier(connection, ada):
    queued(connection, ada, depth=1, erp_key="CHILD")
    queued(connection, ada, depth=0, erp_key="PARENT")
    assert [item.erp_key for item in claimed(connection)] == ["PARENT", "CHILD"]


def test_a_child_waits_for_its_parent_and_goes_out_with_the_parents_erp_id(connection, ada):
    parent = CompanyFactory.create(account=connection.account)
    queued(connection, ada, record_id=parent.pk, erp_key="PARENT")
    queued(connection, ada, parent_id=parent.pk, waits_for=parent.pk, depth=1, erp_key="CHILD")
    (first,) = claimed(connection)
    assert first.erp_key == "PARENT"

    parents = Item.objects.filter(pk=first.pk)
    settle_synced(connection, parents, {first.pk: ErpRef("77", "PARENT")})
    (taken,) = claim(connection, manifest_of(connection))
    assert (taken.item.erp_key, taken.command.parent_erp_id) == ("CHILD", "77")


def test_a_busy_connection_makes_room_for_another_after_its_share(
    connection, ada, account, monkeypatch
):
    other = Connection.objects.create(account=account, name="Other", adapter="simulator")
    queued(connection, ada, 60)
    queued(other, ada)
    woken = []
    monkeypatch.setattr(engine, "publish", steps.waking_later(woken))
    monkeypatch.setattr(engine, "FAIR_SHARE", 0.0)
    engine.drain(connection.pk)
    assert woken == [connection.pk]
    assert Item.objects.filter(connection=connection, state=State.QUEUED).count() == 40


def test_alone_it_goes_on_for_a_whole_turn(connection, ada, monkeypatch):
    queued(connection, ada, 60)
    monkeypatch.setattr(engine, "FAIR_SHARE", 0.0)
    engine.drain(connection.pk)
    assert not Item.objects.filter(state=State.QUEUED).exists()


# --- what a claim writes ----------------------------------------------------------------------


def test_claim_says_until_when_and_what_is_written_ahead_who_tries_what(connection, ada):
    queued(connection, ada, 2, attempts=1, fence=4)
    manifest = replace(manifest_of(connection), entities={})
    (taken,) = claim(connection, manifest)
    assert not Attempt.objects.exists()
    write_ahead([taken])
    item, attempt = Item.objects.get(pk=taken.item.pk), Attempt.objects.get()
    assert (item.state, item.fence, item.attempts) == (State.SENDING, 5, 2)
    assert (item.lease_until - now()).total_seconds() == lease(manifest) + STEP
    assert lease(manifest) == manifest.call_deadline + settings.ERPBRIDGE_LEASE_MARGIN
    assert (attempt.item, attempt.fence, attempt.outcome) == (item, 5, "open")
    assert attempt.worker == f"{socket.gethostname()}:{os.getpid()}"[:100]
    assert attempt.opened_reading == now()
    assert (taken.item.fence, taken.item.state, taken.attempt.pk) == (5, State.SENDING, attempt.pk)
    assert taken.command.intent == str(item.intent)


def test_what_failed_before_goes_alone_and_so_does_the_next_while_calls_fail(connection, ada):
    queued(connection, ada, 2, attempts=1)
    queued(connection, ada, 3)
    assert [len(claimed(connection)) for _ in range(3)] == [1, 1, 3]
    queued(connection, ada, 2)
    Connection.objects.update(breaker_failures=1)
    assert len(claimed(connection)) == 1


def test_claim_is_of_one_record_type_and_of_no_more_than_asked(connection, ada):
    queued(connection, ada, entity="vendor")
    queued(connection, ada, entity="cost_code", record_id=1)
    queued(connection, ada, 3, entity="vendor")
    manifest = manifest_of(connection)
    assert [taken.item.entity for taken in claim(connection, manifest, entity="cost_code")] == [
        "cost_code"
    ]
    assert len(claim(connection, manifest, most=2)) == 2
    assert claim(connection, manifest, most=0) == []
    assert [taken.item.entity for taken in claim(connection, manifest)] == ["vendor"] * 2


def test_only_what_is_due_of_this_connection_is_claimed(connection, ada, account):
    other = Connection.objects.create(account=account, name="Other", adapter="simulator")
    queued(other, ada)
    queued(connection, ada, not_before=after(5))
    queued(connection, ada, waits_for=7)
    queued(connection, ada, state=State.FAILED)
    assert claimed(connection) == []
    queued(connection, ada, not_before=ago(1), erp_key="DUE")
    assert [item.erp_key for item in claimed(connection)] == ["DUE"]


def test_nothing_is_claimed_for_settings_that_have_changed_or_while_it_rests(connection, ada):
    queued(connection, ada)
    Connection.objects.update(breaker_until=after(5))
    assert claimed(connection) == []
    Connection.objects.update(breaker_until=None, config={"ledger": "another"})
    assert claimed(connection) == []
    assert not Attempt.objects.exists()


def test_rate_of_the_adapter_holds_where_the_connection_has_none(connection, ada):
    queued(connection, ada, 9)
    manifest = replace(manifest_of(connection), rate=Rate(per_minute=60))
    Connection.objects.update(max_in_flight=4)
    before = now()
    assert len(claim(connection, manifest)) == 4
    connection.refresh_from_db()
    assert (connection.next_slot_at - before).total_seconds() == 4
    Connection.objects.update(max_in_flight=2)
    assert claim(connection, manifest) == []
    Item.objects.filter(state=State.SENDING).update(state=State.FAILED, lease_until=None)
    assert len(claim(connection, manifest)) == 2


def test_file_takes_as_many_as_are_asked_for_whatever_else_holds(connection, ada):
    Connection.objects.update(max_in_flight=1, rate_per_minute=1)
    queued(connection, ada, 2, attempts=1)
    queued(connection, ada, 2)
    manifest = replace(manifest_of(connection), delivery=Delivery.FILE)
    assert claim(connection, manifest) == []
    assert len(claim(connection, manifest, most=3)) == 3


# --- links of a record and its parent ---------------------------------------------------------


def linked(connection, record_id, **columns):
    given = {"entity": "vendor", "record_id": record_id, "erp_id": str(record_id)}
    return connection.links.create(**given | {"erp_code": "CODE"} | columns)


def test_command_names_what_the_erp_calls_the_record_and_its_parent(connection, ada):
    own, parent = linked(connection, 7, erp_version="v3"), linked(connection, 8)
    queued(connection, ada, operation="update", record_id=7, parent_id=8, waits_for=None)
    (taken,) = claim(connection, manifest_of(connection))
    assert (taken.link, taken.parent, taken.unseen) == (own, parent, False)
    for command in (taken.command, full_command(connection, taken.item)):
        assert (command.erp_id, command.erp_version, command.parent_erp_id) == ("7", "v3", "8")
        assert (command.entity, command.operation) == ("vendor", "update")
        assert (command.key, command.payload) == (taken.item.erp_key, taken.item.payload)


def test_command_of_what_is_linked_to_nothing_names_nothing(connection, ada):
    queued(connection, ada)
    (taken,) = claim(connection, manifest_of(connection))
    assert (taken.link, taken.parent, taken.unseen) == (None, None, False)
    for command in (taken.command, full_command(connection, taken.item)):
        assert (command.erp_id, command.erp_version, command.parent_erp_id) == ("", "", "")


@pytest.mark.parametrize("link", [{"told": True}, {"erp_code": ""}])
def test_id_that_nobody_compared_or_whose_key_is_unknown_has_to_be_seen(connection, ada, link):
    linked(connection, 7, **link)
    queued(connection, ada, operation="update", record_id=7)
    (taken,) = claim(connection, manifest_of(connection))
    assert taken.unseen is True


@pytest.mark.parametrize(
    ("link", "can_fetch", "goes"),
    [
        (None, True, False),
        ({}, False, True),
        ({"told": True}, True, True),
        ({"told": True}, False, False),
        ({"ended_at": NOON}, True, False),
        ({"entity": "cost_code"}, True, False),
    ],
)
def test_child_goes_only_under_a_parent_that_is_linked_and_can_be_compared(
    connection, ada, link, can_fetch, goes
):
    if link is not None:
        linked(connection, 8, **link)
    queued(connection, ada, parent_id=8, depth=1, erp_key="CHILD")
    queued(connection, ada, depth=2, erp_key="OTHER")
    manifest = replace(manifest_of(connection), can_fetch=can_fetch)
    claimed = [taken.item.erp_key for taken in claim(connection, manifest)]
    assert claimed == (["CHILD", "OTHER"] if goes else ["OTHER"])
    # Without it, it waits for its parent again.
    assert Item.objects.get(erp_key="CHILD").waits_for == (None if goes else 8)


# --- a power cut ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("delivery", ["sync", "file"])
def test_an_attempt_is_on_the_disk_before_anything_is_sent(delivery, connection, ada):
    """SQLite's usual commits may be lost with the power; a lost attempt would be sent twice."""
    if delivery == "file":
        Connection.objects.update(config={**connection.config, "delivery": "file"})
        connection.refresh_from_db()
    queued(connection, ada)
    levels = []

    def watch(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "erp_integrations_attempt"'):
            levels.append(synchronous())
        return execute(sql, params, many, context)

    before = synchronous()
    with database.execute_wrapper(watch):
        if delivery == "file":
            file_delivery.make(connection, "vendor", by=ada)
        else:
            steps.claim(connection, manifest_of(connection))
    assert levels == [ON_DISK[database.vendor]]
    assert synchronous() == before


# SQLite: 2 is FULL. PostgreSQL waits for its log at every commit.
ON_DISK = {"sqlite": "2", "postgresql": "on"}


def synchronous() -> str:
    with database.cursor() as cursor:
        cursor.execute(
            "PRAGMA synchronous" if database.vendor == "sqlite" else "SHOW synchronous_commit"
        )
        return str(cursor.fetchone()[0])
