"""Records that are created or changed at once: what each is to be, and what stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

from erpbridge.audit.services import changes


@dataclass(eq=False)
class Row:
    """``values`` holds columns, cleaned. ``pk`` is None for a new record.

    ``errors`` gets what stands against the row, by column.
    """

    pk: int | None
    values: dict[str, str]
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, column: str, why: str) -> None:
        """Note what stands against the row."""
        self.errors.setdefault(column, []).append(why)


def put(one: Model, values: Mapping[str, str]) -> dict[str, list[Any]]:
    """Write the values onto the record in memory; what was changed, before and after."""
    made = changes({name: getattr(one, name) for name in values}, values)
    for name, value in values.items():
        setattr(one, name, value)
    return made
