"""Items of records that form a tree: find waiting descendants, and release children.

See docs/design/export-protocol.md, "Parents and children".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Q

from erp_integrations.models import Item
from erp_integrations.models.states import State
from erpbridge.db.batches import chunks

# Descendants that a decision about a parent can include. Other QUEUED items may be claimed at any
# moment, because they do not wait for a parent.
TAKEN_ALONG = Q(state=State.READY) | Q(state=State.QUEUED, waits_for__isnull=False)


def below(items: Sequence[Item]) -> list[Item]:
    """Return the waiting items of all descendants of the items' records, without ``items``."""
    own_ids = {item.pk for item in items}
    descendants: dict[int, Item] = {}
    tier = _records(items)
    # One query per tier and batch, not per record.
    while tier:
        children = _children(items, sorted(tier))
        next_tier = [item for item in children if item.pk not in descendants]
        descendants |= {item.pk: item for item in next_tier}
        tier = _records(next_tier)
    return [item for pk, item in sorted(descendants.items()) if pk not in own_ids]


def _records(items: Iterable[Item]) -> set[int]:
    return {item.record_id for item in items}


def _children(items: Sequence[Item], parents: Sequence[int]) -> list[Item]:
    """Waiting items of the direct children of ``parents``."""
    accounts = {(item.account_id, item.entity) for item in items}
    children: list[Item] = []
    for account_id, entity in sorted(accounts):
        rows = Item.objects.filter(TAKEN_ALONG, account=account_id, entity=entity)
        for chunk in chunks(parents):
            children += rows.filter(parent_id__in=chunk)
    return children


def release_children(connection_id: int, entity: str, records: Sequence[int]) -> None:
    """Let the items go on that wait for these records to be linked.

    The caller holds the lock on the connection.
    """
    # Only ``waits_for`` changes and not the state, so this is no move of ``transitions``.
    items = Item.objects.filter(connection=connection_id, entity=entity)
    for chunk in chunks(records):
        items.filter(waits_for__in=chunk).update(waits_for=None)
