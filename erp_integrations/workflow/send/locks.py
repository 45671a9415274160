"""Locks of records against edits while they have an open item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from erp_integrations.models import Item
from erp_integrations.models.record_types import (
    Sendable,
    locked,
)
from erp_integrations.models.states import State, label_for_sender

# Rules of problems that editing the record cannot solve.
BEYOND_EDITS = frozenset({"active", "open", "create", "update"})


@dataclass(frozen=True)
class Lock:
    """Why a record cannot be edited, and the item that locks it."""

    message: str
    sent_by: str
    sent_at: datetime
    item_id: str


def lock(entity: str, record: Sendable) -> Lock | None:
    """Return the lock of a record, None if it can be edited."""
    return locks(entity, [record]).get(record.pk)


def locks(entity: str, records: Sequence[Sendable]) -> dict[int, Lock]:
    """Return record id -> lock, for the locked ones of the records, with one query."""
    items = Item.objects.filter(entity=entity, record_id__in=[record.pk for record in records])
    return {item.record_id: _lock(item) for item in items.open().select_related("sent_by")}


def _lock(item: Item) -> Lock:
    words = label_for_sender(item.state)
    message = (
        f"Sent to the ERP by {item.sent_by}: {words}. It is locked until accounting has decided "
        "and the export is settled."
        if item.state != State.READY
        else f"Sent to the ERP by {item.sent_by}: {words}. It can be edited once it is retrieved, "
        "or decided."
    )
    return Lock(message, str(item.sent_by), item.sent_at, str(item.public_id))


def edit_guard(seen_revision: int) -> Q:
    """Return the condition of every edit: the record has the seen revision and is not locked.

    It belongs into the UPDATE or a query with a row lock, so that a concurrent edit or send is
    noticed.
    """
    return Q(revision=seen_revision) & ~locked()
