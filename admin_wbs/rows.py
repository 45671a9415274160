"""Records to create or change in bulk, with their errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Model

from erpbridge.audit.services import Changes, changes
from erpbridge.rest.requests.rows import Row


@dataclass(eq=False)
class ValueRow(Row):
    """``values`` holds cleaned values by column."""

    values: dict[str, str]


def put(record: Model, values: Mapping[str, str]) -> Changes:
    """Set the values on the record in memory; returns (before, after) of those that changed."""
    changed = changes({name: getattr(record, name) for name in values}, values)
    for name, value in values.items():
        setattr(record, name, value)
    return changed
