"""The database's clock is set an hour ahead, or back, while items are being exported.

Decisions by time may only be slightly late: nothing expires sooner, and nothing waits an hour.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from erp_integrations.adapters.base import Found
from erp_integrations.clock import moment
from erp_integrations.connections import refresh, wait_reasons
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import circuit_breaker, due, lease_recovery, uncertain_lookup
from erp_integrations.export.claim import lease
from erp_integrations.models import Connection, ErpRecord, Worker
from erp_integrations.models.states import State
from erp_integrations.monitoring import health, heartbeat
from erp_integrations.workflow.links import link_existing
from erpbridge.jobs.models import Job
from tests.erp_integrations import steps
from tests.wall_clock import jump

HOUR = 3_600


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "back"])
def jumping(request) -> int:
    return request.param


def throttle(connection: Connection) -> None:
    steps.break_erp(connection, "throttle")
    steps.export(connection)


def fail(connection: Connection) -> None:
    steps.break_erp(connection, "down")
    steps.export(connection)


def rest(connection: Connection) -> None:
    Connection.objects.update(breaker_failures=6)
    fail(connection)


def lose_the_worker(connection: Connection) -> None:
    steps.claim(connection, manifest_of(connection))


def hear_nothing(connection: Connection) -> None:
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)


@pytest.mark.parametrize("happen", [throttle, fail, rest, lose_the_worker, hear_nothing])
def test_item_that_waits_is_neither_sent_sooner_nor_kept_waiting(
    connection, accepted_item, happen, jumping
):
    happen(connection)
    manifest = manifest_of(connection)
    with jump(jumping):
        lease_recovery.expire_leases()
        steps.export(connection)
        assert steps.ledger_of(connection).effects() == []
        # Minutes, and not an hour.
        for _ in range(4):
            steps.let_pass(lease(manifest) + manifest.settles_within)
            lease_recovery.expire_leases()
            steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.SYNCED
    assert len(steps.ledger_of(connection).effects()) == 1


def test_create_that_hangs_keeps_its_lease_however_late_the_clock_says_it_is(
    connection, accepted_item
):
    (claim,) = steps.claim(connection, manifest_of(connection))
    with jump(HOUR):
        assert lease_recovery.expire_leases() == 0
        assert not uncertain_lookup.has_settled(claim.item, manifest_of(connection))
    steps.let_pass(lease(manifest_of(connection)))
    assert lease_recovery.expire_leases() == 1


def test_create_without_an_answer_is_ours_though_the_clock_went_back_since_it_was_accepted(
    connection, accepted_item
):
    with jump(-HOUR):
        steps.break_erp(connection, "timeout_after")
        steps.export(connection)
        steps.let_pass(60)
        steps.export(connection)
    accepted_item.refresh_from_db()
    assert (accepted_item.state, accepted_item.attempts) == (State.SYNCED, 1)


def test_a_retry_is_another_decision_though_the_clock_went_back_since(
    connection, accepted_item, pat, access_of
):
    steps.break_erp(connection, "refuse")
    steps.export(connection)
    assert accepted_item.tries.since_decided().count() == 1
    accepted_item.refresh_from_db()
    with jump(-HOUR):
        assert steps.retry(accepted_item, access_of(pat)).done == 1
    assert accepted_item.tries.since_decided().count() == 0


def test_a_dead_workers_job_is_taken_up_after_its_lease(account, ada, jumping):
    until = moment().reading + timedelta(seconds=60)
    place = {"account": account, "by": ada, "kind": "any", "subject": "any", "back": "/"}
    job = Job.objects.create(**place, state="running", lease_until=until)
    with jump(jumping):
        assert list(Job.objects.due()) == []
        steps.let_pass(60)
        assert list(Job.objects.due()) == [job]


def test_a_locked_connection_answers_after_its_wait(connection, jumping):
    Connection.objects.update(inbound_locked_until=moment().reading + timedelta(minutes=10))
    with jump(jumping):
        assert [status.state for status in health.snapshot().connections] == ["wrong passwords"]
        steps.let_pass(600)
        assert [status.state for status in health.snapshot().connections] == ["working"]


def test_ticks_go_on(connection, jumping):
    assert lease_recovery.tick()
    with jump(jumping):
        assert not lease_recovery.tick()
        steps.let_pass(lease_recovery.PERIOD)
        assert lease_recovery.tick()
        assert abs(health.tick_age() or 0.0) < 5


def test_ready_says_so_while_the_last_tick_is_from_the_future(client, connection):
    lease_recovery.tick()
    with jump(-HOUR):
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["tick"].startswith("the last check for due work is dated 3")
        assert answer.json()["tick"].endswith(" seconds from now")
        steps.let_pass(lease_recovery.PERIOD)
        lease_recovery.tick()
        assert client.get("/readyz").json()["tick"] == "ok"


def test_worker_from_the_future_counts_once_it_says_that_it_is_there(connection):
    heartbeat.started()
    with jump(-HOUR):
        assert health.snapshot().workers == []
        heartbeat.alive()
        assert health.snapshot().workers == list(Worker.objects.all())


def test_the_next_try_is_shown_by_the_clock_on_the_wall(connection, accepted_item, jumping):
    until = moment().reading + timedelta(minutes=3)
    Connection.objects.update(breaker_failures=7, breaker_until=until)
    with jump(jumping):
        wait = wait_reasons.of_connection(Connection.objects.get())
        assert wait is not None
        assert wait.next_try_at is not None
        left = wait.next_try_at - moment().wall
        assert timedelta(minutes=2) < left < timedelta(minutes=4)
        assert circuit_breaker.is_resting(connection)
        assert due.due_connections() == []


def test_what_a_fetch_tells_is_kept_and_what_the_next_does_not_is_forgotten(connection):
    erp_records = (Found("V9", "V9", "", {}),)
    page = refresh.FetchedPage(connection.pk, "vendor", erp_records, "", connection.config)
    first = link_existing.begin_fetch(connection.account_id, "vendor")
    with jump(-HOUR):
        refresh.keep_page(page)
        refresh.end_fetch(page, fetch=first.fetch)
    assert ErpRecord.objects.filter(erp_id="V9").exists()
    second = link_existing.begin_fetch(connection.account_id, "vendor")
    refresh.end_fetch(page, fetch=second.fetch)
    assert not ErpRecord.objects.filter(erp_id="V9").exists()
