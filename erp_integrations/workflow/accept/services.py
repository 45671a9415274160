"""Accept and reject: the decisions of accounting, and what follows a failure.

Accepting stores the decision and the work in one transaction; a message only wakes a worker up.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from erp_integrations.adapters.base import Operation, Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.wakeups import wake
from erp_integrations.models import Attempt, Connection, Item, Request, row_locks
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import DECIDABLE, State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.accept import id_proposals
from erp_integrations.workflow.accept.validation import Checks, decided
from erp_integrations.workflow.bulk_requests import Done, Refusal, carry_out
from erp_integrations.workflow.links import comparison
from erp_integrations.workflow.links.settlement import NO_ERROR
from erp_integrations.workflow.payloads import erp_keys
from erp_integrations.workflow.refusals import NotTaken
from erpbridge.access.models import User
from erpbridge.access.policy import Access
from erpbridge.db.batches import chunks
from erpbridge.db.numbers import LARGEST_ID
from erpbridge.refusals import Refused


@dataclass(frozen=True)
class Decision:
    """Accept one item as it was seen, with the values of the adapter's acceptance fields."""

    item_id: int
    digest: str
    values: Mapping[str, Any] = field(default_factory=dict)


def accept(decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    """Accept waiting items; each is checked by itself, and the good ones go although others are
    refused. The caller has asked the policy.
    """
    return _decide("accept", decisions, entity=entity, access=access)


def retry(decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    """Export failed items once more, as they were accepted or with other values.

    A failure means that the ERP did not take the command, so the retry is a new command with an
    intent of its own.
    """
    return _decide("retry", decisions, entity=entity, access=access)


def _decide(event: str, decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    wanted = {one.item_id: one for one in decisions if 0 < one.item_id <= LARGEST_ID}

    def do(batch: Sequence[int], click: Request) -> tuple[int, list[Refusal]]:
        held = _lock_connections(access, entity, batch)
        by_connection: dict[int, list[Item]] = defaultdict(list)
        for item in _visible(access, entity, batch):
            by_connection[item.connection_id].append(item)
        refused: list[Refusal] = []
        accepted = 0
        for connection_id, some in sorted(by_connection.items()):
            refusals = _decide_on(held[connection_id], some, wanted, click, access)
            refused += refusals
            accepted += len(some) - len(refusals)
            wake(connection_id)
        return accepted, refused

    click, done = carry_out(
        access, entity=entity, verb=event, batches=chunks(sorted(wanted)), do=do, labels=_labels
    )
    tracing.clicked(click)
    return done


def _labels(ids: Sequence[int]) -> dict[int, str]:
    """What the records of items are called."""
    return dict(Item.objects.filter(pk__in=ids).values_list("record_id", "label"))


def _lock_connections(access: Access, entity: str, ids: Sequence[int]) -> dict[int, Connection]:
    """Lock the connections of the items, so that what is read of the items afterwards holds."""
    items = Item.objects.visible_to(access).filter(entity=entity, pk__in=ids)
    of_items = set(items.order_by().values_list("connection_id", flat=True).distinct())
    rows = Connection.objects.filter(pk__in=of_items).order_by("pk")
    rows = rows.select_for_update(no_key=True)
    return {connection.pk: connection for connection in rows}


def _visible(access: Access, entity: str, ids: Sequence[int]) -> list[Item]:
    items = Item.objects.visible_to(access).filter(entity=entity, pk__in=ids)
    # Ten thousand items were decided by few people: each is read once.
    return list(items.prefetch_related("decided_by").order_by("pk"))


def _decide_on(
    connection: Connection,
    items: Sequence[Item],
    wanted: Mapping[int, Decision],
    click: Request,
    access: Access,
) -> list[Refusal]:
    """Accept or retry the items of one connection, whose row the caller has locked."""
    try:
        adapter = adapter_loading.adapter_of(connection)
        manifest = adapter_loading.entity_manifest(connection, click.entity)
    except AdapterUnavailable as error:
        return _all_refused(items, f"The ERP connection cannot be used: {error}")
    if manifest is None:
        return _all_refused(items, "The connected ERP does not take these.")
    check = Checks(connection, adapter, manifest, items, wanted, click.verb, access)
    each: dict[int, dict[str, Any]] = {}
    refusals = []
    for item in items:
        values = check.values[item.pk]
        problems = check.problems(item)
        if problems:
            refusals.append(Refusal(item.record_id, item.label, tuple(problems)))
            continue
        key = check.keys[item.pk]
        each[item.pk] = {
            "acceptance": values,
            "erp_key": key,
            "erp_key_compared": erp_keys.compared(manifest, key),
            "intent": uuid.uuid4(),
            "waits_for": check.missing_parent(item),
        }
    columns: dict[str, Any] = {
        "request": click,
        "decided_by": access.user,
        "decided_at": Now(),
        "decided_fence": F("fence"),
        "not_before": None,
        "attempts": 0,
        **NO_ERROR,
    }
    accepted = Item.objects.filter(pk__in=each)
    moved = transitions.move(click.verb, accepted, by=access.user, values=columns, each=each)
    return refusals + _beaten(each.keys() - {item.pk for item in moved})


def _all_refused(items: Sequence[Item], message: str) -> list[Refusal]:
    problem = Problem("connection", "unusable", message)
    return [Refusal(item.record_id, item.label, (problem,)) for item in items]


def _beaten(ids: Collection[int]) -> list[Refusal]:
    """Refusals of the items that somebody else decided between the look and the click."""
    items = Item.objects.filter(pk__in=ids).select_related("decided_by").order_by("pk")
    return [Refusal(item.record_id, item.label, (decided(item),)) for item in items]


@transaction.atomic
def use_anyway(item: Item, *, seen: Collection[str], reason: str, access: Access) -> None:
    """The ERP's record that a program named is the right one: the item can go on, and is exported
    once more where it has failed.

    :param seen: the IDs of the ERP under which the person has looked.
    :raises NotTaken: with every reason why not.
    """
    comparison.use_anyway(item, seen=seen, access=access, why=reason)
    if item.state == State.FAILED:
        done = retry([Decision(item.pk, item.digest)], entity=item.entity, access=access)
        if done.refused:
            raise NotTaken(problem for row in done.refused for problem in row.problems)


def withdraw(item: Item, *, reason: str, by: User) -> None:
    """Take an accepted item back to READY, as long as nothing of it can be in the ERP.

    :raises Refused: where something of it may be in the ERP, or it has moved on.
    """
    with transaction.atomic():
        Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
        last = item.tries.since_decided().order_by("-fence").first()
        if last is not None and last.outcome != Attempt.Outcome.NOT_APPLIED:
            raise Refused("It has been sent to the ERP, so it cannot be withdrawn.")
        values = {"not_before": None, "waits_for": None, "attempts": 0, **NO_ERROR}
        found = Item.objects.filter(pk=item.pk)
        if not transitions.move("withdraw", found, by=by, why=reason, values=values):
            raise Refused(
                "It is on its way to the ERP, or has moved on, so it cannot be withdrawn."
            )


def proposals_for(items: Sequence[Item]) -> None:
    """Fill unused ids into the acceptance of items that wait for a decision or failed."""
    by_connection: dict[int, list[Item]] = {}
    for item in items:
        if item.state in DECIDABLE and item.operation == Operation.CREATE:
            by_connection.setdefault(item.connection_id, []).append(item)
    found = Connection.objects.in_bulk(list(by_connection))
    for connection_id, some in by_connection.items():
        try:
            manifest = adapter_loading.entity_manifest(found[connection_id], some[0].entity)
        except AdapterUnavailable:
            continue
        if manifest is not None:
            id_proposals.propose(found[connection_id], manifest, some)


def reject(
    items: ItemQuerySet,
    *,
    entity: str,
    reason: str,
    access: Access,
    reasons: Mapping[int, str] | None = None,
) -> Done:
    """Hand items back to their senders, who can edit and re-send the records.

    Accepted items that still wait for a parent are taken out of the queue first.

    :param reasons: item id -> a reason of its own.
    """
    wanted = list(items.order_by("pk").values_list("pk", flat=True))

    def do(batch: Sequence[int], _click: Request) -> tuple[int, list[Refusal]]:
        row_locks.lock_connections_of(Item.objects.filter(pk__in=batch))
        waiting = Item.objects.filter(pk__in=batch, state=State.QUEUED, waits_for__isnull=False)
        transitions.move(
            "withdraw", waiting, by=access.user, why=reason, values={"waits_for": None}
        )
        by_reason: dict[str, list[int]] = defaultdict(list)
        for pk in batch:
            by_reason[(reasons or {}).get(pk) or reason].append(pk)
        moved: set[int] = set()
        for why, ids in by_reason.items():
            moved |= _reject(ids, why, access)
        return len(moved), _beaten(set(batch) - moved)

    verb = Request.Verb.REJECT
    click, done = carry_out(
        access, entity=entity, verb=verb, batches=chunks(wanted), do=do, labels=_labels
    )
    tracing.clicked(click)
    return done


def _reject(ids: Sequence[int], reason: str, access: Access) -> set[int]:
    values = {
        "decided_by": access.user,
        "decided_at": Now(),
        "decision_note": reason,
        "settled_at": Now(),
    }
    items = Item.objects.filter(pk__in=ids)
    moved = transitions.move("reject", items, by=access.user, why=reason, values=values)
    return {item.pk for item in moved}
