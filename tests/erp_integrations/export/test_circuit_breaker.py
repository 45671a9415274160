"""What the result of a call does to its connection: go on, slow down, pause or wait for a login."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from erp_integrations.adapters.base import Effect, ErpError, ErrorClass, Health
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.clock import after, now
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.export import circuit_breaker
from erp_integrations.export import circuit_breaker as export_circuit_breaker
from erp_integrations.export.circuit_breaker import PROBE, THROTTLE_WAIT, record_results
from erp_integrations.export.claim import claim
from erp_integrations.models import Connection, Halt
from erpbridge.clock.measured import STEP
from tests.erp_integrations import steps
from tests.factories import ConnectionFactory

SAYS_SOMETHING = {
    ErrorClass.TRANSIENT,
    ErrorClass.THROTTLED,
    ErrorClass.AUTH_EXPIRED,
    ErrorClass.SETUP,
}


def error(cls: ErrorClass, retry_after: float | None = None) -> ErpError:
    return ErpError(cls, Effect.NOT_APPLIED, "No.", retry_after=retry_after)


DOWN, THROTTLED = error(ErrorClass.TRANSIENT), error(ErrorClass.THROTTLED)
REFUSED = error(ErrorClass.AUTH_EXPIRED)


def rest(connection: Connection) -> tuple[int, float | None, float | None]:
    """Failures in a row, and for how long the breaker and the ERP's rate limit block all calls."""
    connection.refresh_from_db()
    began = now()
    until = [
        None if moment is None else (moment - began).total_seconds()
        for moment in (connection.breaker_until, connection.next_slot_at)
    ]
    return connection.breaker_failures, until[0], until[1]


@pytest.mark.parametrize(
    ("cls", "cause"),
    [(ErrorClass.AUTH_EXPIRED, Halt.LOGIN), (ErrorClass.SETUP, Halt.SETUP)],
)
def test_what_no_call_can_succeed_after_is_tried_again_only_after_a_minute(
    connection, accepted_item, monkeypatch, cls, cause
):
    tried = []

    def check(self):
        tried.append(now())
        return Health(("Log in again.",))

    monkeypatch.setattr(SimulatorAdapter, "check", check)
    record_results(connection, [error(cls)])
    assert rest(connection) == (0, PROBE, None)
    assert connection.halted_for == cause
    for passed, tries in [(0, 0), (PROBE - 1, 0), (1, 1), (PROBE - 1, 1), (1, 2)]:
        if passed:
            steps.let_pass(passed - STEP)
        steps.export(connection)
        assert len(tried) == tries


@pytest.mark.parametrize(("asked", "wait"), [(None, THROTTLE_WAIT), (0, THROTTLE_WAIT), (40, 40)])
def test_erp_that_asks_for_patience_gets_it_for_every_item(connection, accepted_item, asked, wait):
    record_results(connection, [error(ErrorClass.THROTTLED, asked)])
    # Late by a step of the clock at most, and never early.
    assert rest(connection) == (0, None, wait + STEP)
    manifest = adapter_loading.manifest_of(connection)
    assert claim(connection, manifest) == []
    steps.let_pass(wait)
    assert len(claim(connection, manifest)) == 1


def test_calls_that_fail_in_a_row_are_counted_and_rest_longer_each_time(connection):
    waits = []
    for failures in range(1, 8):
        record_results(connection, [DOWN, DOWN])
        count, wait, _slot = rest(connection)
        assert count == failures
        waits.append(wait)
    assert waits == [export_circuit_breaker.breaker_wait(failures) for failures in range(1, 8)]
    assert waits[3:6] == [None, 30, 60]


@pytest.mark.parametrize("answers", [[], [None], [DOWN, None], [error(ErrorClass.INVALID)]])
def test_whatever_was_answered_ends_the_row(connection, answers):
    Connection.objects.update(breaker_failures=7, breaker_until=after(30))
    record_results(connection, answers)
    assert rest(connection) == (0, None, None)


@pytest.mark.parametrize("cls", sorted(set(ErrorClass) - SAYS_SOMETHING))
def test_error_about_a_record_says_nothing_against_the_connection(connection, cls):
    record_results(connection, [error(cls)])
    assert rest(connection) == (0, None, None)
    assert connection.paused_at is None


@pytest.mark.parametrize("answers", [[None, DOWN, THROTTLED, REFUSED], [REFUSED, THROTTLED, None]])
def test_one_refused_login_counts_more_than_all_other_answers(connection, answers):
    record_results(connection, answers)
    assert connection.breaker_failures == 0
    assert rest(connection) == (0, PROBE, None)


def test_one_that_asks_for_patience_counts_more_than_answers_and_failures(connection):
    record_results(connection, [None, THROTTLED, DOWN])
    assert rest(connection) == (0, None, THROTTLE_WAIT + STEP)


def test_late_success_of_another_call_brings_no_login_probe_forward(connection):
    record_results(connection, [REFUSED])
    record_results(connection, [None])
    assert rest(connection) == (0, PROBE, None)


@pytest.mark.parametrize(
    ("paused", "until", "resting"),
    [(False, None, False), (False, -1, False), (False, 5, True), (True, None, True)],
)
def test_connection_rests_while_it_is_paused_or_its_breaker_is_open(
    connection, ada, paused, until, resting
):
    if paused:
        connection_services.pause(connection, by=ada, reason="Year-end closing")
    Connection.objects.update(breaker_until=None if until is None else after(until))
    ConnectionFactory.create(account=connection.account, paused_at=None if resting else Now())
    assert circuit_breaker.is_resting(connection) is resting


def test_only_one_process_probes_a_login_at_a_time(connection, monkeypatch):
    record_results(connection, [REFUSED])
    steps.let_pass(PROBE)
    adapter = adapter_loading.adapter_of(connection)
    tried = []

    def check(self):
        tried.append(1)
        circuit_breaker.probe(connection, adapter)
        return Health(("Log in again.",))

    monkeypatch.setattr(SimulatorAdapter, "check", check)
    circuit_breaker.probe(connection, adapter)
    assert tried == [1]


def test_what_is_not_paused_for_its_login_is_not_probed(connection, ada, monkeypatch):
    monkeypatch.setattr(SimulatorAdapter, "check", lambda self: pytest.fail("It was asked."))
    connection_services.pause(connection, by=ada, reason="Year-end closing")
    other = ConnectionFactory.create(account=connection.account)
    connection_services.halt(other, Halt.LOGIN, message="Log in again.")
    circuit_breaker.probe(connection, adapter_loading.adapter_of(connection))
    assert rest(connection) == (0, None, None)


def test_other_connections_are_left_alone(connection, account):
    other = ConnectionFactory.create(account=account)
    for result in (DOWN, THROTTLED, REFUSED):
        record_results(connection, [result])
    other.refresh_from_db()
    assert (other.breaker_failures, other.breaker_until, other.next_slot_at) == (0, None, None)
    assert other.paused_at is None
