"""Add events, always in the transaction of the change that they record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from erpbridge.audit.models import Event
from erpbridge.db.bulk_insert import insert
from erpbridge.json_values import Json
from erpbridge.request_id import current_request_id


class Verb(StrEnum):
    """What was done to a record: the verbs that most of the apps use in their audit events."""

    CREATED = "created"
    EDITED = "edited"
    CHANGED = "changed"
    DELETED = "deleted"
    ADDED = "added"
    REMOVED = "removed"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"


# What differs: field -> [old, new].
Changes = dict[str, list[Any]]


@dataclass(frozen=True)
class Note:
    """An event to record; the states are empty unless a state changed.

    ``request_id`` is the id of the request that caused it, if that is not the current one.
    """

    entity: str
    subject_id: int
    label: str
    verb: str
    from_state: str = ""
    to_state: str = ""
    note: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)
    request_id: str = ""


def note(account_id: int, notes: Iterable[Note], *, by: AbstractBaseUser | None) -> None:
    """Store ``notes`` as events of the account; ``by`` is None for the system itself.

    :raises TransactionManagementError: outside a transaction.
    """
    # Otherwise the event could be stored, and the change not, or the other way round.
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("note() needs the caller's transaction")
    request_id = current_request_id()
    # One for all: making the default of each event would take a third of the time of the event.
    at = Event._meta.get_field("at").get_default()
    events = [
        Event(
            at=at,
            account_id=account_id,
            actor_id=by.pk if by else None,
            entity=entry.entity,
            subject_id=entry.subject_id,
            # The column's limit.
            label=entry.label[:255],
            verb=entry.verb,
            from_state=entry.from_state,
            to_state=entry.to_state,
            note=entry.note,
            data=dict(entry.data),
            request_id=entry.request_id or request_id,
        )
        for entry in notes
    ]
    insert(events)


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> Changes:
    """Return ``{field: [old, new]}`` for the keys of ``after`` whose value differs."""
    return {
        name: [before.get(name), value]
        for name, value in after.items()
        if before.get(name) != value
    }
