"""A worker is woken only for connections for which it can do something."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from erp_integrations.adapters.base import Delivery
from erp_integrations.clock import after, ago
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.export import due, engine, lease_recovery
from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.models import Connection, Halt, Item
from erp_integrations.models.states import State
from tests.erp_integrations import steps
from tests.factories import ConnectionFactory, ItemFactory


def unknown() -> None:
    """An item whose outcome is unknown, and whose lookup is due."""
    Item.objects.update(
        state=State.UNCERTAIN, lease_until=None, check_after=ago(1), looks=0, handle=""
    )


@pytest.mark.parametrize(
    ("delivery", "sends", "looks"),
    [("sync", True, True), ("queued", True, True), ("polled", False, False), ("file", False, True)],
)
def test_worker_is_woken_for_what_it_can_do(connection, accepted_item, delivery, sends, looks):
    latency = 10_000 if delivery == "queued" else 0
    steps.change_config(connection, delivery=delivery, latency_ms=latency)
    assert due.due_connections() == [connection.pk] * sends
    unknown()
    assert due.due_connections() == [connection.pk] * looks
    # And no more than that: after a turn nothing is due.
    steps.export(connection)
    assert due.due_connections() == []


S, D = State, Delivery
# Delivery, whether the ERP can be asked by key -> who sends, who looks, and what is left to others.
WHO: dict[tuple[Delivery, bool], tuple[bool, bool, set[State]]] = {
    (D.SYNC, True): (True, True, set()),
    (D.SYNC, False): (True, True, set()),
    (D.QUEUED, True): (True, True, set()),
    (D.QUEUED, False): (True, True, set()),
    (D.POLLED, True): (False, False, {S.QUEUED, S.SENDING, S.UNCERTAIN}),
    (D.POLLED, False): (False, True, {S.QUEUED, S.SENDING}),
    (D.FILE, True): (False, True, {S.QUEUED, S.SUBMITTED}),
    (D.FILE, False): (False, True, {S.QUEUED, S.SUBMITTED}),
}


def test_every_delivery_is_known_here():
    assert {delivery for delivery, _can_find in WHO} == set(Delivery)


@pytest.mark.parametrize(("delivery", "can_find"), WHO)
def test_who_acts_next_depends_on_the_delivery(connection, delivery, can_find):
    manifest = adapter_loading.manifest_of(connection)
    manifest = replace(manifest, delivery=delivery, can_find=can_find)
    assert WHO[delivery, can_find] == (
        due.worker_sends(manifest),
        due.worker_looks(manifest),
        due.left_to_others(manifest),
    )


TIMES = {"not_before", "check_after"}
# Columns of the item, those of times in seconds from now -> whether a worker has something to do.
WAITING: list[tuple[dict[str, Any], bool]] = [
    ({"not_before": None}, True),
    ({"not_before": -1}, True),
    ({"not_before": 5}, False),
    ({"waits_for": 7}, False),
    ({"state": S.UNCERTAIN, "check_after": -1}, True),
    ({"state": S.UNCERTAIN, "check_after": 5}, False),
    ({"state": S.UNCERTAIN, "check_after": None}, False),
    ({"state": S.SUBMITTED, "check_after": -1}, True),
    ({"state": S.SUBMITTED, "check_after": 5}, False),
    # Values of an earlier wait wake no worker.
    ({"state": S.FAILED, "check_after": -1}, False),
    ({"state": S.NEEDS_ANSWER, "check_after": -1}, False),
]


@pytest.mark.parametrize(("columns", "is_due"), WAITING)
def test_worker_is_woken_when_the_time_has_come(connection, accepted_item, columns, is_due):
    times = {name: after(columns[name]) for name in TIMES if columns.get(name)}
    Item.objects.update(**columns | times)
    assert due.due_connections() == [connection.pk] * is_due


def test_worker_leaves_alone_what_is_paused_or_rests(connection, accepted_item, ada):
    Connection.objects.update(breaker_until=after(5))
    assert due.due_connections() == []
    Connection.objects.update(breaker_until=ago(1))
    assert due.due_connections() == [connection.pk]
    connection_services.pause(connection, by=ada, reason="Year end")
    assert due.due_connections() == []


def test_refused_login_is_probed_only_where_something_waits(connection):
    connection_services.halt(connection, Halt.LOGIN, message="Log in again.")
    assert due.due_connections() == []


def test_connections_are_due_one_by_one_in_one_order(connection, accepted_item, account):
    others = [ConnectionFactory.create(account=account) for _ in range(2)]
    for other in reversed(others):
        ItemFactory.create(
            account=account, connection=other, state=State.QUEUED, intent=uuid.uuid4()
        )
    ids = [connection.pk, *(other.pk for other in others)]
    assert due.due_connections() == ids
    assert all(due.others_are_due(pk) for pk in ids)
    Connection.objects.exclude(pk=ids[1]).update(breaker_until=after(5))
    assert [due.others_are_due(pk) for pk in ids] == [True, False, True]


def test_file_that_waits_for_a_person_wakes_nobody(connection, accepted_item, pat):
    steps.change_config(connection, delivery="file")
    file_delivery.make(connection, "vendor", by=pat)
    steps.let_pass(10_000)
    assert due.due_connections() == []


def test_items_that_the_erp_was_handed_are_polled_also_after_a_change_of_delivery(
    connection, accepted_item
):
    steps.change_config(connection, delivery="queued", latency_ms=10_000)
    steps.export(connection)
    steps.change_config(connection, delivery="polled")
    steps.let_pass(11)
    assert due.due_connections() == [connection.pk]


def test_refused_login_of_an_asking_erp_is_probed_by_a_worker(connection, accepted_item):
    steps.change_config(connection, delivery="polled")
    steps.keep_secrets(connection, password="correct")
    connection_services.halt(connection, Halt.LOGIN, message="Log in again.")
    assert due.due_connections() == [connection.pk]
    steps.export(connection)
    connection.refresh_from_db()
    assert connection.paused_at is None
    assert due.due_connections() == []


def test_connection_whose_adapter_is_gone_wakes_nobody(connection, accepted_item, settings):
    settings.ERPBRIDGE_ADAPTERS = []
    assert due.due_connections() == []


def test_tick_wakes_the_due_one_among_many(connection, accepted_item, account, monkeypatch):
    woken: list[int] = []
    monkeypatch.setattr(lease_recovery, "publish", steps.waking_later(woken))
    for delivery in ("polled", "file"):
        other = ConnectionFactory.create(account=account, config={"delivery": delivery})
        ItemFactory.create_batch(3, account=account, connection=other)
    Item.objects.filter(state=State.READY).update(
        state=State.QUEUED, intent="00000000-0000-4000-8000-000000000000"
    )
    assert lease_recovery.tick(period=-1)
    assert woken == [connection.pk]


@pytest.mark.parametrize(("delivery", "turn_is_over"), [("sync", True), ("file", False)])
def test_turn_ends_early_only_for_a_connection_that_a_worker_serves(
    connection, account, delivery, turn_is_over
):
    other: Connection = ConnectionFactory.create(account=account, config={"delivery": delivery})
    ItemFactory.create(
        account=account,
        connection=other,
        state=State.QUEUED,
        intent="00000000-0000-4000-8000-000000000000",
    )
    spent = engine.FAIR_SHARE + 1
    assert engine._turn_is_over(connection.pk, spent) is turn_is_over
    assert engine._turn_is_over(other.pk, spent) is False
