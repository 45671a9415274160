"""Fast bulk insert.

On PostgreSQL, an INSERT of thousands of rows spends most of its time on parameters; COPY takes
about a seventh of the time. SQLite has nothing faster than INSERT.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

from django.db import connection as db
from django.db import models
from django.db.models.fields.json import JSONField

# COPY has a fixed cost; fewer rows than this use INSERT.
WORTH_A_COPY = 50
# Rows per INSERT; SQLite limits the parameters.
AT_ONCE = 500
NULL = r"\N"
# https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".
# These classes store what the row holds; classes derived from them may not. They need no call per
# value.
AS_THEY_ARE = (models.CharField, models.TextField, models.BigIntegerField, models.ForeignKey)
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def insert(rows: Sequence[models.Model]) -> None:
    """Store new rows of one model, in their order.

    Values that the database generates, such as ids and times, are not read back.

    :raises IntegrityError: when a row violates a constraint; none is stored then.
    """
    if not rows:
        return
    if db.vendor == "postgresql" and len(rows) >= WORTH_A_COPY:
        _copy(rows)
    else:
        type(rows[0])._base_manager.bulk_create(rows, batch_size=AT_ONCE)


def _copy(rows: Sequence[models.Model]) -> None:
    options = type(rows[0])._meta
    fields = [
        column_field for column_field in options.concrete_fields if _is_given(rows[0], column_field)
    ]
    cells = [_cells(rows, column_field) for column_field in fields]
    lines = ("\t".join(line) + "\n" for line in zip(*cells, strict=True))
    columns = ", ".join(db.ops.quote_name(str(column_field.column)) for column_field in fields)
    statement = f"COPY {db.ops.quote_name(options.db_table)} ({columns}) FROM STDIN"
    with db.cursor() as cursor, db.wrap_database_errors:
        copying: Any = cursor
        copying.copy_expert(statement, StringIO("".join(lines)))


def _is_given(row: models.Model, column_field: models.Field[Any, Any]) -> bool:
    """Whether the row has a value, not one that the database generates; equal for all rows."""
    value = getattr(row, column_field.attname)
    return not (
        hasattr(value, "resolve_expression") or (column_field.primary_key and value is None)
    )


def _cells(rows: Sequence[models.Model], column_field: models.Field[Any, Any]) -> list[str]:
    """Return the values of a column as COPY reads them."""
    if type(column_field) in AS_THEY_ARE:
        values = [getattr(row, column_field.attname) for row in rows]
        return [NULL if value is None else str(value).translate(ESCAPES) for value in values]
    values = [column_field.pre_save(row, True) for row in rows]
    if isinstance(column_field, JSONField):
        return [_cell(value, column_field) for value in values]
    # Most columns of new rows hold few different values, often only the default.
    cells = {value: _cell(value, column_field) for value in set(values)}
    return [cells[value] for value in values]


def _cell(value: object, column_field: models.Field[Any, Any]) -> str:
    if value is None:
        return NULL
    if isinstance(column_field, JSONField):
        # get_db_prep_save would return the driver's wrapper instead of text.
        stored: object = json.dumps(value, cls=column_field.encoder)
    else:
        stored = column_field.get_db_prep_save(value, db)
    return str(stored).translate(ESCAPES)
