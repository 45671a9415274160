"""A worker of ours that also knows a task that does nothing: ``celery -A bench.noop worker``."""

from __future__ import annotations

from erpbridge.celery import app

QUEUE = "bench-noop"


@app.task(name="bench.noop", queue=QUEUE)
def noop() -> None:
    """What a task costs before it does anything."""
