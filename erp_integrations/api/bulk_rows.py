"""Rows of a call on many items or records; each row is accepted or refused by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from erp_integrations.models import Item
from erpbridge.rest.errors import ApiError, Malformed
from erpbridge.rest.requests import bodies
from erpbridge.rest.sync import MOST_ROWS

TWICE = {"id": ["is given in an earlier row of this call"]}


@dataclass
class Row:
    """One row of a call: its input, the item that it names, and its errors by field."""

    given: Mapping[str, Any]
    pk: int | None = None
    item: Item | None = None
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)


def rows_of(body: Mapping[str, Any]) -> list[Row]:
    """Return the rows of ``updates``; a row with a wrong or repeated id has its error set.

    :raises Malformed: if ``updates`` is not a list of objects.
    :raises ApiError: 413 if there are more than ``MOST_ROWS``.
    """
    updates = body.get("updates")
    # 400 for malformed input, 422 against a rule:
    # docs/design/procore-rest-conventions.md, "Errors".
    if not isinstance(updates, list) or not all(isinstance(update, Mapping) for update in updates):
        raise Malformed({"updates": ["must be a list of objects"]})
    if len(updates) > MOST_ROWS:
        message = f"has {len(updates):,} rows; the limit is {MOST_ROWS:,}"
        raise ApiError(413, {"updates": [message]})
    rows = [Row(update) for update in updates]
    seen: set[int] = set()
    for row in rows:
        try:
            # One bad row stops no other (docs/design/procore-rest-conventions.md, "Sync").
            row.pk = bodies.whole(row.given.get("id"))
        except ValidationError as error:
            row.errors = {"id": list(error.messages)}
            continue
        if row.pk in seen:
            row.errors = TWICE
        elif row.pk is not None:
            seen.add(row.pk)
    return rows
