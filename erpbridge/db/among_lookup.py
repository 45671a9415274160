"""``filter(pk__among=ids)``: rows whose column is one of many numbers, all in one parameter.

``__in`` makes a parameter of each, which takes Django longer to write, and the database to read,
than a page of rows takes to fetch.
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
    """PostgreSQL takes the numbers as an array, SQLite as JSON."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """The condition."""
        column, given = self.process_lhs(compiler, connection)
        numbers = list(self.rhs)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s::bigint[])", [*given, numbers]
        condition = "IN (SELECT value FROM json_each(%s))"
        return f"{column} {condition}", [*given, orjson.dumps(numbers).decode()]
