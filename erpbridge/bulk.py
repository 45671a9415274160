"""Writing many rows, each with values of its own, in one statement.

``bulk_update`` makes a branch of a CASE for every row and column: for ten thousand rows that takes
ten times as long as the statement itself. Here a column's values travel as one JSON object, from
which the database takes each row's by its id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import models
from django.db.models import F, Func

# Rows of one statement.
AT_ONCE = 500
Row = TypeVar("Row", bound=models.Model)


class OfRow(Func):
    """The value that ``given`` holds for the row's id."""

    arity = 1

    def __init__(self, given: Mapping[int, Any], field: models.Field[Any, Any]) -> None:
        super().__init__(F("pk"), output_field=field)
        self.given = given

    def _json(self, connection: Any) -> str:
        field = self.output_field
        if isinstance(field, models.JSONField):
            return json.dumps(self.given, cls=field.encoder)
        stored = {pk: field.get_db_prep_save(value, connection) for pk, value in self.given.items()}
        return json.dumps(stored, default=str)

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        """Out of a jsonb object; a JSON column gets JSON, any other its own type."""
        key, params = compiler.compile(self.source_expressions[0])
        if isinstance(self.output_field, models.JSONField):
            return f"(%s::jsonb -> {key}::text)", [self._json(connection), *params]
        # A cast to varchar(n) would cut a text that is too long; without it the database refuses.
        is_text = isinstance(self.output_field, models.CharField | models.TextField)
        cast = "" if is_text else f"::{self.output_field.cast_db_type(connection)}"
        return f"(%s::jsonb ->> {key}::text){cast}", [self._json(connection), *params]

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        """Out of a JSON text."""
        key, params = compiler.compile(self.source_expressions[0])
        return f"json_extract(%s, '$.\"' || {key} || '\"')", [self._json(connection), *params]


def write_rows(rows: Sequence[Row], columns: Sequence[str], **same: Any) -> None:
    """Store these columns of the rows as they are in memory.

    :param same: columns that get one value, or one expression, in all rows.
    """
    if not rows:
        return
    model = type(rows[0])
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
