"""What is known of one acceptance item: what goes out, what it changes, what happened to it."""

from __future__ import annotations

from typing import Any

from erp_integrations import connections
from erp_integrations.adapters.base import EntityManifest, Wire
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.claiming import full_command
from erp_integrations.links import active_links
from erp_integrations.models import Item, Link
from erp_integrations.states import EVENT_WORDS, State
from erpbridge.audit.models import Event


def link_of(found: Item) -> Link | None:
    """The active link of the item's record."""
    return active_links(found.connection, found.entity, [found.record_id]).get(found.record_id)


def wire(found: Item) -> Wire | None:
    """What will be written to the ERP; None where its adapter is not installed."""
    try:
        adapter = connections.adapter_of(found.connection)
    except AdapterUnavailable:
        return None
    return adapter.preview(full_command(found.connection, found))


def changes(
    found: Item, link: Link | None, manifest: EntityManifest | None
) -> list[dict[str, Any]]:
    """For a linked record: what differs from what the ERP took last."""
    if link is None or manifest is None or found.state == State.SYNCED:
        return []
    before = link.synced_payload
    return [
        {"label": one.label, "old": before.get(one.name), "new": found.payload.get(one.name)}
        for one in manifest.fields
        if before.get(one.name) != found.payload.get(one.name)
    ]


def history(found: Item) -> list[dict[str, Any]]:
    """What happened to this item, newest first, in words."""
    events = Event.objects.about(found.account_id, found.entity, found.record_id)
    mine = events.filter(data__item=str(found.public_id))[:50]
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
