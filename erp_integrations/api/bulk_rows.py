"""Rows of a call on many items or records; each row is accepted or refused by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from erp_integrations.models import Item
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.rows import SentRow, sent_objects

TWICE = {"id": ["is given in an earlier row of this call"]}


@dataclass(eq=False)
class ItemRow(SentRow):
    """A row that names an item, or a record that can be sent."""

    item: Item | None = None


def rows_of(body: Mapping[str, object]) -> list[ItemRow]:
    """Return the rows of ``updates``; a row with a wrong or repeated id has its error set.

    :raises Malformed: if ``updates`` is not a list of objects.
    :raises ApiError: 413 if there are more than ``MOST_ROWS``.
    """
    rows = [ItemRow(update) for update in sent_objects(body.get("updates"), "updates")]
    seen: set[int] = set()
    for row in rows:
        try:
            # One bad row stops no other (docs/design/procore-rest-conventions.md, "Sync").
            row.pk = bodies.whole(row.given.get("id"))
        except ValidationError as error:
            row.refuse({"id": list(error.messages)})
            continue
        if row.pk in seen:
            row.refuse(TWICE)
        elif row.pk is not None:
            seen.add(row.pk)
    return rows
