"""Items whose records are under one another: what waits for a parent, and what frees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Q

from erp_integrations.models import Item
from erp_integrations.models.states import State
from erpbridge.db.batches import CHUNK, chunks

# What a decision about a parent can take along: waiting for it, or for accounting.
TAKEN_ALONG = Q(state=State.READY) | Q(state=State.QUEUED, waits_for__isnull=False)


def below(items: Sequence[Item]) -> list[Item]:
    """The items of everything under the records of ``items`` that waits, without these."""
    mine = {item.pk for item in items}
    found: dict[int, Item] = {}
    tier = _records(items)
    while tier:
        children = _children(items, sorted(tier))
        new = [item for item in children if item.pk not in found]
        found |= {item.pk: item for item in new}
        tier = _records(new)
    return [item for pk, item in sorted(found.items()) if pk not in mine]


def _records(items: Iterable[Item]) -> set[int]:
    return {item.record_id for item in items}


def _children(items: Sequence[Item], parents: Sequence[int]) -> list[Item]:
    """All of the account's waiting items right under some records."""
    accounts = {(item.account_id, item.entity) for item in items}
    found: list[Item] = []
    for account_id, entity in sorted(accounts):
        rows = Item.objects.filter(TAKEN_ALONG, account=account_id, entity=entity)
        for start in range(0, len(parents), CHUNK):
            found += rows.filter(parent_id__in=parents[start : start + CHUNK])
    return found


def release_children(connection_id: int, entity: str, records: Sequence[int]) -> None:
    """Items that waited for these records to be in the ERP can go on."""
    waiting = Item.objects.filter(connection=connection_id, entity=entity)
    for some in chunks(records):
        waiting.filter(waits_for__in=some).update(waits_for=None)
