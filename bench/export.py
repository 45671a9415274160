"""The export engine against handing the same commands to the adapter.

The engine writes an attempt before each command, looks whether the ERP holds the ID, settles under
a fence, and stores audit events; the baseline calls ``submit`` in batches and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench import ground
from bench.ground import Ground
from bench.measure import Result, clock, medians
from erp_integrations.connections import adapter_loading
from erp_integrations.export import engine
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.payloads.commands import command_of
from erpbridge.db.batches import chunks

SIZE = 300
MOST_TURNS = 20


def run(size: int = SIZE) -> Result:
    """Time both ways for ``size`` accepted companies."""
    place, elsewhere = ground.ground(), ground.ground()
    connection, other = ground.connect(place), ground.connect(elsewhere)
    seconds = compare(place, connection, other, size)
    through_engine, alone = seconds
    return Result(
        name="export",
        what="Export accepted companies to a simulator without latency",
        baseline=alone,
        measured=through_engine,
        figures=seconds,
    )


def compare(
    place: Ground,
    connection: Connection,
    other: Connection,
    size: int,
    *,
    vendor_type: str = ground.VENDOR_TYPE,
) -> dict[str, float]:
    """Seconds by the engine into ``connection``, and by the adapter alone into ``other``."""
    accepted: list[int] = []

    def by_engine() -> float:
        ids = ground.add_companies(place, size)
        accepted[:] = ground.send_and_accept(place, ids, vendor_type=vendor_type)
        return clock(lambda: drain(connection, accepted))

    def by_adapter() -> float:
        return clock(lambda: _submit(other, accepted))

    return medians(
        {f"{size:,} by the engine": by_engine, f"{size:,} by the adapter alone": by_adapter}
    )


def drain(connection: Connection, ids: Sequence[int]) -> None:
    """Turn after turn, as a worker takes them: a turn ends after some seconds of work."""
    unsynced = Item.objects.filter(pk__in=ids).exclude(state=State.SYNCED)
    for _ in range(MOST_TURNS):
        engine.drain(connection.pk)
        if not unsynced.exists():
            return
    raise RuntimeError(f"{unsynced.count()} of {len(ids)} items were not exported.")


def _submit(other: Connection, ids: list[int]) -> None:
    adapter = adapter_loading.adapter_of(other)
    manifest = adapter_loading.entity_manifest(other, "vendor")
    assert manifest is not None
    commands = [command_of(item) for item in Item.objects.filter(pk__in=ids).order_by("pk")]
    for batch in chunks(commands, manifest.batches.create):
        errors = [outcome.error for outcome in adapter.submit(batch) if outcome.error]
        if errors:
            raise RuntimeError(f"The ERP refused: {errors[0].message}")
