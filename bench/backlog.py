"""Claiming a batch: the same time whatever waits behind it."""

from __future__ import annotations

from functools import partial

from django.db import connection as db

from bench import ground
from bench.measure import Aim, Case, Result, clock, medians
from erp_integrations.adapters.base import Manifest
from erp_integrations.connections import adapter_loading
from erp_integrations.export.claim import claim
from erp_integrations.models import Connection, Item

SIZES = (300, 300_000)
CLAIMS_A_ROUND = 4
# The rest of a queue: copies of an accepted item, of records that need not be there.
COPIES = {
    "public_id": "gen_random_uuid()",
    "intent": "gen_random_uuid()",
    "record_id": "1000000000 + 1000000 * id + number",
    "erp_key": "'Q' || number",
    "erp_key_compared": "'q' || number",
    "acceptance": "jsonb_set(acceptance, '{vendor_id}', to_jsonb('Q' || number))",
}


def run(sizes: tuple[int, ...] = SIZES, claims: int = CLAIMS_A_ROUND) -> Result:
    """Time some claims of 20 out of each queue."""
    cases: dict[str, Case] = {}
    for size in sizes:
        place = ground.ground()
        connection = ground.connect(place, records_per_call=20)
        Connection.objects.filter(pk=connection.pk).update(max_in_flight=20 * 3 * claims)
        accepted = ground.send_and_accept(place, ground.add_companies(place, min(sizes)))
        queue(accepted[0], size - len(accepted))
        manifest = adapter_loading.manifest_of(connection)
        cases[f"{size:,} queued"] = partial(_seconds, connection, manifest, claims)
    ground.analyze()
    names = list(cases)
    return Result(
        name="backlog",
        what="Claim 20 items of a queue",
        baseline=names[0],
        measured=names[-1],
        figures=medians(cases),
        aims={names[-1]: Aim(most=1.2)},
    )


def queue(item_id: int, count: int) -> None:
    """Queue copies of an accepted item."""
    columns = [field.column for field in Item._meta.concrete_fields if not field.primary_key]
    values = ", ".join(COPIES.get(name, name) for name in columns)
    table = Item._meta.db_table
    with db.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}"
            f" FROM {table}, generate_series(1, %s) AS number WHERE id = %s",
            [count, item_id],
        )


def _seconds(connection: Connection, manifest: Manifest, claims: int) -> float:
    def claim_batches() -> None:
        for _ in range(claims):
            if len(claim(connection, manifest)) != 20:
                raise RuntimeError("A claim got less than a batch.")

    return clock(claim_batches) / claims
