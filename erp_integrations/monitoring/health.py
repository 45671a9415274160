"""Export health, read from the database, so that every process reports the same.

All counts are capped and use an index, so that the cost does not grow with the number of items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.clock import Moment, moment
from erp_integrations.connections import adapter_loading, wait_reasons
from erp_integrations.connections.wait_reasons import Cause, Wait
from erp_integrations.export import due
from erp_integrations.export.lease_recovery import PERIOD
from erp_integrations.models import Attempt, Connection, Item, Ticker, Worker
from erp_integrations.models.states import MOVING, State
from erp_integrations.monitoring import heartbeat

# Cap of every count.
MOST_COUNTED = 100_000
# Seconds: the span of recent attempts; a tick older than LATE is a problem.
RECENT = 3_600.0
LATE = 6 * PERIOD
# Seconds that the last tick may lie in the future: a synchronized clock is set back by less.
FUTURE = 5.0


class ConnectionState(StrEnum):
    """State of a connection, in the words of the metrics and of their JSON."""

    WORKING = "working"
    UNUSABLE = "unusable"
    PAUSED = "paused"
    LOGIN_REFUSED = "login refused"
    SET_UP_WRONG = "set up wrong"
    RESTING = "resting"
    WRONG_PASSWORDS = "wrong passwords"
    TEST_FAILED = "test failed"
    HELD_BACK = "held back"


# Why a connection's items wait -> its state.
STATE_OF: Mapping[str, ConnectionState] = {
    Cause.UNUSABLE: ConnectionState.UNUSABLE,
    Cause.PAUSED: ConnectionState.PAUSED,
    Cause.LOGIN: ConnectionState.LOGIN_REFUSED,
    Cause.SETUP: ConnectionState.SET_UP_WRONG,
    Cause.OUTAGE: ConnectionState.RESTING,
    Cause.WRONG_PASSWORDS: ConnectionState.WRONG_PASSWORDS,
    Cause.TEST_FAILED: ConnectionState.TEST_FAILED,
    Cause.HELD_BACK: ConnectionState.HELD_BACK,
}


class _CappedCount(Subquery):
    """Number of rows of a sliced query."""

    # A plain COUNT would read all rows of a state.
    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS capped)"
    output_field = IntegerField()


@dataclass(frozen=True)
class ConnectionHealth:
    """One connection now: items per state, and the outcomes of its attempts in the last hour.

    ``delivery`` is empty if the adapter cannot be used. In the states of ``elsewhere`` an item
    waits for the polling ERP or for a user who imports files, not for a worker.
    """

    connection: Connection
    at: Moment
    counts: dict[str, int]
    oldest: Mapping[str, datetime | None]
    delivery: str = ""
    elsewhere: frozenset[State] = frozenset()
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def queue(self) -> int:
        """Number of accepted items that wait for a worker or for the ERP's answer."""
        return sum(self.counts[state] for state in MOVING - self.elsewhere)

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest item of the queue was accepted; 0 without any."""
        return self._oldest(MOVING - self.elsewhere)

    @property
    def left(self) -> int:
        """Number of accepted items that wait for the polling ERP or for a file import."""
        return sum(self.counts[state] for state in self.elsewhere)

    @property
    def oldest_left_age(self) -> float:
        """Seconds since the oldest of these was accepted; 0 without any."""
        return self._oldest(self.elsewhere)

    def _oldest(self, states: Iterable[State]) -> float:
        first = min(filter(None, (self.oldest[state] for state in states)), default=None)
        # Never negative, even if the clock was set back since.
        return max(0.0, _age(self.at.wall, first) or 0.0)

    @property
    def resting(self) -> bool:
        """Whether the circuit breaker is open."""
        return self.rests_until is not None

    @property
    def rests_until(self) -> datetime | None:
        """Until when the circuit breaker is open; None if it is closed."""
        return self.at.ahead(self.connection.breaker_until)

    @cached_property
    def wait(self) -> Wait | None:
        """Why its items wait, and until when; None if they do not."""
        return wait_reasons.of_connection(self.connection, at=self.at)

    @property
    def state(self) -> ConnectionState:
        """State of the connection."""
        return STATE_OF[self.wait.cause] if self.wait else ConnectionState.WORKING

    @property
    def finished(self) -> int:
        """Number of finished attempts of the last hour."""
        return sum(
            n for (outcome, _cls), n in self.attempts.items() if outcome != Attempt.Outcome.OPEN
        )

    @property
    def failed(self) -> int:
        """Number of finished attempts that were not applied."""
        return self.finished - sum(
            n for (outcome, _cls), n in self.attempts.items() if outcome == Attempt.Outcome.APPLIED
        )

    @property
    def failure_rate(self) -> float | None:
        """Share of failed attempts, 0 to 1; None without finished attempts."""
        return self.failed / self.finished if self.finished else None


@dataclass(frozen=True)
class Snapshot:
    """Health of the connections, the tick and the workers at one moment."""

    at: Moment
    connections: list[ConnectionHealth]
    tick_age: float | None
    workers: list[Worker]

    @property
    def problems(self) -> list[str]:
        """Problems that an operator should look at, one sentence each."""
        late = tick_problem(self.tick_age)
        problems = [f"The engine's tick: {late}."] if late else []
        if not self.workers:
            problems.append("No worker has been seen in the last minute.")
        # A connection at its rate limit works as it should.
        problems += [
            f"Connection {health.connection.pk}: {health.state}."
            for health in self.connections
            if health.state not in (ConnectionState.WORKING, ConnectionState.HELD_BACK)
        ]
        return problems


def snapshot(*, account_id: int | None = None) -> Snapshot:
    """The current health of one account's connections, or of all."""
    at = moment()
    rows = Connection.objects.all()
    if account_id is not None:
        rows = rows.filter(account=account_id)
    attempts = _recent_attempts(account_id, at.wall)
    connections = [
        ConnectionHealth(
            connection=row,
            at=at,
            counts={state: getattr(row, f"n_{state}") for state in State},
            oldest={state: getattr(row, f"oldest_{state}") for state in MOVING},
            attempts=attempts.get(row.pk, Counter()),
            **_delivery(row),
        )
        for row in _counted(rows)
    ]
    return Snapshot(at, connections, tick_age(), heartbeat.seen_lately(at.wall))


def _delivery(connection: Connection) -> dict[str, Any]:
    """``delivery`` and ``elsewhere`` of :class:`ConnectionHealth`."""
    try:
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable:
        return {}
    return {"delivery": manifest.delivery, "elsewhere": due.left_to_others(manifest)}


def _counted(rows: QuerySet[Connection]) -> QuerySet[Connection]:
    items = Item.objects.filter(connection=OuterRef("pk")).order_by()
    counts = {
        f"n_{state}": _CappedCount(items.filter(state=state).values("pk")[:MOST_COUNTED])
        for state in State
    }
    # One subquery per state, so that each reads only the first entry of an index.
    oldest = {
        f"oldest_{state}": Subquery(
            items.filter(state=state).order_by("decided_at").values("decided_at")[:1]
        )
        for state in MOVING
    }
    return rows.annotate(**counts, **oldest).order_by("pk")


def _recent_attempts(account_id: int | None, wall: datetime) -> dict[int, Counter[tuple[str, str]]]:
    """Connection id -> (outcome, error class) -> number of attempts begun in the last hour."""
    # The index of ``opened_at`` serves this query.
    recent = Attempt.objects.filter(opened_at__gte=wall - timedelta(seconds=RECENT))
    if account_id is not None:
        recent = recent.filter(item__account=account_id)
    counts: dict[int, Counter[tuple[str, str]]] = {}
    grouped = recent.values("item__connection", "outcome", "error_class").annotate(n=Count("pk"))
    for row in grouped.order_by():
        counter = counts.setdefault(row["item__connection"], Counter())
        counter[row["outcome"], row["error_class"]] = row["n"]
    return counts


def _age(at: datetime, since: datetime | None) -> float | None:
    return None if since is None else round((at - since).total_seconds(), 1)


def tick_age() -> float | None:
    """Seconds since the last tick of any process; None if there was none.

    By the wall clock, because the measured clock advances only with the tick. Negative if the
    database's clock has been set back since.
    """
    for ran_at, wall in Ticker.objects.values_list("ran_at", Now()):
        return _age(wall, ran_at)
    return None


def tick_problem(age: float | None) -> str | None:
    """Why exports may be late, if the last tick is too old or in the future; None if not."""
    if age is None:
        return "no worker has ever checked for due work"
    if age < -FUTURE:
        return f"the last check for due work is dated {-age:.0f} seconds from now"
    return f"no worker has checked for due work for {age:.0f} seconds" if age > LATE else None
