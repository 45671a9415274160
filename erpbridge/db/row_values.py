"""An SQL expression for the values of many rows in one statement, by the id of the row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func


class OfRow(Func):
    """The value that ``given`` has for the row's id."""

    arity = 1

    def __init__(self, given: Mapping[int, object], field: models.Field[Any, Any]) -> None:
        super().__init__(F("pk"), output_field=field)
        self.given = given

    def _json(self, connection: BaseDatabaseWrapper) -> str:
        field = self.output_field
        if isinstance(field, models.JSONField):
            return json.dumps(self.given, cls=field.encoder)
        stored = {pk: field.get_db_prep_save(value, connection) for pk, value in self.given.items()}
        return json.dumps(stored, default=str)

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        """Take the value from a jsonb object; a JSON column gets JSON, others their own type."""
        key, params = compiler.compile(self.source_expressions[0])
        if isinstance(self.output_field, models.JSONField):
            return f"(%s::jsonb -> {key}::text)", [self._json(connection), *params]
        # A cast to varchar(n) would silently cut a text that is too long; without it the database
        # rejects it.
        is_text = isinstance(self.output_field, models.CharField | models.TextField)
        cast = "" if is_text else f"::{self.output_field.cast_db_type(connection)}"
        return f"(%s::jsonb ->> {key}::text){cast}", [self._json(connection), *params]

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        """Take the value from a JSON text."""
        key, params = compiler.compile(self.source_expressions[0])
        return f"json_extract(%s, '$.\"' || {key} || '\"')", [self._json(connection), *params]
