"""The only writer of the columns in which records show their link to the ERP.

``erp_state`` is the state of the record's latest item, written by ``workflow/transitions.py``; here
it is only cleared when the link ends. The caller has locked the records (docs/locks.md).
Lists read these columns, so that they need no join
(docs/adr/0003-one-door-and-one-way-imports.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Now

from erp_integrations.models import Link
from erp_integrations.models.record_types import RecordType, Sendable
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import in_lock_order, write_rows
from erpbridge.db.row_values import OfRow
from erpbridge.db.text import search_text

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


def link_columns(
    kind: RecordType, erp_ids: Mapping[int, tuple[str, str]], *, drifted: bool = False
) -> dict[str, object]:
    """Columns in which linked records show ERP ID and code, for one UPDATE.

    :param erp_ids: record id -> (ERP ID, ERP code).
    """
    columns: dict[str, object] = {"drifted": drifted, "updated_at": Now()}
    for name, values in (
        ("origin_id", {pk: erp_id for pk, (erp_id, _code) in erp_ids.items()}),
        ("origin_code", {pk: code for pk, (_erp_id, code) in erp_ids.items()}),
        ("origin_text", {pk: search_text(*ids) for pk, ids in erp_ids.items()}),
    ):
        field: Any = kind.model._meta.get_field(name)
        columns[name] = OfRow(values, field)
    return columns


def show_link(kind: RecordType, erp_ids: Mapping[int, tuple[str, str]]) -> None:
    """Write ERP ID and code of linked records.

    :param erp_ids: record id -> (ERP ID, ERP code).
    """
    columns = link_columns(kind, erp_ids)
    for batch in chunks(sorted(erp_ids)):
        in_lock_order(kind.model._base_manager.all(), batch).update(**columns)


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
