"""Details of one acceptance item: its preview, its changes, earlier rejections and its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from erp_integrations.adapters.base import EntityManifest, Wire
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.models import Item, Link
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.states import ItemEvent, State
from erp_integrations.workflow.badges import EVENT_WORDS
from erp_integrations.workflow.payloads.commands import full_command
from erpbridge.access.models import User
from erpbridge.audit.models import Event

# Payload fields that are derived from other fields, so a change of them is shown there already.
DERIVED = frozenset({"path"})


def link_of(item: Item) -> Link | None:
    """Return the active link of the item's record, None if it is not linked."""
    return active_links(item.connection, item.entity, [item.record_id]).get(item.record_id)


def unlinked(item: Item) -> str:
    """Return a sentence with who ended the item's link and why, empty unless it is UNLINKED."""
    if item.state != State.UNLINKED:
        return ""
    links = Link.objects.filter(
        connection=item.connection_id, entity=item.entity, record_id=item.record_id
    )
    # The record may have been linked to the same ERP ID before this item; those links ended
    # earlier.
    ended_links = links.filter(erp_id=item.erp_id, ended_at__gte=item.settled_at)
    link = ended_links.select_related("ended_by").order_by("ended_at").first()
    unlinked_by = (link.ended_by if link else None) or "erpbridge"
    why = f": {link.ended_why}" if link else "."
    return (
        f"It is no longer linked to {item.erp_code or item.erp_id}. Unlinked by {unlinked_by}{why}"
    )


def wire(item: Item) -> Wire | None:
    """Return the adapter's preview of the export, None if the adapter cannot be used.

    It contains every field that is written, with its value.
    """
    try:
        adapter = adapter_loading.adapter_of(item.connection)
    except AdapterUnavailable:
        return None
    return adapter.preview(full_command(item.connection, item))


def changes(
    item: Item, link: Link | None, manifest: EntityManifest | None
) -> list[dict[str, object]]:
    """Return the fields that an update would change, with the last exported and the new value.

    Empty for a record that is not linked, for settled items, and without a manifest.
    """
    if link is None or manifest is None or item.state in (State.SYNCED, State.UNLINKED):
        return []
    # An API client named the ERP ID and nobody has compared the records yet: ``synced_payload`` is
    # then our record at that time, not what the ERP holds.
    if link.told:
        return []
    exported = link.synced_payload
    return [
        {"label": field.label, "old": exported.get(field.name), "new": item.payload.get(field.name)}
        for field in manifest.fields
        if exported.get(field.name) != item.payload.get(field.name)
    ]


@dataclass(frozen=True)
class Rejection:
    """An earlier rejection of the record, and what the sender has changed since."""

    by: User | None
    at: datetime | None
    reason: str
    changes: list[dict[str, object]]


def rejected_before(item: Item, manifest: EntityManifest | None) -> Rejection | None:
    """Return the last rejection of the record, None if it was never rejected or synced since."""
    earlier = Item.objects.filter(
        account=item.account_id, entity=item.entity, record_id=item.record_id, pk__lt=item.pk
    )
    # Retrieved items are skipped: the rejection before them is still what the sender has to answer.
    settled = earlier.filter(state__in=[State.REJECTED, State.SYNCED, State.UNLINKED])
    last_settled = settled.select_related("decided_by").order_by("-pk").first()
    if last_settled is None or last_settled.state != State.REJECTED:
        return None
    labels = {field.name: field.label for field in manifest.fields} if manifest else {}
    changed = [
        {
            "label": labels.get(name, name.replace("_", " ").capitalize()),
            "old": last_settled.payload.get(name),
            "new": item.payload.get(name),
        }
        for name in {**labels, **last_settled.payload, **item.payload}
        if last_settled.payload.get(name) != item.payload.get(name) and name not in DERIVED
    ]
    return Rejection(
        last_settled.decided_by, last_settled.decided_at, last_settled.decision_note, changed
    )


class HistoryEntry(TypedDict):
    """One event of an item, in words."""

    at: datetime
    actor: User | None
    event: str
    words: str
    note: str


def history(item: Item) -> list[HistoryEntry]:
    """Return up to 50 events of this item in words, newest first."""
    events = Event.objects.about(item.account_id, item.entity, item.record_id)
    item_events = list(events.filter(data__item=str(item.public_id))[:50])
    if item.state == State.UNLINKED and item_events and item_events[0].verb != ItemEvent.UNLINK:
        # A later export of the record took over the link, so the event of its end names that item.
        ends = events.filter(
            verb=ItemEvent.UNLINK, data__erp_id=item.erp_id, pk__gt=item_events[0].pk
        )
        item_events = [*ends.order_by("pk")[:1], *item_events]
    return [
        {
            "at": event.at,
            "actor": event.actor,
            "event": event.verb,
            "words": EVENT_WORDS.get(event.verb, event.verb),
            "note": event.note or event.data.get("error", ""),
        }
        for event in item_events
    ]
