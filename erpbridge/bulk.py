"""Writing many rows, each with values of its own, in one statement.

``bulk_update`` makes a branch of a CASE for every row and column: for ten thousand rows that takes
ten times as long as the statement itself. Here a column's values travel as one JSON object
(``erpbridge.of_row``), from which the database takes each row's by its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import models

from erpbridge.folded import with_folded
from erpbridge.of_row import OfRow

# Rows of one statement.
AT_ONCE = 500
Row = TypeVar("Row", bound=models.Model)


def write_rows(rows: Sequence[Row], columns: Sequence[str], **same: Any) -> None:
    """Store these columns of the rows as they are in memory, and what is folded of them.

    :param same: columns that get one value, or one expression, in all rows.
    """
    if not rows:
        return
    model = type(rows[0])
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


def _is_expression(row: models.Model, name: str) -> bool:
    return hasattr(getattr(row, name), "resolve_expression")
