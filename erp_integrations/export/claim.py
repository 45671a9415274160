"""Claiming: giving due items to a worker, with a lease, a fence and an attempt written ahead.

Everything is decided under a short lock on the connection's row: whether it rests, how many items
may be in flight, and how many the ERP's rate allows.
See docs/design/export-protocol.md, "Claiming" and "Pacing".
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from erp_integrations.adapters.base import Delivery, Manifest
from erp_integrations.clock import Reading, at_least
from erp_integrations.export import circuit_breaker
from erp_integrations.export.rate_limit import _room, _use_slots
from erp_integrations.models import Attempt, Connection, Item, Link
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import State
from erp_integrations.workflow import transitions
from erp_integrations.workflow.payloads.commands import Claim, command_of
from erpbridge.db.busy import retried
from erpbridge.db.durable_commits import durable

# Parents before children, then first come, first served.
ORDER = ("depth", "id")


def worker_name() -> str:
    """Which process made an attempt."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


@retried
def claim(
    connection: Connection, manifest: Manifest, *, most: int | None = None, entity: str = ""
) -> list[Claim]:
    """Take the next items that are due, all of one record type, and write the attempts ahead.

    :param most: no more than this; in a file delivery this alone decides how many.
    :param entity: only of this record type.
    """
    with durable(), transaction.atomic():
        rows = Connection.objects.select_for_update(no_key=True).annotate(now=Reading())
        held = rows.get(pk=connection.pk)
        if held.config != connection.config:
            # The caller's adapter may lead to another ERP by now.
            return []
        if circuit_breaker.is_resting(held):
            return []
        chosen, links = _chosen(held, manifest, most, entity)
        if not chosen:
            return []
        items = transitions.move(
            "claim",
            Item.objects.filter(pk__in=chosen),
            by=None,
            values={
                "fence": F("fence") + 1,
                "attempts": F("attempts") + 1,
                "lease_until": at_least(lease(manifest)),
            },
        )
        _use_slots(held, manifest, len(items))
        return _write_ahead(held, items, links)


def _chosen(
    held: Any, manifest: Manifest, most: int | None, entity: str
) -> tuple[list[int], dict[int, Link]]:
    """The ids of the items to take, and the links of their records and parents. One whose parent
    has no link goes back to waiting for it: without the parent's ERP id it would land at the ERP's
    root, and under an ID that nobody can compare maybe under another record.
    """
    due = _due(held, entity).order_by(*ORDER)
    while first := due.first():
        alike = due.filter(entity=first.entity)
        if manifest.delivery != Delivery.FILE:
            # What failed before goes alone, so that it cannot take others down with it.
            alike = alike.filter(attempts=first.attempts)
        room = _room(held, manifest, first, most)
        rows = list(alike.values_list("pk", "record_id", "parent_id")[:room])
        parents = {pk: parent for pk, _record, parent in rows if parent is not None}
        records = {record for _pk, record, _parent in rows}
        links = active_links(held, first.entity, sorted(records.union(parents.values())))
        orphans = parents_missing(manifest, parents, links)
        if not orphans:
            return [pk for pk, _record, _parent in rows], links
        Item.objects.filter(pk__in=orphans).update(waits_for=F("parent_id"))
    return [], {}


def parents_missing(
    manifest: Manifest, parents: Mapping[int, int], links: Mapping[int, Link]
) -> list[int]:
    """Of items, those whose parent record has no link, or one by an ID that a program named where
    no worker can look whether it is the right one.

    :param parents: item id -> record id of its parent.
    """
    usable = {pk for pk, link in links.items() if manifest.can_compare or not link.told}
    return [pk for pk, parent in parents.items() if parent not in usable]


def lease(manifest: Manifest) -> float:
    """Seconds that a claim holds: longer than any call made under it."""
    return manifest.call_deadline + settings.ERPBRIDGE_LEASE_MARGIN


def _due(held: Connection, entity: str) -> ItemQuerySet:
    """Items whose time has come. Their keys are theirs alone while they are in the air."""
    ready_now = Q(not_before=None) | Q(not_before__lte=Reading())
    waiting = Item.objects.filter(connection=held, state=State.QUEUED, waits_for=None)
    return waiting.filter(ready_now, **({"entity": entity} if entity else {}))


def _write_ahead(held: Any, items: Sequence[Item], links: Mapping[int, Link]) -> list[Claim]:
    rows = Item.objects.filter(pk__in=[one.pk for one in items]).select_related("request")
    fresh = {item.pk: item for item in rows}
    attempts = Attempt.objects.bulk_create(
        Attempt(
            item=fresh[item.pk],
            fence=fresh[item.pk].fence,
            worker=worker_name(),
            opened_reading=held.now,
        )
        for item in items
    )
    ordered = sorted(attempts, key=lambda one: (one.item.depth, one.item_id))
    return [_claimed(one, links) for one in ordered]


def _claimed(attempt: Attempt, links: Mapping[int, Link]) -> Claim:
    item = attempt.item
    link, parent = links.get(item.record_id), links.get(item.parent_id or 0)
    command = command_of(item, link=link, parent=parent)
    unseen = link is not None and (link.told or not link.erp_code)
    return Claim(item, command, attempt, link, parent, unseen)
