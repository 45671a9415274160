"""Writing many rows, each with values of its own, in one statement.

``bulk_update`` makes a branch of a CASE for every row and column: for ten thousand rows that takes
ten times as long as the statement itself. Here a column's values travel as one JSON object
(``erpbridge.db.row_values``), from which the database takes each row's by its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.db import connection, models

from erpbridge.db.folded_fields import with_folded
from erpbridge.db.row_values import OfRow

# Rows of one statement.
AT_ONCE = 500
Row = TypeVar("Row", bound=models.Model)


def write_rows(
    rows: Sequence[Row], columns: Sequence[str], *, held: bool = False, **same: Any
) -> None:
    """Store these columns of the rows as they are in memory, and what is folded of them.

    :param held: the caller has locked the rows; else they are locked here, in the order of their
        ids, for an UPDATE takes them as they lie on the disk.
    :param same: columns that get one value, or one expression, in all rows.
    """
    if not rows:
        return
    model = type(rows[0])
    rows = sorted(rows, key=lambda row: row.pk)
    if not held:
        lock_rows(model._base_manager.all(), [row.pk for row in rows])
    columns = with_folded(model, columns)
    plain = [name for name in columns if not any(_is_expression(row, name) for row in rows)]
    computed = [name for name in columns if name not in plain]
    if computed:
        model._base_manager.bulk_update(rows, computed, batch_size=100)
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        values = dict(same)
        for name in plain:
            field: Any = model._meta.get_field(name)
            values[name] = OfRow({row.pk: getattr(row, field.attname) for row in some}, field)
        if values:
            model._base_manager.filter(pk__in=[row.pk for row in some]).update(**values)


def lock_rows(rows: models.QuerySet[Any], ids: Iterable[int]) -> None:
    """Lock rows in the order of their ids, also beyond the rows of one statement.

    One row has no order, a database that locks no rows needs none, and outside of a transaction
    nothing would stay locked.
    """
    wanted = sorted(set(ids))
    can = connection.features.has_select_for_update and connection.in_atomic_block
    if len(wanted) < 2 or not can:
        return
    ordered = rows.order_by("pk").select_for_update(no_key=True)
    for start in range(0, len(wanted), AT_ONCE):
        list(ordered.filter(pk__in=wanted[start : start + AT_ONCE]).values_list("pk"))


def _is_expression(row: models.Model, name: str) -> bool:
    return hasattr(getattr(row, name), "resolve_expression")
