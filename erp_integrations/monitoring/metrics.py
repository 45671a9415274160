"""Export health as metrics and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from erp_integrations.adapters.base import Delivery
from erp_integrations.monitoring.health import (
    MOST_COUNTED,
    ConnectionHealth,
    ConnectionState,
    Snapshot,
)
from erpbridge.db import busy

# Delivery -> who takes the next step with an item, if that is not a worker.
LEFT_TO: Mapping[str, str] = {Delivery.POLLED: "erp", Delivery.FILE: "person"}
Sample = tuple[dict[str, object], float]


def metrics(snapshot: Snapshot) -> Iterator[tuple[str, str, list[Sample]]]:
    """Yield name, text and samples of every metric; gauges, counted when they are requested."""
    labeled = [(_labels(health), health) for health in snapshot.connections]
    counts = [
        ({**labels, "state": str(state)}, float(n))
        for labels, health in labeled
        for state, n in health.counts.items()
    ]
    attempts = [
        # Prometheus does not tell an empty label from a missing one.
        ({**labels, "outcome": outcome, "class": cls or "none"}, float(n))
        for labels, health in labeled
        for (outcome, cls), n in sorted(health.attempts.items())
    ]
    yield "items", f"Items per state, counted up to {MOST_COUNTED}.", counts
    yield (
        "oldest_item_age_seconds",
        "Since the oldest item was accepted that waits for a worker, or for the answer to it.",
        [(labels, health.oldest_age) for labels, health in labeled],
    )
    yield (
        "left_to_others",
        "Accepted items that wait for the asking ERP, or for a person who imports files.",
        [(labels, float(health.left)) for labels, health in labeled],
    )
    yield (
        "oldest_left_age_seconds",
        "Since the oldest of these was accepted.",
        [(labels, health.oldest_left_age) for labels, health in labeled],
    )
    yield "attempts_last_hour", "Attempts that began in the last hour.", attempts
    yield (
        "breaker_open",
        "1 while the connection rests after failures in a row.",
        [(labels, float(health.resting)) for labels, health in labeled],
    )
    yield (
        "breaker_failures",
        "Calls of the connection that failed in a row.",
        [(labels, float(health.connection.breaker_failures)) for labels, health in labeled],
    )
    yield (
        "connection_paused",
        "1 while paused: by a person, a refused login or the set-up.",
        _paused(labeled),
    )
    yield "workers", "Processes that export, seen in the last minute.", _one(len(snapshot.workers))
    yield (
        "transactions_in_conflict",
        "Transactions of the last day that the database rolled back because of a conflict.",
        [({"then": kind}, float(n)) for kind, n in busy.counted().items()],
    )
    # Left out rather than 0, which would look like a tick just now.
    if snapshot.tick_age is not None:
        yield (
            "tick_age_seconds",
            "Since a worker last checked for due work.",
            _one(snapshot.tick_age),
        )


def _one(value: float) -> list[Sample]:
    return [({}, float(value))]


def _paused(labeled: Iterable[tuple[dict[str, object], ConnectionHealth]]) -> list[Sample]:
    return [
        ({**labels, "by": by}, float(health.state == state))
        for labels, health in labeled
        for by, state in (
            ("person", ConnectionState.PAUSED),
            ("login", ConnectionState.LOGIN_REFUSED),
            ("setup", ConnectionState.SET_UP_WRONG),
        )
    ]


def _labels(health: ConnectionHealth) -> dict[str, object]:
    """Labels of a connection: ids instead of names, because names are the customers' data."""
    connection = health.connection
    return {
        "account": connection.account_id,
        "connection": connection.pk,
        "adapter": connection.adapter,
    }


def as_json(snapshot: Snapshot) -> dict[str, object]:
    """The snapshot as JSON, with the list of workers."""
    return {
        "status": "degraded" if snapshot.problems else "ok",
        "problems": snapshot.problems,
        "at": snapshot.at.wall.isoformat(),
        "tick_age_seconds": snapshot.tick_age,
        "workers": [
            {
                "name": worker.name,
                "host": worker.host,
                "pid": worker.pid,
                "started_at": worker.started_at.isoformat(),
                "seen_at": worker.seen_at.isoformat(),
            }
            for worker in snapshot.workers
        ],
        "connections": [_connection(health) for health in snapshot.connections],
    }


def _connection(health: ConnectionHealth) -> dict[str, object]:
    until, asked_at = health.rests_until, health.connection.asked_at
    attempts = [
        {"outcome": outcome, "class": cls, "count": n}
        for (outcome, cls), n in sorted(health.attempts.items())
    ]
    return {
        **_labels(health),
        "state": health.state,
        "items": {str(state): n for state, n in health.counts.items()},
        "delivery": health.delivery,
        "queue": health.queue,
        "oldest_age_seconds": health.oldest_age,
        "left_to": LEFT_TO.get(health.delivery, ""),
        "left_to_others": health.left,
        "oldest_left_age_seconds": health.oldest_left_age,
        "asked_at": asked_at.isoformat() if asked_at else None,
        "attempts_last_hour": attempts,
        "failure_rate_last_hour": health.failure_rate,
        "breaker_failures": health.connection.breaker_failures,
        "breaker_until": until.isoformat() if until else None,
    }
