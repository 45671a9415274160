"""Change history of a company: its edits and what happened to it on the way into the ERP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist

from directory.models import CLASSIFICATIONS, Company, EntityType
from erp_integrations import sendable
from erpbridge.audit.models import Event

SHOWN_AT_ONCE = 100
EXTRA_LABELS = {"roles": "Project roles", "trades": "Trades", "is_active": "Status"}
EMPTY = "(empty)"


@dataclass(frozen=True)
class Line:
    """One row of the Change History tab."""

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


def of(company: Company, *, before: int | None = None) -> History:
    """Up to :data:`SHOWN_AT_ONCE` events, newest first, those older than event ``before`` only."""
    events = Event.objects.about(company.account_id, "vendor", company.pk)
    if before is not None:
        events = events.filter(pk__lt=before)
    found = list(events[: SHOWN_AT_ONCE + 1])
    shown = found[:SHOWN_AT_ONCE]
    lines = [line for event in shown for line in _lines(event)]
    return History(lines, shown[-1].pk if len(found) > SHOWN_AT_ONCE else None)


def field_label(name: str) -> str:
    """The words a field of a company has on its page."""
    if name in EXTRA_LABELS:
        return EXTRA_LABELS[name]
    try:
        return str(getattr(Company._meta.get_field(name), "verbose_name", name))
    except FieldDoesNotExist:
        return name.replace("_", " ").capitalize()


def shown_as(name: str, value: Any) -> str:
    """A stored value as the page would show it."""
    if name == "is_active":
        return "Active" if value else "Inactive"
    if name == "logo":
        return "a picture" if value else EMPTY
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if name == "classifications":
        value = [CLASSIFICATIONS.get(key, key) for key in value]
    if name == "entity_type" and value in EntityType.values:
        return str(EntityType(value).label)
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or EMPTY
    return EMPTY if value in (None, "") else str(value)


def _lines(event: Event) -> Iterator[Line]:
    who = str(event.actor) if event.actor else "erpbridge"
    changed: Mapping[str, list[Any]] = event.data.get("changes", {})
    for name, (old, new) in changed.items():
        yield Line(event.at, who, field_label(name), shown_as(name, old), shown_as(name, new))
    if changed:
        return
    what = sendable.EVENT_WORDS.get(event.verb, event.verb.replace("_", " ").capitalize())
    if event.from_state or event.to_state:
        before, after = _state(event.from_state), _state(event.to_state)
        yield Line(event.at, who, what, "" if before == after else before, after, event.note)
    else:
        yield Line(event.at, who, what, "", event.data.get("project", ""), event.note)


def _state(state: str) -> str:
    """The words of the list marker for a state; none before an item's first."""
    if not state:
        return ""
    return str(sendable.marker(Company(erp_state=state)).label)
