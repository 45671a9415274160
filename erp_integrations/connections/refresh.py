"""What the ERP holds, fetched and kept: its lists of choices, and its records."""

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
    """All records of the ERP by id, each as last seen. :raises AdapterError:"""
    found: dict[str, Found] = {}
    cursor, seen = "", set()
    while cursor not in seen:
        seen.add(cursor)
        page = adapter.pull(entity, cursor)
        found.update((one.erp_id, one) for one in page.records)
        if not page.cursor:
            return found
        cursor = page.cursor
    raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, ENDLESS))


def store_choices(connection: Connection, kind: str, offered: Iterable[Offered]) -> None:
    """Add new values and switch off those the ERP no longer has."""
    by_code = {one.code: one for one in offered}
    known = connection.choices.filter(kind=kind)
    known.exclude(code__in=by_code).update(active=False)
    rows = [
        Choice(
            connection=connection,
            kind=kind,
            code=code,
            label=one.label[:255],
            group=one.group,
            active=True,
        )
        for code, one in by_code.items()
        if len(code) <= LONGEST_CODE
    ]
    Choice.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "kind", "code"],
        update_fields=["label", "group", "active"],
    )


def store_records(connection: Connection, entity: str, records: Mapping[str, Found]) -> None:
    """Store what the ERP holds now; what it no longer holds frees its id."""
    staged = connection.erp_records.filter(entity=entity, state=ErpRecord.State.STAGED)
    gone = [pk for pk, erp_id in staged.values_list("pk", "erp_id") if erp_id not in records]
    for some in chunks(gone):
        ErpRecord.objects.filter(pk__in=some).delete()
    keep_records(connection, entity, records)


def keep_records(connection: Connection, entity: str, records: Mapping[str, Found]) -> None:
    """Store some of what the ERP holds now.

    :param connection: as it is now, locked.
    """
    rows = [
        ErpRecord(
            connection=connection,
            entity=entity,
            erp_id=found.erp_id,
            erp_code=found.erp_code,
            erp_version=found.erp_version,
            label=str(found.data.get("name") or found.data.get("description") or "")[:255],
            data=dict(found.data),
            seen_at=Now(),
            seen_in_fetch=connection.fetches,
            **keys_of(found.data),
        )
        for found in records.values()
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
