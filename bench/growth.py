"""Growth: a new item while other connections drain long queues, and more worker processes.

The queues are copies of one accepted item. The new items belong to a connection of their own, as
after a click in an account that has nothing else to export.
"""

from __future__ import annotations

import time
from statistics import quantiles

from bench import ground, programs
from bench.backlog import queue
from bench.ground import Ground
from bench.measure import Result
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State

CONNECTIONS = (1, 10, 100)
QUEUED = 10_000
CLICKS = 20
WORKERS = (1, 2, 4, 8)
SECONDS = 10.0
LONGEST = 120.0


def fairness(
    connections: tuple[int, ...] = CONNECTIONS, queued: int = QUEUED, clicks: int = CLICKS
) -> Result:
    """The slowest of twenty clicks until Synced, beside connections that drain."""
    cases = {f"{count} connections, {queued:,} items each": count for count in (0, *connections)}
    with programs.workers():
        figures = {case: _slow_click(count, queued, clicks) for case, count in cases.items()}
    alone, *_between, last = cases
    return Result(
        name="fairness",
        what="From a click to Synced, p95, two workers",
        baseline=alone,
        measured=last,
        figures=figures,
    )


def scaling(workers: tuple[int, ...] = WORKERS, queued: int = QUEUED) -> Result:
    """What more worker processes export in a second, with a connection for each of the most."""
    most = max(workers)
    figures = {f"{count} worker processes": _rate(count, most, queued) for count in workers}
    return Result(
        name="scaling",
        what="Items exported in a second by more worker processes",
        baseline=f"{workers[0]} worker processes",
        measured=f"{workers[-1]} worker processes",
        figures=figures,
        unit="/s",
    )


def _queues(count: int, queued: int) -> list[tuple[Ground, Connection]]:
    """Connections with long queues, paused."""
    places = []
    for _ in range(count):
        place = ground.ground()
        connection = ground.connect(place)
        (accepted,) = ground.send_and_accept(place, ground.add_companies(place, 1))
        connection_services.pause(connection, by=place.ada.user, reason="Until all are queued")
        queue(accepted, queued)
        places.append((place, connection))
    ground.analyze()
    return places


def _slow_click(count: int, queued: int, clicks: int) -> float:
    clicked, places = ground.ground(), _queues(count, queued)
    connection = ground.connect(clicked)
    for place, busy in places:
        connection_services.resume(busy, by=place.ada.user)
    seconds = [_click(clicked, connection) for _ in range(clicks)]
    _stop(places)
    return quantiles(seconds, n=20)[-1] if clicks > 1 else seconds[0]


def _click(place: Ground, connection: Connection) -> float:
    ids = ground.add_companies(place, 1)
    decided = ground.send_all(place, ids)
    started = time.perf_counter()
    ground.accept(place, decided)
    until = started + LONGEST
    while connection.items.exclude(state=State.SYNCED).exists():
        if time.perf_counter() > until:
            raise RuntimeError(f"A new item was not exported within {LONGEST:g} s.")
        time.sleep(0.01)
    return time.perf_counter() - started


def _rate(count: int, connections: int, queued: int) -> float:
    places = _queues(connections, queued)
    synced = Item.objects.filter(connection__in=[busy for _place, busy in places])
    synced = synced.filter(state=State.SYNCED)
    with programs.workers(count):
        for place, busy in places:
            connection_services.resume(busy, by=place.ada.user)
        started, done = time.perf_counter(), 0
        while done < len(places) * queued and time.perf_counter() < started + SECONDS:
            time.sleep(0.05)
            done = synced.count()
        seconds = time.perf_counter() - started
        _stop(places)
    if not done:
        raise RuntimeError("No item was exported.")
    return done / seconds


def _stop(places: list[tuple[Ground, Connection]]) -> None:
    for place, busy in places:
        connection_services.pause(busy, by=place.ada.user, reason="Measured")
