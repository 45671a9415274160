"""Claim due items for a worker: set a lease and a new fence; and store the attempts to send them.

A short lock on the connection's row covers all checks: whether the connection is paused or resting,
how many items may be in flight, and how many the ERP's rate limit allows.
See docs/design/export-protocol.md, "Claiming" and "Pacing".
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Subquery

from erp_integrations.adapters.base import Delivery, Manifest, Operation
from erp_integrations.clock import Reading, at_least
from erp_integrations.export import circuit_breaker
from erp_integrations.export.rate_limit import most_at_once, room, use_slots, with_in_flight
from erp_integrations.models import Attempt, Connection, Item, Link
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import ItemEvent, State
from erp_integrations.workflow import transitions
from erp_integrations.workflow.payloads.commands import Claim, command_of
from erpbridge.db.bulk_insert import AT_ONCE
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
    """Claim the next due items, all of one record type.

    :param most: the most items to claim; for file delivery the only limit.
    :param entity: claim only items of this record type.
    """
    with transaction.atomic():
        # NO KEY: rows that refer to the connection can be written meanwhile (docs/locks.md).
        rows = Connection.objects.select_for_update(no_key=True).annotate(now=Reading())
        locked = rows.get(pk=connection.pk)
        if locked.config != connection.config:
            # The settings were changed: the caller's adapter may call a different ERP by now.
            return []
        if circuit_breaker.rests(locked, locked.now):
            return []
        items, links = _chosen(locked, manifest, most, entity)
        if not items:
            return []
        for item in items:
            # A new fence makes answers to earlier claims late; attempts count at the claim, so
            # that an item that kills its worker is not tried forever.
            item.fence += 1
            item.attempts += 1
        columns = {item.pk: {"fence": item.fence, "attempts": item.attempts} for item in items}
        lease_until = at_least(lease(manifest))
        transitions.apply(
            ItemEvent.CLAIM,
            items,
            by=None,
            values={"lease_until": lease_until, "call": uuid4()},
            item_columns=columns,
        )
        use_slots(locked, manifest, len(items))
        return _claims(locked, items, links)


def _chosen(
    connection: LockedConnection, manifest: Manifest, most: int | None, entity: str
) -> tuple[list[Item], dict[int, Link]]:
    """The items to claim, locked, and the links of their records and parents.

    An item whose parent is not linked goes back to waiting for it: without the parent's ERP ID the
    record would be created at the root, or under a wrong parent if nobody can compare that ID.
    """
    while items := _locked(connection, manifest, most, entity):
        parents = {item.pk: item.parent_id for item in items if item.parent_id is not None}
        # A record has no link while its create is open: it is locked, so nobody else links it.
        linked = {item.record_id for item in items if item.operation != Operation.CREATE}
        links = active_links(connection, items[0].entity, sorted(linked.union(parents.values())))
        orphans = parents_missing(manifest, parents, links)
        if not orphans:
            return items, links
        # Choose again without them; their parents may have been unlinked since they were queued.
        Item.objects.filter(pk__in=orphans).update(waits_for=F("parent_id"))
    return [], {}


def _locked(
    connection: LockedConnection, manifest: Manifest, most: int | None, entity: str
) -> list[Item]:
    """The next due items that one call may have, locked; all of one record type."""
    due = _due(connection, entity).order_by(*ORDER)
    # A call has commands of one operation, and items that failed before are sent alone, so that
    # they cannot fail a whole batch.
    is_file = manifest.delivery == Delivery.FILE
    alike = ("entity",) if is_file else ("entity", "operation", "attempts")
    due = due.filter(**{name: Subquery(due.values(name)[:1]) for name in alike})
    next_ids = due.values("pk")[: most_at_once(connection, manifest, most)]
    rows = with_in_flight(connection, Item.objects.filter(pk__in=next_ids))
    # Locked by id (docs/locks.md), taken in the order of the queue.
    items = sorted(transitions.lock(ItemEvent.CLAIM, rows), key=attrgetter(*ORDER))
    return items[: room(connection, manifest, items[0], most)] if items else []


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


def _claims(
    connection: LockedConnection, items: Sequence[Item], links: Mapping[int, Link]
) -> list[Claim]:
    worker = worker_name()
    attempts = [
        Attempt(item=item, fence=item.fence, worker=worker, opened_reading=connection.now)
        for item in items
    ]
    return [_claimed(attempt, links) for attempt in attempts]


def _claimed(attempt: Attempt, links: Mapping[int, Link]) -> Claim:
    item = attempt.item
    link, parent = links.get(item.record_id), links.get(item.parent_id or 0)
    command = command_of(item, link=link, parent=parent)
    unconfirmed = link is not None and (link.told or not link.erp_code)
    return Claim(item, command, attempt, link, parent, unconfirmed)


def write_ahead(claims: Sequence[Claim]) -> None:
    """Store the attempts of claims, before any of their commands leaves erpbridge.

    An item whose worker stopped before this was not sent: nothing in the ERP can be due to it.
    """
    # Durable, because commands leave the machine because of this commit: after a power failure the
    # attempts must still be there.
    with durable():
        Attempt.objects.bulk_create([claimed.attempt for claimed in claims], batch_size=AT_ONCE)
