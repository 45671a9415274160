"""Details of one acceptance item: its preview, its changes, earlier rejections and its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from erp_integrations.adapters.base import EntityManifest, Wire
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.models import Item, Link
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.states import State
from erp_integrations.workflow.badges import EVENT_WORDS
from erp_integrations.workflow.payloads.commands import full_command
from erpbridge.access.models import User
from erpbridge.audit.models import Event

# Payload fields that are derived from other fields, so a change of them is shown there already.
DERIVED = frozenset({"path"})


def link_of(found: Item) -> Link | None:
    """Return the active link of the item's record, None if it is not linked."""
    return active_links(found.connection, found.entity, [found.record_id]).get(found.record_id)


def unlinked(found: Item) -> str:
    """Return a sentence with who ended the item's link and why, empty unless it is UNLINKED."""
    if found.state != State.UNLINKED:
        return ""
    links = Link.objects.filter(
        connection=found.connection_id, entity=found.entity, record_id=found.record_id
    )
    # The record may have been linked to the same ERP ID before this item; those links ended
    # earlier.
    gone = links.filter(erp_id=found.erp_id, ended_at__gte=found.settled_at)
    link = gone.select_related("ended_by").order_by("ended_at").first()
    who = (link.ended_by if link else None) or "erpbridge"
    why = f": {link.ended_why}" if link else "."
    return f"It is no longer linked to {found.erp_code or found.erp_id}. Unlinked by {who}{why}"


def wire(found: Item) -> Wire | None:
    """Return the adapter's preview of the export, None if the adapter cannot be used.

    It contains every field that is written, with its value.
    """
    try:
        adapter = adapter_loading.adapter_of(found.connection)
    except AdapterUnavailable:
        return None
    return adapter.preview(full_command(found.connection, found))


def changes(
    found: Item, link: Link | None, manifest: EntityManifest | None
) -> list[dict[str, Any]]:
    """Return the fields that an update would change, with the last exported and the new value.

    Empty for a record that is not linked, for settled items, and without a manifest.
    """
    if link is None or manifest is None or found.state in (State.SYNCED, State.UNLINKED):
        return []
    # An API client named the ERP ID and nobody has compared the records yet: ``synced_payload`` is
    # then our record at that time, not what the ERP holds.
    if link.told:
        return []
    before = link.synced_payload
    return [
        {"label": one.label, "old": before.get(one.name), "new": found.payload.get(one.name)}
        for one in manifest.fields
        if before.get(one.name) != found.payload.get(one.name)
    ]


@dataclass(frozen=True)
class Rejection:
    """An earlier rejection of the record, and what the sender has changed since."""

    by: User | None
    at: datetime | None
    reason: str
    changes: list[dict[str, Any]]


def rejected_before(found: Item, manifest: EntityManifest | None) -> Rejection | None:
    """Return the last rejection of the record, None if it was never rejected or synced since."""
    mine = Item.objects.filter(
        account=found.account_id, entity=found.entity, record_id=found.record_id, pk__lt=found.pk
    )
    # Retrieved items are skipped: the rejection before them is still what the sender has to answer.
    settled = mine.filter(state__in=[State.REJECTED, State.SYNCED, State.UNLINKED])
    last = settled.select_related("decided_by").order_by("-pk").first()
    if last is None or last.state != State.REJECTED:
        return None
    labels = {one.name: one.label for one in manifest.fields} if manifest else {}
    changed = [
        {
            "label": labels.get(name, name.replace("_", " ").capitalize()),
            "old": last.payload.get(name),
            "new": found.payload.get(name),
        }
        for name in {**labels, **last.payload, **found.payload}
        if last.payload.get(name) != found.payload.get(name) and name not in DERIVED
    ]
    return Rejection(last.decided_by, last.decided_at, last.decision_note, changed)


def history(found: Item) -> list[dict[str, Any]]:
    """Return up to 50 events of this item in words, newest first."""
    events = Event.objects.about(found.account_id, found.entity, found.record_id)
    mine = list(events.filter(data__item=str(found.public_id))[:50])
    if found.state == State.UNLINKED and mine and mine[0].verb != "unlink":
        # A later export of the record took over the link, so the event of its end names that item.
        ends = events.filter(verb="unlink", data__erp_id=found.erp_id, pk__gt=mine[0].pk)
        mine = [*ends.order_by("pk")[:1], *mine]
    return [
        {
            "at": event.at,
            "actor": event.actor,
            "event": event.verb,
            "words": EVENT_WORDS.get(event.verb, event.verb),
            "note": event.note or event.data.get("error", ""),
        }
        for event in mine
    ]
