"""Change history of one record, for its page, and the former values of its fields.

Record apps pass their own :class:`Words`, which also name the events that are not field changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from erpbridge.audit.models import Event
from erpbridge.db.numbers import number

SHOWN_AT_ONCE = 100
EMPTY = "(empty)"


class Words(Protocol):
    """The texts of a record app for its fields, values and events."""

    def field(self, name: str) -> str:
        """Return the label of a field on the record's page."""
        ...

    def value(self, name: str, value: object) -> str:
        """Return a stored value as the page shows it."""
        ...

    def verb(self, verb: str) -> str:
        """Return the text of an event."""
        ...

    def state(self, state: str) -> str:
        """Return the label of a state; empty if there is none yet."""
        ...


@dataclass(frozen=True)
class Line:
    """One row of a change history."""

    at: datetime
    by: str
    changed: str
    before: str
    after: str
    note: str = ""


@dataclass(frozen=True)
class History:
    """The newest lines, and the event id to continue from if there are older ones."""

    lines: list[Line]
    older: int | None


def history(
    account_id: int, entity: str, subject_id: int, *, words: Words, before: str = ""
) -> History:
    """Return up to :data:`SHOWN_AT_ONCE` events, newest first.

    :param before: only events older than this id; comes from a query string, ignored if it is
        invalid.
    """
    events = Event.objects.about(account_id, entity, subject_id)
    if before_id := number(before):
        events = events.filter(pk__lt=before_id)
    # One more than shown, to know whether there are older ones.
    fetched = list(events[: SHOWN_AT_ONCE + 1])
    page = fetched[:SHOWN_AT_ONCE]
    lines = [line for event in page for line in _lines(event, words)]
    return History(lines, page[-1].pk if len(fetched) > SHOWN_AT_ONCE else None)


def held_at(account_id: int, entity: str, subject_id: int, *, revision: int) -> dict[str, object]:
    """Return the values at a revision of the fields that were changed after it."""
    values: dict[str, object] = {}
    for event in Event.objects.about(account_id, entity, subject_id)[:SHOWN_AT_ONCE]:
        if event.data.get("revision", 0) > revision:  # newest first: the oldest value wins
            values |= {name: old for name, (old, _) in event.data.get("changes", {}).items()}
    return values


def shown_as(value: object) -> str:
    """Return a plain value as text."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(str(element) for element in value) or EMPTY
    return EMPTY if value in (None, "") else str(value)


def _lines(event: Event, words: Words) -> Iterator[Line]:
    who = str(event.actor) if event.actor else "erpbridge"
    changed: Mapping[str, list[object]] = event.data.get("changes", {})
    for name, (old, new) in changed.items():
        before, after = words.value(name, old), words.value(name, new)
        yield Line(event.at, who, words.field(name), before, after)
    # Field changes have one line each, every other event has one line.
    if changed:
        return
    before, after = words.state(event.from_state), words.state(event.to_state)
    if before == after:
        # The event left the state alone, so it has no "before" to show.
        before = ""
    yield Line(
        event.at,
        who,
        words.verb(event.verb),
        before,
        after or event.data.get("project", ""),
        event.note,
    )
