"""Accept, retry, withdraw and reject items: the decisions of accounting.

The decision and the work are stored in one transaction; the message to a worker only wakes it up
(docs/adr/0001-the-row-is-the-queue.md).
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from erp_integrations.adapters.base import Operation, Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.wakeups import wake
from erp_integrations.models import Attempt, Connection, Item, Request, row_locks
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import DECIDABLE, ItemEvent, State
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
from erpbridge.refusals import BulkResult, Refused


@dataclass(frozen=True)
class Decision:
    """A decision to accept or retry one item.

    ``digest``: of the item as the user saw it. ``values``: the acceptance values; if empty, the
    saved ones are used.
    """

    item_id: int
    digest: str
    values: Mapping[str, object] = field(default_factory=dict)


def accept(decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    """Accept waiting items for export; items with problems are refused, the others are accepted.

    The caller has checked the permission.
    """
    return _decide(ItemEvent.ACCEPT, decisions, entity=entity, access=access)


def retry(decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    """Export failed items again, with the same or with other acceptance values.

    FAILED means that the ERP did not apply the command, so a retry is a new command with a new
    intent. The caller has checked the permission.
    """
    return _decide(ItemEvent.RETRY, decisions, entity=entity, access=access)


def accept_or_retry(
    items: Sequence[Item], decisions: Sequence[Decision], *, entity: str, access: Access
) -> Done:
    """Decide about the rows of one list: accept what waits, or retry what has failed.

    The list of failed items also has those that need an answer, which are refused here.
    """
    if any(item.state == State.FAILED for item in items):
        return retry(decisions, entity=entity, access=access)
    return accept(decisions, entity=entity, access=access)


def _decide(
    event: ItemEvent, decisions: Sequence[Decision], *, entity: str, access: Access
) -> Done:
    # Ids beyond 64 bits, which an API client can send, would be an error of the database.
    decision_of = {
        decision.item_id: decision for decision in decisions if 0 < decision.item_id <= LARGEST_ID
    }

    def do(batch: Sequence[int], click: Request) -> BulkResult[Refusal]:
        # Claims, sends and links hold these locks too, so what is checked below stays true until
        # the commit. Connections come before items in the lock order (docs/locks.md).
        connections = _lock_connections(access, entity, batch)
        by_connection: dict[int, list[Item]] = defaultdict(list)
        for item in _visible(access, entity, batch):
            by_connection[item.connection_id].append(item)
        refused: list[Refusal] = []
        accepted = 0
        for connection_id, connection_items in sorted(by_connection.items()):
            refusals = _decide_on(
                connections[connection_id], connection_items, decision_of, click, access
            )
            refused += refusals
            accepted += len(connection_items) - len(refusals)
            # Sent on commit: a worker that wakes up earlier would find nothing.
            wake(connection_id)
        return BulkResult(accepted, tuple(refused))

    click, done = carry_out(
        access,
        entity=entity,
        verb=Request.Verb(event),
        batches=chunks(sorted(decision_of)),
        do=do,
        labels=_labels,
    )
    tracing.clicked(click)
    return done


def _labels(ids: Sequence[int]) -> dict[int, str]:
    """Record id -> label, by item ids."""
    return dict(Item.objects.filter(pk__in=ids).values_list("record_id", "label"))


def _lock_connections(access: Access, entity: str, ids: Sequence[int]) -> dict[int, Connection]:
    items = Item.objects.visible_to(access).filter(entity=entity, pk__in=ids)
    of_items = set(items.order_by().values_list("connection_id", flat=True).distinct())
    rows = Connection.objects.filter(pk__in=of_items).order_by("pk")
    rows = rows.select_for_update(no_key=True)
    return {connection.pk: connection for connection in rows}


def _visible(access: Access, entity: str, ids: Sequence[int]) -> list[Item]:
    items = Item.objects.visible_to(access).filter(entity=entity, pk__in=ids)
    # Prefetched, not joined: many items were decided by few people, each of whom is loaded once.
    return list(items.prefetch_related("decided_by").order_by("pk"))


def _decide_on(
    connection: Connection,
    items: Sequence[Item],
    decision_of: Mapping[int, Decision],
    click: Request,
    access: Access,
) -> list[Refusal]:
    """Accept or retry items of one connection, which the caller has locked; returns refusals."""
    try:
        adapter = adapter_loading.adapter_of(connection)
        manifest = adapter_loading.entity_manifest(connection, click.entity)
    except AdapterUnavailable as error:
        return _all_refused(items, f"The ERP connection cannot be used: {error}")
    if manifest is None:
        return _all_refused(items, "The connected ERP does not take these.")
    event = ItemEvent(click.verb)
    check = Checks(connection, adapter, manifest, items, decision_of, event, access)
    item_columns: dict[int, dict[str, object]] = {}
    refusals = []
    for item in items:
        values = check.values[item.pk]
        problems = check.problems(item)
        if problems:
            refusals.append(Refusal(item.record_id, item.label, tuple(problems)))
            continue
        key = check.keys[item.pk]
        item_columns[item.pk] = {
            "acceptance": values,
            "erp_key": key,
            "erp_key_compared": erp_keys.compared(manifest, key),
            # A new command, because nothing of an earlier one was applied
            # (docs/design/export-protocol.md, "Unknown outcomes").
            "intent": uuid.uuid4(),
            "waits_for": check.missing_parent(item),
        }
    columns: dict[str, object] = {
        "request": click,
        "decided_by": access.user,
        "decided_at": Now(),
        # Attempts with a higher fence belong to this decision.
        "decided_fence": F("fence"),
        "not_before": None,
        "attempts": 0,
        **NO_ERROR,
    }
    # The move takes only items that are still in a state for it; the missing ones were decided by
    # someone else after the check.
    accepted = Item.objects.filter(pk__in=item_columns)
    moved = transitions.move(
        event, accepted, by=access.user, values=columns, item_columns=item_columns
    )
    return refusals + _beaten(item_columns.keys() - {item.pk for item in moved})


def _all_refused(items: Sequence[Item], message: str) -> list[Refusal]:
    problem = Problem("connection", "unusable", message)
    return [Refusal(item.record_id, item.label, (problem,)) for item in items]


def _beaten(ids: Collection[int]) -> list[Refusal]:
    """Refusals of items that someone else has decided meanwhile."""
    items = Item.objects.filter(pk__in=ids).select_related("decided_by").order_by("pk")
    return [Refusal(item.record_id, item.label, (decided(item),)) for item in items]


@transaction.atomic
def use_anyway(item: Item, *, seen: Collection[str], reason: str, access: Access) -> None:
    """Confirm that the ERP ID that an API client named is the right record; retry a failed item.

    :param seen: the ERP IDs that the user has checked in the ERP.
    :raises NotTaken: if it cannot be confirmed or retried, with all reasons.
    """
    comparison.use_anyway(item, seen=seen, access=access, why=reason)
    if item.state == State.FAILED:
        result = retry([Decision(item.pk, item.digest)], entity=item.entity, access=access)
        if result.refused:
            # Rolls the confirmation back as well.
            raise NotTaken(problem for row in result.refused for problem in row.problems)


def withdraw(item: Item, *, reason: str, by: User) -> None:
    """Move an accepted item back to READY, if nothing of it can be in the ERP.

    :raises Refused: if it may be in the ERP, or its state has changed.
    """
    with transaction.atomic():
        # A claim holds this lock too, so no attempt starts between the check and the move.
        Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
        last_attempt = item.tries.since_decided().order_by("-fence").first()
        if last_attempt is not None and last_attempt.outcome != Attempt.Outcome.NOT_APPLIED:
            raise Refused("It has been sent to the ERP, so it cannot be withdrawn.")
        values = {"not_before": None, "waits_for": None, "attempts": 0, **NO_ERROR}
        this_item = Item.objects.filter(pk=item.pk)
        if not transitions.move(ItemEvent.WITHDRAW, this_item, by=by, why=reason, values=values):
            raise Refused(
                "It is on its way to the ERP, or its state has changed, so it cannot be withdrawn."
            )


def proposals_for(items: Sequence[Item]) -> None:
    """Set proposals for unused ERP IDs on creates that can be decided. Saves nothing."""
    by_connection: dict[int, list[Item]] = {}
    for item in items:
        if item.state in DECIDABLE and item.operation == Operation.CREATE:
            by_connection.setdefault(item.connection_id, []).append(item)
    connections = Connection.objects.in_bulk(list(by_connection))
    for connection_id, connection_items in by_connection.items():
        try:
            manifest = adapter_loading.entity_manifest(
                connections[connection_id], connection_items[0].entity
            )
        except AdapterUnavailable:
            # The items stay without proposals; accepting them says that the adapter is missing.
            continue
        if manifest is not None:
            id_proposals.propose(connections[connection_id], manifest, connection_items)


def reject(
    items: ItemQuerySet,
    *,
    entity: str,
    reason: str,
    access: Access,
    reasons: Mapping[int, str] | None = None,
) -> Done:
    """Return items to their senders, who can edit and send the records again.

    Accepted items that wait for a parent can be rejected too. The caller has checked the
    permission.

    :param reason: shown to the sender.
    :param reasons: item id -> reason for that item, in place of ``reason``.
    """
    item_ids = list(items.order_by("pk").values_list("pk", flat=True))

    def do(batch: Sequence[int], _click: Request) -> BulkResult[Refusal]:
        row_locks.lock_connections_of(Item.objects.filter(pk__in=batch))
        # QUEUED items cannot be rejected, so they are withdrawn first. This is safe only for those
        # that wait for a parent: they cannot be claimed.
        waiting_for_parent = Item.objects.filter(
            pk__in=batch, state=State.QUEUED, waits_for__isnull=False
        )
        transitions.move(
            ItemEvent.WITHDRAW,
            waiting_for_parent,
            by=access.user,
            why=reason,
            values={"waits_for": None},
        )
        by_reason: dict[str, list[int]] = defaultdict(list)
        for pk in batch:
            by_reason[(reasons or {}).get(pk) or reason].append(pk)
        # One move per reason, because a move has one note for the audit.
        rejected_ids: set[int] = set()
        for note, ids in by_reason.items():
            rejected_ids |= _reject(ids, note, access)
        return BulkResult(len(rejected_ids), tuple(_beaten(set(batch) - rejected_ids)))

    verb = Request.Verb.REJECT
    click, done = carry_out(
        access, entity=entity, verb=verb, batches=chunks(item_ids), do=do, labels=_labels
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
    rejected = transitions.move(ItemEvent.REJECT, items, by=access.user, why=reason, values=values)
    return {item.pk for item in rejected}
