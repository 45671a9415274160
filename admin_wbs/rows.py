"""Records to create or change in bulk, with their errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

from erpbridge.audit.services import changes


@dataclass(eq=False)
class Row:
    """``values`` holds cleaned values by column; ``pk`` is None for a new record.

    ``errors`` collects messages by column.
    """

    pk: int | None
    values: dict[str, str]
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, column: str, why: str) -> None:
        """Add an error."""
        self.errors.setdefault(column, []).append(why)


def put(record: Model, values: Mapping[str, str]) -> dict[str, list[Any]]:
    """Set the values on the record in memory; returns (before, after) of those that changed."""
    changed = changes({name: getattr(record, name) for name in values}, values)
    for name, value in values.items():
        setattr(record, name, value)
    return changed
