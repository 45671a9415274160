"""The health of the export for monitoring: Prometheus' text format, and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from erp_integrations.adapters.base import Delivery
from erp_integrations.monitoring.health import MOST_COUNTED, ConnectionHealth, Snapshot
from erpbridge.db import busy

# Delivery -> who takes the next step with an item, where that is no worker of ours.
LEFT_TO: Mapping[str, str] = {Delivery.POLLED: "erp", Delivery.FILE: "person"}
# Who paused a connection, or for what -> its state.
PAUSES = (("person", "paused"), ("login", "login refused"), ("setup", "set up wrong"))
Sample = tuple[dict[str, object], float]


def prometheus(found: Snapshot) -> str:
    """All metrics as gauges: each is counted in the database when it is asked for."""
    return "".join(
        _metric(name, words, samples) for name, words, samples in _metrics(found) if samples
    )


def _metrics(found: Snapshot) -> Iterator[tuple[str, str, list[Sample]]]:
    each = [(_labels(one), one) for one in found.connections]
    counts = [
        ({**labels, "state": str(state)}, float(n))
        for labels, one in each
        for state, n in one.counts.items()
    ]
    attempts = [
        ({**labels, "outcome": outcome, "class": cls or "none"}, float(n))
        for labels, one in each
        for (outcome, cls), n in sorted(one.attempts.items())
    ]
    yield "items", f"Items per state, counted up to {MOST_COUNTED}.", counts
    yield (
        "oldest_item_age_seconds",
        "Since the oldest item was accepted that waits for a worker, or for the answer to it.",
        [(labels, one.oldest_age) for labels, one in each],
    )
    yield (
        "left_to_others",
        "Accepted items that wait for the asking ERP, or for a person who imports files.",
        [(labels, float(one.left)) for labels, one in each],
    )
    yield (
        "oldest_left_age_seconds",
        "Since the oldest of these was accepted.",
        [(labels, one.oldest_left_age) for labels, one in each],
    )
    yield "attempts_last_hour", "Attempts that began in the last hour.", attempts
    yield (
        "breaker_open",
        "1 while the connection rests after failures in a row.",
        [(labels, float(one.resting)) for labels, one in each],
    )
    yield (
        "breaker_failures",
        "Calls of the connection that failed in a row.",
        [(labels, float(one.connection.breaker_failures)) for labels, one in each],
    )
    yield (
        "connection_paused",
        "1 while paused: by a person, a refused login or the set-up.",
        _paused(each),
    )
    yield "workers", "Processes that export, seen in the last minute.", _one(len(found.workers))
    yield (
        "transactions_in_conflict",
        "Transactions of the last day that the database took back for another's sake.",
        [({"then": kind}, float(n)) for kind, n in busy.counted().items()],
    )
    if found.tick_age is not None:
        yield "tick_age_seconds", "Since anybody looked for what is due.", _one(found.tick_age)


def _one(value: float) -> list[Sample]:
    return [({}, float(value))]


def _paused(each: Iterable[tuple[dict[str, object], ConnectionHealth]]) -> list[Sample]:
    return [
        ({**labels, "by": by}, float(one.state == state))
        for labels, one in each
        for by, state in (
            ("person", "paused"),
            ("login", "login refused"),
            ("setup", "set up wrong"),
        )
    ]


def _labels(one: ConnectionHealth) -> dict[str, object]:
    """Numbers only, but for the adapter: names are the customers' own."""
    connection = one.connection
    return {
        "account": connection.account_id,
        "connection": connection.pk,
        "adapter": connection.adapter,
    }


def _metric(name: str, words: str, samples: Iterable[Sample]) -> str:
    full = f"erpbridge_{name}"
    lines = [f"# HELP {full} {words}", f"# TYPE {full} gauge"]
    lines += [f"{full}{_braces(labels)} {value:.10g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _braces(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: object) -> str:
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def as_json(found: Snapshot) -> dict[str, Any]:
    """The same, and who the workers are."""
    return {
        "status": "degraded" if found.problems else "ok",
        "problems": found.problems,
        "at": found.at.wall.isoformat(),
        "tick_age_seconds": found.tick_age,
        "workers": [
            {
                "name": one.name,
                "host": one.host,
                "pid": one.pid,
                "started_at": one.started_at.isoformat(),
                "seen_at": one.seen_at.isoformat(),
            }
            for one in found.workers
        ],
        "connections": [_connection(one) for one in found.connections],
    }


def _connection(one: ConnectionHealth) -> dict[str, Any]:
    until, asked = one.rests_until, one.connection.asked_at
    attempts = [
        {"outcome": outcome, "class": cls, "count": n}
        for (outcome, cls), n in sorted(one.attempts.items())
    ]
    return {
        **_labels(one),
        "state": one.state,
        "items": {str(state): n for state, n in one.counts.items()},
        "delivery": one.delivery,
        "queue": one.queue,
        "oldest_age_seconds": one.oldest_age,
        "left_to": LEFT_TO.get(one.delivery, ""),
        "left_to_others": one.left,
        "oldest_left_age_seconds": one.oldest_left_age,
        "asked_at": asked.isoformat() if asked else None,
        "attempts_last_hour": attempts,
        "failure_rate_last_hour": one.failure_rate,
        "breaker_failures": one.connection.breaker_failures,
        "breaker_until": until.isoformat() if until else None,
    }
