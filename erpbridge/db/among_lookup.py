"""``filter(pk__among=ids)``: like ``__in``, but with all numbers in one parameter.

``__in`` makes one parameter per number; for a page of rows, building and parsing those takes longer
than fetching the rows.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.db.models import Field
from django.db.models.fields.related import ForeignObject
from django.db.models.lookups import Lookup


@Field.register_lookup
@ForeignObject.register_lookup
class Among(Lookup):
    """The lookup; PostgreSQL gets the numbers as an array, SQLite as JSON."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """Return the condition."""
        column, parameters = self.process_lhs(compiler, connection)
        numbers = list(self.rhs)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s::bigint[])", [*parameters, numbers]
        condition = "IN (SELECT value FROM json_each(%s))"
        return f"{column} {condition}", [*parameters, orjson.dumps(numbers).decode()]
