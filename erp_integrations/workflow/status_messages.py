"""Messages about the export of a record, for the record's own page and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erp_integrations.connections import adapter_loading, wait_reasons
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Item
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.record_types import Draft, Sendable, record_type
from erp_integrations.models.states import OPEN, State
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.digest import digest

# States that are explained to the sender: the reason, and the next step.
TOLD = frozenset({State.REJECTED, State.FAILED, State.NEEDS_ANSWER})


@dataclass(frozen=True)
class News:
    """A banner of the record page; ``kind`` is the kind of the banner, such as "warning"."""

    kind: str
    heading: str
    text: str


def news(entity: str, account_id: int, record: Sendable) -> list[News]:
    """Return the banners of a record's page.

    They say why the record was rejected or its export failed, what the export waits for, and which
    fields were edited since the sync.
    """
    banners = []
    if record.erp_state in TOLD | OPEN:
        items = Item.objects.filter(account=account_id, entity=entity, record_id=record.pk)
        related = items.select_related("decided_by", "sent_by", "connection")
        # The latest item is the one that ``erp_state`` shows.
        item = related.order_by("-pk").first()
        banners = _of_item(item) if item is not None else []
    if record.origin_id:
        banners += _drift(entity, account_id, record)
    return banners


def reasons(entity: str, account_id: int, records: Sequence[Sendable]) -> dict[int, str]:
    """Return record id -> reason of its rejection or failure, with one query for a whole page."""
    refused_ids = [record.pk for record in records if record.erp_state in TOLD]
    items = Item.objects.filter(account=account_id, entity=entity, record_id__in=refused_ids)
    rows = items.filter(state__in=sorted(TOLD)).order_by("pk")
    # A record can have several such items; in this order the latest one overwrites the others.
    return {item.record_id: item.decision_note or item.error_text for item in rows}


def _of_item(item: Item) -> list[News]:
    banners = [_outcome_banner(item)] if item.state in TOLD else []
    wait = wait_reasons.of_item(item)
    return [*banners, News("warning", wait.heading, wait.text)] if wait else banners


def _outcome_banner(item: Item) -> News:
    if item.state == State.REJECTED:
        text = f"{item.decision_note} Edit the record, then re-send it."
        return News("warning", f"Rejected by {item.decided_by}", text)
    if item.state == State.FAILED:
        text = f"{item.error_text} {item.error_advice}".strip()
        next_step = "An accounting approver can retry it, or return it to be edited."
        return News("error", "The ERP did not accept it", f"{text} {next_step}")
    next_step = "An accounting approver has to look into the ERP."
    return News("warning", "Export outcome unknown", f"{item.error_text} {next_step}")


def _drift(entity: str, account_id: int, record: Sendable) -> list[News]:
    connection = connection_services.active(account_id, entity)
    manifest = adapter_loading.usable_manifest(connection, entity)
    drafts = payload_drafts.drafts(record_type(entity), account_id, [record.pk], manifest)
    if connection is None or not drafts:
        return []
    link = active_links(connection, entity, [record.pk]).get(record.pk)
    # Compared by the outgoing payload: edits of fields that are not exported are no drift.
    if link is None or link.synced_digest == digest(drafts[0].payload):
        return []
    labels = {field.name: field.label for field in manifest.fields} if manifest else {}
    names = [labels.get(name, name) for name in _changed_fields(drafts[0], link.synced_payload)]
    fields = f": {', '.join(names)}" if names else ""
    text = "The ERP still holds the record as it was. Re-send it where the ERP takes changes."
    return [News("info", f"Changed since it was synced{fields}", text)]


def _changed_fields(draft: Draft, synced: dict[str, object]) -> list[str]:
    # Empty if the record was linked without an export, and the ERP record differs from it.
    if not synced:
        return []
    return [name for name, value in draft.payload.items() if synced.get(name) != value]
