"""What of a record cannot be changed while accounting or the ERP has it."""

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

# What no edit of a record's fields can change.
BEYOND_EDITS = frozenset({"active", "open", "create", "update"})


@dataclass(frozen=True)
class Lock:
    """Why a record cannot be edited now."""

    message: str
    sent_by: str
    sent_at: datetime
    item_id: str


def lock(entity: str, record: Sendable) -> Lock | None:
    """Who locked the record by sending it and when; None while it can be edited."""
    return locks(entity, [record]).get(record.pk)


def locks(entity: str, records: Sequence[Sendable]) -> dict[int, Lock]:
    """The same for the records of a page, by record id; one query."""
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
    """The WHERE part of every edit: still the revision that was seen, and not locked."""
    return Q(revision=seen_revision) & ~locked()
