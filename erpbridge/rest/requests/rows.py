"""Rows of a call on many records. A row with errors does not stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from erpbridge.rest.errors import ApiError, Malformed
from erpbridge.rest.pagination import Shape
from erpbridge.rest.responses import JsonAnswer

MOST_ROWS = 1_000


@dataclass(eq=False)
class Row:
    """A record to create or change; ``pk`` is None for a new one until it is stored.

    ``errors`` holds messages by field of the body, or by column where a service adds them.
    """

    pk: int | None = field(default=None, kw_only=True)
    errors: dict[str, list[str]] = field(default_factory=dict, kw_only=True)

    def refuse(self, errors: Mapping[str, Iterable[str]]) -> None:
        """Add errors."""
        for name, messages in errors.items():
            self.errors.setdefault(name, []).extend(messages)


@dataclass(eq=False)
class SentRow(Row):
    """A row as the caller sent it."""

    given: Mapping[str, object]


def sent_objects(value: object, name: str) -> Sequence[Mapping[str, object]]:
    """Return the objects of a list in the body.

    :param name: the name of the list in the body.
    :raises Malformed: if it is not a list of objects.
    :raises ApiError: 413 if there are more than ``MOST_ROWS``.
    """
    # 400 for malformed input, 422 against a rule:
    # docs/design/procore-rest-conventions.md, "Errors".
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        raise Malformed({name: ["must be a list of objects"]})
    refuse_too_many(value, name)
    return value


def refuse_too_many(rows: Sequence[object], name: str) -> None:
    """:raises ApiError: 413 if there are more than ``MOST_ROWS``."""
    if len(rows) > MOST_ROWS:
        message = f"has {len(rows):,} rows; the limit is {MOST_ROWS:,}"
        raise ApiError(413, {name: [message]})


def many_answer(
    rows: Sequence[SentRow], shape: Shape, *, status: int = 200, **more: object
) -> JsonAnswer:
    """Return the stored records, and the rejected rows as sent with their errors.

    Both lists are always present, because Procore's Ruby SDK merges the responses of several calls
    (docs/design/procore-rest-conventions.md, "Sync").

    :param more: further fields of the body.
    """
    stored = [row.pk for row in rows if row.pk is not None and not row.errors]
    objects = shape(stored)
    return JsonAnswer(
        {
            "entities": [objects[pk] for pk in stored if pk in objects],
            "errors": [{**row.given, "errors": row.errors} for row in rows if row.errors],
            **more,
        },
        status,
    )
