"""Update many rows, each with its own values, in one statement.

Django's ``bulk_update`` makes a CASE branch per row and column, which for ten thousand rows takes
ten times as long as the statement itself. Here the values of a column are one JSON object
(``erpbridge.db.row_values``) from which the database takes each row's value by its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.db import connection, models

from erpbridge.db.among import among
from erpbridge.db.batches import chunks
from erpbridge.db.folded_fields import with_folded
from erpbridge.db.row_values import OfRow

# Rows per statement.
AT_ONCE = 500
Row = TypeVar("Row", bound=models.Model)


def write_rows(
    rows: Sequence[Row], columns: Sequence[str], *, already_locked: bool = False, **same: object
) -> None:
    """Store these columns of the rows as they are in memory, and their folded columns.

    :param already_locked: the caller has locked the rows. Otherwise they are locked here in the
        order of their ids, because UPDATE locks rows in the order of storage, which can deadlock.
    :param same: columns with one value, or one expression, for all rows.
    """
    if not rows:
        return
    model = type(rows[0])
    rows = sorted(rows, key=lambda row: row.pk)
    columns = with_folded(model, columns)
    plain = [
        name
        for name in columns
        if not any(hasattr(getattr(row, name), "resolve_expression") for row in rows)
    ]
    computed = [name for name in columns if name not in plain]
    stored = model._base_manager.all()
    if computed:
        if not already_locked:
            lock_rows(stored, [row.pk for row in rows])
            already_locked = True
        # Expressions cannot be sent as JSON values.
        model._base_manager.bulk_update(rows, computed, batch_size=100)
    for batch in chunks(rows, AT_ONCE):
        values = dict(same)
        for name in plain:
            field: Any = model._meta.get_field(name)
            values[name] = _value(field, batch)
        if values:
            ids = [row.pk for row in batch]
            written = stored.filter(pk__in=ids) if already_locked else in_lock_order(stored, ids)
            written.update(**values)


def _value(field: Any, rows: Sequence[models.Model]) -> object:
    """The value of a column for all rows, or an expression for the value of each."""
    first = getattr(rows[0], field.attname)
    # ``is``: True equals 1, and a JSON column would store either.
    if all(getattr(row, field.attname) is first for row in rows):
        return first
    return OfRow({row.pk: getattr(row, field.attname) for row in rows}, field)


def in_lock_order(rows: models.QuerySet[Row, Row], ids: Sequence[int]) -> models.QuerySet[Row, Row]:
    """Rows for an UPDATE that locks them in the order of their ids.

    Several such updates, in the order of their ids, lock all of their rows in one order too.
    """
    chosen = rows.filter(among("pk", ids))
    if len(ids) < 2 or not _can_lock():
        return chosen
    # Whatever the plan, the subquery is read from the lowest id on, and a row is changed only after
    # its own id was read.
    locked = chosen.order_by("pk").select_for_update(no_key=True)
    return chosen.filter(pk__in=locked.values("pk"))


def lock_rows(rows: models.QuerySet[models.Model], ids: Iterable[int]) -> None:
    """Lock rows in the order of their ids, also across batches.

    Does nothing for a single row, on a database without row locks, and outside a transaction.
    """
    ordered_ids = sorted(set(ids))
    if len(ordered_ids) < 2 or not _can_lock():
        return
    ordered = rows.order_by("pk").select_for_update(no_key=True)
    for chunk in chunks(ordered_ids, AT_ONCE):
        list(ordered.filter(among("pk", chunk)).values_list("pk"))


def _can_lock() -> bool:
    return connection.features.has_select_for_update and connection.in_atomic_block
