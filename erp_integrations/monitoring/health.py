"""How the export is doing, read from the database: the same whichever process is asked.

No count goes further than a cap, and each is answered by an index, so that looking costs the same
with a hundred items as with a million.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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

# Counting goes no further; whoever reads metrics wants to know of a backlog's size.
MOST_COUNTED = 100_000
RECENT = 3_600.0
LATE = 6 * PERIOD
# A clock that is kept right is set back by less.
FUTURE = 5.0
# What programs read of why a connection's items wait.
STATE_WORDS: Mapping[str, str] = {
    Cause.UNUSABLE: "unusable",
    Cause.PAUSED: "paused",
    Cause.LOGIN: "login refused",
    Cause.SETUP: "set up wrong",
    Cause.OUTAGE: "resting",
    Cause.WRONG_PASSWORDS: "wrong passwords",
    Cause.TEST_FAILED: "test failed",
    Cause.HELD_BACK: "held back",
}


class _CappedCount(Subquery):
    """How many rows a sliced query has."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS capped)"
    output_field = IntegerField()


@dataclass(frozen=True)
class ConnectionHealth:
    """One connection now: items per state, and what its attempts of the last hour came to.

    ``delivery`` is empty where the adapter cannot be used; ``elsewhere`` are the states in which
    no worker of ours is waited for, but the ERP that asks or a person who imports files.
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
        """Accepted items that wait for a worker, or for the answer to it."""
        return sum(self.counts[state] for state in MOVING - self.elsewhere)

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest of them was accepted, 0 without any."""
        return self._oldest(MOVING - self.elsewhere)

    @property
    def left(self) -> int:
        """Accepted items that wait for the ERP to ask, or for a person and a file."""
        return sum(self.counts[state] for state in self.elsewhere)

    @property
    def oldest_left_age(self) -> float:
        """Seconds since the oldest of these was accepted, 0 without any."""
        return self._oldest(self.elsewhere)

    def _oldest(self, states: Iterable[State]) -> float:
        first = min(filter(None, (self.oldest[state] for state in states)), default=None)
        return max(0.0, _age(self.at.wall, first) or 0.0)

    @property
    def resting(self) -> bool:
        """The breaker is open: the ERP failed too often in a row."""
        return self.rests_until is not None

    @property
    def rests_until(self) -> datetime | None:
        """Until when; None while it is open to calls."""
        return self.at.ahead(self.connection.breaker_until)

    @cached_property
    def wait(self) -> Wait | None:
        """Why its items wait, and until when; None while they go their way."""
        return wait_reasons.of_connection(self.connection, at=self.at)

    @property
    def state(self) -> str:
        """One word for what the connection does."""
        return STATE_WORDS[self.wait.cause] if self.wait else "working"

    @property
    def finished(self) -> int:
        """Attempts of the last hour that are over."""
        return sum(n for (outcome, _cls), n in self.attempts.items() if outcome != "open")

    @property
    def failed(self) -> int:
        """Those of them that did not put anything into the ERP."""
        return self.finished - sum(
            n for (outcome, _cls), n in self.attempts.items() if outcome == Attempt.Outcome.APPLIED
        )

    @property
    def failure_rate(self) -> float | None:
        """Their share; None where there were none."""
        return self.failed / self.finished if self.finished else None


@dataclass(frozen=True)
class Snapshot:
    """Connections, the ticker and the workers at one moment."""

    at: Moment
    connections: list[ConnectionHealth]
    tick_age: float | None
    workers: list[Worker]

    @property
    def problems(self) -> list[str]:
        """What somebody should look at, in words."""
        found = [f"The engine's tick: {late}." for late in [tick_problem(self.tick_age)] if late]
        if not self.workers:
            found.append("No worker has been seen in the last minute.")
        found += [
            f"Connection {one.connection.pk}: {one.state}."
            for one in self.connections
            if one.state not in ("working", "held back")
        ]
        return found


def snapshot(*, account_id: int | None = None) -> Snapshot:
    """How it is now, of one account's connections or of all."""
    at = moment()
    rows = Connection.objects.all() if account_id is None else _of(account_id)
    attempts = _recent_attempts(account_id, at.wall)
    found = [
        ConnectionHealth(
            connection=one,
            at=at,
            counts={state: getattr(one, f"n_{state}") for state in State},
            oldest={state: getattr(one, f"oldest_{state}") for state in MOVING},
            attempts=attempts.get(one.pk, Counter()),
            **_travel(one),
        )
        for one in _counted(rows)
    ]
    return Snapshot(at, found, tick_age(), heartbeat.seen_lately(at.wall))


def _travel(connection: Connection) -> dict[str, Any]:
    """How its items travel, and in which states they do not wait for a worker."""
    try:
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable:
        return {}
    return {"delivery": manifest.delivery, "elsewhere": due.left_to_others(manifest)}


def _of(account_id: int) -> QuerySet[Connection]:
    return Connection.objects.filter(account=account_id)


def _counted(rows: QuerySet[Connection]) -> QuerySet[Any]:
    items = Item.objects.filter(connection=OuterRef("pk")).order_by()
    counts = {
        f"n_{state}": _CappedCount(items.filter(state=state).values("pk")[:MOST_COUNTED])
        for state in State
    }
    # State by state, each the first entry of an index.
    oldest = {
        f"oldest_{state}": Subquery(
            items.filter(state=state).order_by("decided_at").values("decided_at")[:1]
        )
        for state in MOVING
    }
    return rows.annotate(**counts, **oldest).order_by("pk")


def _recent_attempts(account_id: int | None, wall: datetime) -> dict[int, Counter[tuple[str, str]]]:
    """Connection -> (outcome, error class) -> how many attempts began within the last hour."""
    recent = Attempt.objects.filter(opened_at__gte=wall - timedelta(seconds=RECENT))
    if account_id is not None:
        recent = recent.filter(item__account=account_id)
    found: dict[int, Counter[tuple[str, str]]] = {}
    grouped = recent.values("item__connection", "outcome", "error_class").annotate(n=Count("pk"))
    for row in grouped.order_by():
        one = found.setdefault(row["item__connection"], Counter())
        one[row["outcome"], row["error_class"]] = row["n"]
    return found


def _age(at: datetime, since: datetime | None) -> float | None:
    return None if since is None else round((at - since).total_seconds(), 1)


def tick_age() -> float | None:
    """Seconds since any process looked for what is due; None if none ever did.

    By the wall clock: the measured one stands still while nobody looks. Less than nothing where the
    database's clock has been set back since.
    """
    for ran_at, wall in Ticker.objects.values_list("ran_at", Now()):
        return _age(wall, ran_at)
    return None


def tick_problem(age: float | None) -> str:
    """Why exports may be late, empty where somebody ticks."""
    if age is None:
        return "no worker has ever looked for what is due"
    if age < -FUTURE:
        return f"the last look for what is due is dated {-age:.0f} seconds from now"
    return f"nobody has looked for what is due for {age:.0f} seconds" if age > LATE else ""
