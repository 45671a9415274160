"""Drift: whether a record was edited since its last export.

It is stored in a column of the record, so that lists can filter by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.record_types import Draft, record_type
from erp_integrations.workflow.links.record_columns import show_drift
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.digest import digest
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import lock_rows, write_rows


def _rename(links: Mapping[int, Link], drafts: Sequence[Draft]) -> None:
    """Update the labels of links, by which the list of synced records names them."""
    renamed = []
    for draft in drafts:
        link = links[draft.record_id]
        if link.label != draft.label[:255]:
            link.label = draft.label[:255]
            renamed.append(link)
    write_rows(renamed, ["label"])


def note_edits(entity: str, account_id: int, ids: Sequence[int]) -> None:
    """Compare edited records with their last export, and store whether they have drifted.

    Call it in the transaction of the edit. Records that are
    not linked have no drift. Needs a fixed number of queries per 500 records.
    """
    kind = record_type(entity)
    connection = connection_services.active(account_id, entity)
    manifest = adapter_loading.usable_manifest(connection, entity)
    for chunk in chunks(sorted(ids)):
        rows_linked = Link.objects.active().filter(
            entity=entity, record_id__in=chunk, connection=connection
        )
        links = {link.record_id: link for link in rows_linked}
        drafts = payload_drafts.drafts(kind, account_id, sorted(links), manifest)
        _rename(links, drafts)
        drifted = {
            draft.record_id
            for draft in drafts
            if digest(draft.payload) != links[draft.record_id].synced_digest
        }
        # ``show_drift`` updates by filters, and such an UPDATE locks rows in any order
        # (docs/locks.md).
        lock_rows(kind.model._base_manager.all(), chunk)
        show_drift(kind, chunk, drifted)


def note_edits_since_sent(connection: Connection, items: Sequence[Item]) -> None:
    """Mark the records of items that were just linked and have changed since they were sent.

    :param items: of one record type, synced as they were sent.
    """
    first = items[0]
    manifest = adapter_loading.usable_manifest(connection, first.entity)
    sent = {item.record_id: item.digest for item in items}
    kind = record_type(first.entity)
    drafts = payload_drafts.drafts(kind, first.account_id, sorted(sent), manifest)
    changed = [
        draft.record_id for draft in drafts if digest(draft.payload) != sent[draft.record_id]
    ]
    if changed:
        note_edits(first.entity, first.account_id, changed)
