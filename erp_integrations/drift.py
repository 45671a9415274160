"""Drift: edited since the ERP took it; kept on the record so that lists can filter by it."""

from __future__ import annotations

from collections.abc import Sequence

from erp_integrations import connections, outgoing
from erp_integrations.digests import digest
from erp_integrations.models import Link
from erp_integrations.moves import chunks
from erp_integrations.records import record_type


def note_edits(entity: str, account_id: int, ids: Sequence[int]) -> None:
    """Compare edited records with what the ERP took of them last.

    Called in the transaction of the edit, and whenever a link is made. Records that are not linked
    have not drifted. A fixed number of queries for each 500.
    """
    kind = record_type(entity)
    connection = connections.active(account_id, entity)
    manifest = connections.usable_manifest(connection, entity)
    for some in chunks(sorted(ids)):
        links = Link.objects.filter(
            entity=entity, record_id__in=some, ended_at=None, connection=connection
        )
        taken = dict(links.values_list("record_id", "synced_digest"))
        drafts = outgoing.drafts(kind, account_id, sorted(taken), manifest)
        now = {one.record_id for one in drafts if digest(one.payload) != taken[one.record_id]}
        rows = kind.model._base_manager.filter(pk__in=some)
        rows.filter(pk__in=now, drifted=False).update(drifted=True)
        rows.filter(drifted=True).exclude(pk__in=now).update(drifted=False)
