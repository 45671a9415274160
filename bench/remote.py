"""The export engine against ten threads of the adapter alone, into an ERP that is far away.

The simulator answers each call after 200 ms, and takes ten calls at once. Both ways look up each
batch of keys before they submit it, so that what the ERP's limit allows is the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench import ground
from bench.export import drain
from bench.measure import Aim, Result, clock, medians
from erp_integrations.adapters.base import Command
from erp_integrations.connections import adapter_loading
from erp_integrations.models import Connection, Item
from erp_integrations.workflow.payloads.commands import command_of
from erpbridge.db.batches import chunks

SIZE = 2_000
LATENCY_MS = 200
PER_CALL = 20


def run(size: int = SIZE, latency_ms: int = LATENCY_MS) -> Result:
    """Count what arrives in a second, either way."""
    place, elsewhere = ground.ground(), ground.ground()
    connection = ground.connect(place, latency_ms=latency_ms, records_per_call=PER_CALL)
    other = ground.connect(elsewhere, latency_ms=latency_ms, records_per_call=PER_CALL)
    accepted: list[int] = []

    def by_engine() -> float:
        accepted[:] = ground.send_and_accept(place, ground.add_companies(place, size))
        return clock(lambda: drain(connection, accepted))

    engine, alone = "the engine, one worker", "the adapter alone, ten threads"
    seconds = medians({engine: by_engine, alone: lambda: _by_adapter(other, accepted)})
    return Result(
        name="remote",
        what=f"{size:,} companies to an ERP that answers after {latency_ms} ms, ten calls at once",
        baseline=alone,
        measured=engine,
        figures={case: size / value for case, value in seconds.items()},
        unit="/s",
        aims={engine: Aim(least=0.95)},
    )


def _by_adapter(other: Connection, ids: Sequence[int]) -> float:
    entity = adapter_loading.entity_manifest(other, "vendor")
    assert entity is not None
    items = Item.objects.filter(pk__in=ids).order_by("pk")
    batches = list(chunks([command_of(item) for item in items], entity.batches.create))
    at_once = adapter_loading.manifest_of(other).concurrency

    def send(batch: Sequence[Command]) -> None:
        adapter = adapter_loading.adapter_of(other)
        taken = adapter.find_many("vendor", [command.key for command in batch])
        errors = [outcome.error for outcome in adapter.submit(batch) if outcome.error]
        if any(taken) or errors:
            raise RuntimeError(f"The ERP refused: {errors or taken}")

    def send_all() -> None:
        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(send, batches))

    return clock(send_all)
