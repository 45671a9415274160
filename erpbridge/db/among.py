"""``filter(among("pk", ids))``: like ``pk__in=ids``, but with all numbers in one parameter.

``__in`` makes one parameter per number; for a page of rows, building and parsing those takes longer
than fetching the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F
from django.db.models.lookups import Lookup


class Among(Lookup):
    """The condition; PostgreSQL gets the numbers as an array, SQLite as JSON."""

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """Return the condition."""
        column, parameters = self.process_lhs(compiler, connection)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s::bigint[])", [*parameters, f"{{{self.rhs}}}"]
        condition = "IN (SELECT value FROM json_each(%s))"
        return f"{column} {condition}", [*parameters, f"[{self.rhs}]"]


def among(column: str, ids: Iterable[int]) -> Among:
    """Return the condition that the column has one of the numbers."""
    # As text here, because Django and the driver would go through a list of numbers one by one.
    return Among(F(column), ",".join(map(str, ids)))
