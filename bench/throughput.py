"""From accepted to synced through real workers, against bare no-op tasks through the same ones.

Two worker processes on PostgreSQL and Redis export into simulators without latency; there are two
connections, for one worker at a time works for a connection. The broker, the workers and their
settings are the same for the no-op tasks, of which there are as many as items. What is counted
begins when everything waits: published, or accepted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from django.conf import settings

from bench import ground, programs
from bench.ground import Ground
from bench.measure import Aim, Result, clock, medians
from bench.noop import QUEUE, noop
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erpbridge.celery import app

SIZE = 1_000
# So many fewer items are exported one by one, for that takes as much longer.
FEWER = 5
LONGEST = 120.0
LOOK_EVERY = 0.01


def run(size: int = SIZE) -> Result:
    """Time ``size`` items in batches, fewer one by one, and no-op tasks."""
    lines = [(place, ground.connect(place)) for place in (ground.ground(), ground.ground())]
    baseline, batches, single = "no-op tasks", "items, in batches", "items, one at a time"
    with programs.workers():
        seconds = medians(
            {
                baseline: lambda: _noops(size),
                batches: lambda: _export(lines, size, at_once=None),
                single: lambda: FEWER * _export(lines, size // FEWER, at_once=1),
            }
        )
    return Result(
        name="throughput",
        what=f"{size:,} accepted items exported by two workers",
        baseline=baseline,
        measured=batches,
        figures={case: size / value for case, value in seconds.items()},
        unit="/s",
        aims={batches: Aim(least=3), single: Aim(least=0.5)},
    )


def _noops(size: int) -> float:
    broker = redis.Redis.from_url(settings.REDIS_URL)
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(size):
            noop.apply_async(producer=producer)

    def until_done() -> None:
        app.control.add_consumer(QUEUE)
        _wait(lambda: not broker.llen(QUEUE) and not broker.hlen("unacked"))

    spent = clock(until_done)
    app.control.cancel_consumer(QUEUE, reply=True, limit=1)
    return spent


def _export(lines: list[tuple[Ground, Connection]], size: int, *, at_once: int | None) -> float:
    ids = [connection.pk for _place, connection in lines]
    Connection.objects.filter(pk__in=ids).update(max_in_flight=at_once)
    for place, connection in lines:
        connection_services.pause(connection, by=place.ada.user, reason="Until all are accepted")
        ground.send_and_accept(place, ground.add_companies(place, size // len(lines)))
    ground.analyze()
    items = Item.objects.filter(connection__in=ids)

    def until_done() -> None:
        for place, connection in lines:
            connection_services.resume(connection, by=place.ada.user)
        _wait(lambda: not items.filter(state=State.QUEUED).exists())
        _wait(lambda: not items.exclude(state=State.SYNCED).exists())

    return clock(until_done)


def _wait(is_done: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST
    while not is_done():
        if time.monotonic() > until:
            raise RuntimeError(f"The workers were not done after {LONGEST:g} s.")
        time.sleep(LOOK_EVERY)
