"""The only writer of the columns in which records show their link to the ERP.

``erp_state`` is the state of the record's latest item, written by ``workflow/transitions.py``; here
it is only cleared when the link ends. The caller has locked the records (docs/locks.md).
Lists read these columns, so that they need no join
(docs/adr/0003-one-door-and-one-way-imports.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models.functions import Now

from erp_integrations.models import Link
from erp_integrations.models.record_types import RecordType, Sendable
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import write_rows

COLUMNS = ("origin_id", "origin_code", "origin_data", "drifted", "erp_state")
EMPTY: Mapping[str, object] = {
    "origin_id": "",
    "origin_code": "",
    "origin_data": {},
    "erp_state": "",
    "drifted": False,
}


@dataclass(frozen=True)
class Origin:
    """The ERP fields of a record to set. None leaves a field unchanged; an empty id unlinks."""

    id: str | None = None
    code: str | None = None
    data: str | None = None


def show_link(
    kind: RecordType, erp_ids: Mapping[int, tuple[str, str]], *, drifted: bool = False
) -> None:
    """Write ERP ID and code of linked records.

    :param erp_ids: record id -> (ERP ID, ERP code).
    """
    rows = [
        row
        for chunk in chunks(list(erp_ids))
        for row in kind.model._base_manager.filter(pk__in=chunk)
    ]
    for row in rows:
        row.origin_id, row.origin_code = erp_ids[row.pk]
    write_rows(rows, ["origin_id", "origin_code"], drifted=drifted, updated_at=Now())


def show_no_link(kind: RecordType, ended: Iterable[Link]) -> None:
    """Clear the columns of records whose links have ended."""
    for chunk in chunks(sorted(link.record_id for link in ended)):
        kind.model._base_manager.filter(pk__in=chunk).update(**EMPTY, updated_at=Now())


def show_origins(origins: Iterable[tuple[Sendable, Origin]]) -> None:
    """Write the origins that an API client has set, by record."""
    rows = []
    for row, origin in origins:
        if origin.id == "" and row.origin_id:
            for column, value in EMPTY.items():
                setattr(row, column, value)
        # With a new ID the record counts as in sync until it is edited.
        elif origin.id is not None and origin.id != row.origin_id:
            row.origin_id, row.drifted = origin.id, False
        if origin.code is not None:
            row.origin_code = origin.code
        if origin.data is not None:
            row.origin_data = {"text": origin.data} if origin.data else {}
        rows.append(row)
    write_rows(rows, COLUMNS, updated_at=Now())


def show_drift(kind: RecordType, ids: Collection[int], drifted: Collection[int]) -> None:
    """Write the drift of the records ``ids``; those in ``drifted`` have drifted, the others not."""
    # Only rows that change are updated. ``updated_at`` stays: drift is no edit of the record.
    rows = kind.model._base_manager.filter(pk__in=ids)
    rows.filter(pk__in=drifted, drifted=False).update(drifted=True)
    rows.filter(drifted=True).exclude(pk__in=drifted).update(drifted=False)
