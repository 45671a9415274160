"""The tick: one process at a time, and items whose message was lost are picked up."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from erp_integrations.clock import ago
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import backoff, circuit_breaker, engine, lease_recovery, rate_limit
from erp_integrations.models import Item, Ticker
from erp_integrations.models.states import State
from tests.erp_integrations import steps
from tests.factories import ConnectionFactory, ItemFactory


@pytest.fixture
def woken(monkeypatch) -> list[int]:
    """Ids of the connections that a message was published for."""
    published: list[int] = []
    monkeypatch.setattr(lease_recovery, "publish", steps.waking_later(published))
    return published


def test_accepted_item_whose_message_was_lost_is_picked_up(connection, accepted_item, woken):
    assert lease_recovery.tick()
    assert woken == [connection.pk]


def test_item_that_waits_is_picked_up_only_when_its_time_has_come(connection, accepted_item, woken):
    steps.break_erp(connection, "throttle")
    steps.export(connection)
    assert lease_recovery.tick(period=-1)
    assert woken == []
    steps.let_pass(3)
    assert lease_recovery.tick(period=-1)
    assert woken == [connection.pk]


def test_one_process_ticks_and_the_others_stand_by(connection, woken):
    assert [lease_recovery.tick() for _ in range(3)] == [True, False, False]
    steps.let_pass(lease_recovery.PERIOD + 1)
    assert [lease_recovery.tick() for _ in range(3)] == [True, False, False]
    assert Ticker.objects.count() == 1


def test_tick_finds_what_a_dead_worker_held(connection, accepted_item, woken):
    engine.claim(connection, adapter_loading.manifest_of(connection))
    assert lease_recovery.tick(period=-1)
    assert woken == []
    steps.let_pass(81)
    assert lease_recovery.tick(period=-1)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.UNCERTAIN
    assert woken == [connection.pk]


def test_waits_double_up_to_a_quarter_of_an_hour():
    assert [backoff.back_off(tries, chance=1) for tries in (1, 2, 3, 20, 2000)] == [
        10,
        20,
        40,
        900,
        900,
    ]
    assert 0 <= backoff.back_off(3) <= 40


def test_breaker_opens_after_five_failures_and_rests_longer_each_time():
    assert [circuit_breaker.breaker_wait(failures) for failures in (0, 4, 5, 6, 9, 10, 5000)] == [
        None,
        None,
        30,
        60,
        480,
        900,
        900,
    ]


def test_an_expired_lease_locks_its_own_connection_only(connection, accepted_item, account):
    ConnectionFactory.create(account=account)
    assert engine.claim(connection, manifest_of(connection))
    steps.let_pass(200)
    with CaptureQueriesContext(database) as asked:
        assert lease_recovery.expire_leases() == 1
    locks = [sql["sql"] for sql in asked if 'FROM "erp_integrations_connection"' in sql["sql"]]
    assert f'"id" = {connection.pk}' in locks[0]


def test_leases_expire_connection_by_connection(connection, accepted_item, account):
    other = ItemFactory.create(
        account=account, state=State.SENDING, lease_until=ago(1), intent=uuid.uuid4()
    )
    Item.objects.filter(pk=accepted_item.pk).update(state=State.SENDING, lease_until=ago(1))
    assert lease_recovery._expire_leases(connection.pk) == 1
    other.refresh_from_db()
    assert other.state == State.SENDING
    assert lease_recovery.expire_leases() == 1


def test_a_record_type_that_the_adapter_no_longer_knows_goes_alone(connection):
    manifest = manifest_of(connection)
    unknown = Item(entity="commitment", attempts=0)
    assert rate_limit._batch(manifest, connection, unknown) == 1
    assert (
        rate_limit._batch(
            manifest, connection, Item(entity="vendor", operation="create", attempts=0)
        )
        == 20
    )
