"""Fetch the ERP's lists of choices and its records, and store them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models.functions import Now

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Effect,
    ErpError,
    ErrorClass,
    Found,
)
from erp_integrations.adapters.base import Choice as Offered
from erp_integrations.models import Choice, Connection, ErpRecord
from erp_integrations.models.match_keys import COMPARED, keys_of
from erpbridge.db.batches import chunks

LONGEST_CODE = 100
ENDLESS = "The ERP's list of records does not end: it gave the same place twice."


def pull_all(adapter: Adapter, entity: str) -> dict[str, Found]:
    """All records of one type in the ERP, by ERP ID.

    :raises AdapterError: if a call fails, or the ERP repeats a cursor.
    """
    records: dict[str, Found] = {}
    cursor, cursors = "", set()
    while cursor not in cursors:
        cursors.add(cursor)
        page = adapter.pull(entity, cursor)
        records.update((record.erp_id, record) for record in page.records)
        if not page.cursor:
            return records
        cursor = page.cursor
    raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, ENDLESS))


def store_choices(connection: Connection, kind: str, offered: Iterable[Offered]) -> None:
    """Store a list of choices, and deactivate those that the ERP no longer has."""
    by_code = {choice.code: choice for choice in offered}
    stored = connection.choices.filter(kind=kind)
    # Deactivated, not deleted: stored acceptance values may still use them.
    stored.exclude(code__in=by_code).update(active=False)
    rows = [
        Choice(
            connection=connection,
            kind=kind,
            code=code,
            label=choice.label[:255],
            group=choice.group,
            active=True,
        )
        for code, choice in by_code.items()
        if len(code) <= LONGEST_CODE
    ]
    Choice.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "kind", "code"],
        update_fields=["label", "group", "active"],
    )


def store_records(connection: Connection, entity: str, records: Mapping[str, Found]) -> None:
    """Store all records of one type, and delete unlinked rows that the ERP no longer has."""
    staged = connection.erp_records.filter(entity=entity, state=ErpRecord.State.STAGED)
    missing = [pk for pk, erp_id in staged.values_list("pk", "erp_id") if erp_id not in records]
    # Only rows that wait for import; imported and archived ones stay.
    for ids in chunks(missing):
        ErpRecord.objects.filter(pk__in=ids).delete()
    keep_records(connection, entity, records)


def keep_records(connection: Connection, entity: str, records: Mapping[str, Found]) -> None:
    """Store records of the ERP.

    :param connection: its row, locked by the caller.
    """
    rows = [
        ErpRecord(
            connection=connection,
            entity=entity,
            erp_id=record.erp_id,
            erp_code=record.erp_code,
            erp_version=record.erp_version,
            label=str(record.data.get("name") or record.data.get("description") or "")[:255],
            data=dict(record.data),
            seen_at=Now(),
            seen_in_fetch=connection.fetches,
            **keys_of(record.data),
        )
        for record in records.values()
    ]
    ErpRecord.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "entity", "erp_id"],
        update_fields=[
            "erp_code",
            "erp_version",
            "label",
            "data",
            "seen_at",
            "seen_in_fetch",
            *(column for column, _make in COMPARED.values()),
        ],
        batch_size=500,
    )
