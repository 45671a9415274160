"""Change history of one record, as its page shows it, and what it held before.

The record app gives its :class:`Words`; what an event means beyond field changes is said there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from erpbridge.audit.models import Event
from erpbridge.db.numbers import number

SHOWN_AT_ONCE = 100
EMPTY = "(empty)"


class Words(Protocol):
    """What a record app calls its fields, values and events."""

    def field(self, name: str) -> str:
        """The words a field has on the record's page."""
        ...

    def value(self, name: str, value: Any) -> str:
        """A stored value as the page would show it."""
        ...

    def verb(self, verb: str) -> str:
        """What happened."""
        ...

    def state(self, state: str) -> str:
        """The words for a state; none before the first."""
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
    """The newest lines, and the event id to go on from where there are older ones."""

    lines: list[Line]
    older: int | None


def history(
    account_id: int, entity: str, subject_id: int, *, words: Words, before: str = ""
) -> History:
    """Up to :data:`SHOWN_AT_ONCE` events, newest first.

    :param before: of a query string: only events older than this id; ignored where it is none.
    """
    events = Event.objects.about(account_id, entity, subject_id)
    if number(before):
        events = events.filter(pk__lt=number(before))
    found = list(events[: SHOWN_AT_ONCE + 1])
    shown = found[:SHOWN_AT_ONCE]
    lines = [line for event in shown for line in _lines(event, words)]
    return History(lines, shown[-1].pk if len(found) > SHOWN_AT_ONCE else None)


def held_at(account_id: int, entity: str, subject_id: int, *, revision: int) -> dict[str, Any]:
    """What the fields changed since a revision held at that revision."""
    found: dict[str, Any] = {}
    for event in Event.objects.about(account_id, entity, subject_id)[:SHOWN_AT_ONCE]:
        if event.data.get("revision", 0) > revision:  # newest first: the oldest value wins
            found |= {name: old for name, (old, _) in event.data.get("changes", {}).items()}
    return found


def shown_as(value: Any) -> str:
    """A plain value in words."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or EMPTY
    return EMPTY if value in (None, "") else str(value)


def _lines(event: Event, words: Words) -> Iterator[Line]:
    who = str(event.actor) if event.actor else "erpbridge"
    changed: Mapping[str, list[Any]] = event.data.get("changes", {})
    for name, (old, new) in changed.items():
        before, after = words.value(name, old), words.value(name, new)
        yield Line(event.at, who, words.field(name), before, after)
    if changed:
        return
    before, after = words.state(event.from_state), words.state(event.to_state)
    if before == after:
        before = ""
    yield Line(
        event.at,
        who,
        words.verb(event.verb),
        before,
        after or event.data.get("project", ""),
        event.note,
    )
