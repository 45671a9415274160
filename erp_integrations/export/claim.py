"""Claim due items for a worker: set a lease and a new fence, and write the attempt rows.

A short lock on the connection's row covers all checks: whether the connection is paused or resting,
how many items may be in flight, and how many the ERP's rate limit allows.
See docs/design/export-protocol.md, "Claiming" and "Pacing".
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from erp_integrations.adapters.base import Delivery, Manifest
from erp_integrations.clock import Reading, at_least
from erp_integrations.export import circuit_breaker
from erp_integrations.export.rate_limit import room, use_slots
from erp_integrations.models import Attempt, Connection, Item, Link
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import ItemEvent, State
from erp_integrations.workflow import transitions
from erp_integrations.workflow.payloads.commands import Claim, command_of
from erpbridge.db.busy import retried
from erpbridge.db.durable_commits import durable

if TYPE_CHECKING:
    from erp_integrations.export.rate_limit import LockedConnection

# Parents before children, then oldest first.
ORDER = ("depth", "id")


def worker_name() -> str:
    """Name of this process (host:pid), stored with the attempts that it makes."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


@retried
def claim(
    connection: Connection, manifest: Manifest, *, most: int | None = None, entity: str = ""
) -> list[Claim]:
    """Claim the next due items, all of one record type, and write their attempt rows.

    :param most: the most items to claim; for file delivery the only limit.
    :param entity: claim only items of this record type.
    """
    # Durable, because commands leave the machine because of this commit: after a power failure the
    # attempts must still be there.
    with durable(), transaction.atomic():
        # NO KEY: rows that refer to the connection can be written meanwhile (docs/locks.md).
        rows = Connection.objects.select_for_update(no_key=True).annotate(now=Reading())
        locked = rows.get(pk=connection.pk)
        if locked.config != connection.config:
            # The settings were changed: the caller's adapter may call a different ERP by now.
            return []
        if circuit_breaker.rests(locked, locked.now):
            return []
        chosen, links = _chosen(locked, manifest, most, entity)
        if not chosen:
            return []
        items = transitions.move(
            ItemEvent.CLAIM,
            Item.objects.filter(pk__in=chosen),
            by=None,
            values={
                # A new fence makes answers to earlier claims late; attempts count at the claim, so
                # that an item that kills its worker is not tried forever.
                "fence": F("fence") + 1,
                "attempts": F("attempts") + 1,
                "lease_until": at_least(lease(manifest)),
                "call": uuid4(),
            },
        )
        for item in items:
            # As the UPDATE has counted: the rows are locked.
            item.fence += 1
            item.attempts += 1
        use_slots(locked, manifest, len(items))
        return _write_ahead(locked, items, links)


def _chosen(
    connection: LockedConnection, manifest: Manifest, most: int | None, entity: str
) -> tuple[list[int], dict[int, Link]]:
    """The ids of the items to claim, and the links of their records and parents.

    An item whose parent is not linked goes back to waiting for it: without the parent's ERP ID the
    record would be created at the root, or under a wrong parent if nobody can compare that ID.
    """
    due = _due(connection, entity).order_by(*ORDER)
    while first := due.first():
        batch = due.filter(entity=first.entity)
        if manifest.delivery != Delivery.FILE:
            # Items that failed before are sent alone, so that they cannot fail a whole batch; and
            # a call has commands of one operation.
            batch = batch.filter(attempts=first.attempts, operation=first.operation)
        limit = room(connection, manifest, first, most)
        rows = list(batch.values_list("pk", "record_id", "parent_id")[:limit])
        parents = {pk: parent for pk, _record, parent in rows if parent is not None}
        records = {record for _pk, record, _parent in rows}
        links = active_links(connection, first.entity, sorted(records.union(parents.values())))
        orphans = parents_missing(manifest, parents, links)
        if not orphans:
            return [pk for pk, _record, _parent in rows], links
        # Choose again without them; their parents may have been unlinked since they were queued.
        Item.objects.filter(pk__in=orphans).update(waits_for=F("parent_id"))
    return [], {}


def parents_missing(
    manifest: Manifest, parents: Mapping[int, int], links: Mapping[int, Link]
) -> list[int]:
    """Ids of the items whose parent record has no usable link.

    A link by an ID that an API client named counts only if a worker can compare it with the ERP.

    :param parents: item id -> record id of its parent.
    """
    usable = {pk for pk, link in links.items() if manifest.can_compare or not link.told}
    return [pk for pk, parent in parents.items() if parent not in usable]


def lease(manifest: Manifest) -> float:
    """Lease of a claim in seconds; longer than any call made under it."""
    return manifest.call_deadline + settings.ERPBRIDGE_LEASE_MARGIN


def _due(connection: Connection, entity: str) -> ItemQuerySet:
    """Queued items of the connection that may be sent now."""
    ready_now = Q(not_before=None) | Q(not_before__lte=Reading())
    waiting = Item.objects.filter(connection=connection, state=State.QUEUED, waits_for=None)
    return waiting.filter(ready_now, **({"entity": entity} if entity else {}))


def _write_ahead(
    connection: LockedConnection, items: Sequence[Item], links: Mapping[int, Link]
) -> list[Claim]:
    attempts = Attempt.objects.bulk_create(
        Attempt(
            item=item,
            fence=item.fence,
            worker=worker_name(),
            opened_reading=connection.now,
        )
        for item in items
    )
    ordered = sorted(attempts, key=lambda attempt: (attempt.item.depth, attempt.item_id))
    return [_claimed(attempt, links) for attempt in ordered]


def _claimed(attempt: Attempt, links: Mapping[int, Link]) -> Claim:
    item = attempt.item
    link, parent = links.get(item.record_id), links.get(item.parent_id or 0)
    command = command_of(item, link=link, parent=parent)
    unconfirmed = link is not None and (link.told or not link.erp_code)
    return Claim(item, command, attempt, link, parent, unconfirmed)
