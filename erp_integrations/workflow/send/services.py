"""Send records to accounting, and retrieve them.

The button of a record page and the request itself use the same check, :func:`examine`, the latter
under locks, so that the page and the server agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from django.core.exceptions import ValidationError

from erp_integrations.adapters.base import Operation, Problem
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.safe_adapter import plain
from erp_integrations.models import Item, Request, row_locks
from erp_integrations.models.record_types import Draft, RecordType, record_type
from erp_integrations.models.states import ItemEvent, State, label_for_sender
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.accept.default_rules import Defaults
from erp_integrations.workflow.bulk_requests import Done, Refusal, carry_out
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.digest import digest
from erp_integrations.workflow.send.readiness import readiness
from erp_integrations.workflow.send.validation import Examination, examine
from erpbridge.access.policy import Access
from erpbridge.db import batches
from erpbridge.db.batches import chunks
from erpbridge.db.numbers import LARGEST_ID
from erpbridge.refusals import BulkResult

# Characters of the sender's note.
LONGEST_NOTE = 1_000


def clean_note(note: str) -> str:
    """Return the sender's note as it is stored.

    :raises ValidationError: if it is too long.
    """
    text = plain(note).strip()
    if len(text) > LONGEST_NOTE:
        words = f"The note has {len(text):,} characters; the limit is {LONGEST_NOTE:,}."
        raise ValidationError({"note": words})
    return text


def send(
    entity: str,
    ids: Sequence[int],
    *,
    access: Access,
    seen: Mapping[int, int] | None = None,
    note: str = "",
) -> Done:
    """Send records to accounting for acceptance; refuse those with problems.

    The caller has checked the permission.

    :param seen: record id -> revision on the user's page, to refuse records that have changed.
    :param note: message to the approver.
    :raises ValidationError: if the note is too long.
    """
    cleaned_note = clean_note(note)
    kind = record_type(entity)
    order, known_problems = _parents_first(kind, _visible(kind, ids, access), access)

    def do(batch: Sequence[int], click: Request) -> BulkResult[Refusal]:
        # Under these locks no parent is unlinked, no connection changes its identity, and no record
        # is edited until the commit. Connections before records, see docs/locks.md.
        connection_services.hold(access.account.pk)
        row_locks.lock_records(entity, batch)
        examination = examine(kind, batch, access=access, seen_revisions=seen, known=known_problems)
        refused = [
            Refusal(draft.record_id, draft.label, tuple(examination.of(draft.record_id)))
            for draft in examination.drafts
            if examination.of(draft.record_id)
        ]
        sendable = [draft for draft in examination.drafts if not examination.of(draft.record_id)]
        items = [_item(draft, examination, access, click, cleaned_note) for draft in sendable]
        _fill_by_rules(items, examination)
        transitions.open_items(items, by=access.user, why=cleaned_note)
        # Children in later batches are refused for the same reasons.
        known_problems.update({refusal.record_id: list(refusal.problems) for refusal in refused})
        return BulkResult(len(sendable), tuple(refused))

    click, done = carry_out(
        access,
        entity=entity,
        verb=Request.Verb.SEND,
        batches=chunks(order),
        do=do,
        labels=partial(_labels, kind, access),
    )
    tracing.clicked(click)
    return done


def _parents_first(
    kind: RecordType, ids: Sequence[int], access: Access
) -> tuple[list[int], dict[int, list[Problem]]]:
    """The ids with parents before their children, and the problems of records with equal codes.

    Both need all records at once, while the request is carried out in batches.
    """
    # One batch: ``examine`` sees all records together.
    if len(ids) <= batches.CHUNK:
        return list(ids), {}
    manifest = readiness(kind.entity, access).manifest
    drafts = payload_drafts.drafts(kind, access.account.pk, ids, manifest)
    clashes = payload_drafts.clashes(manifest, drafts)
    order = sorted(drafts, key=lambda draft: (draft.depth, draft.record_id))
    return [draft.record_id for draft in order], {pk: [clash] for pk, clash in clashes.items()}


def _labels(kind: RecordType, access: Access, ids: Sequence[int]) -> dict[int, str]:
    return {draft.record_id: draft.label for draft in kind.drafts(access.account.pk, ids)}


def _visible(kind: RecordType, ids: Sequence[int], access: Access) -> list[int]:
    """Those of the ids that the user can see, sorted."""
    # Ids beyond 64 bits, which an API client can send, would be an error of the database.
    possible = sorted({record_id for record_id in ids if 0 < record_id <= LARGEST_ID})
    querysets = (kind.visible(access).filter(pk__in=chunk) for chunk in chunks(possible))
    return sorted({pk for rows in querysets for pk in rows.values_list("pk", flat=True)})


def _item(
    draft: Draft, examination: Examination, access: Access, click: Request, note: str
) -> Item:
    link = examination.links.get(draft.record_id)
    return Item(
        account=access.account,
        connection=examination.ready.connection,
        project=access.project,
        entity=click.entity,
        record_id=draft.record_id,
        label=draft.label[:255],
        operation=Operation.UPDATE if link else Operation.CREATE,
        revision=draft.revision,
        payload=dict(draft.payload),
        digest=digest(draft.payload),
        depth=draft.depth,
        parent_id=draft.parent_id,
        note=note,
        sent_in=click,
        sent_by=access.user,
    )


def _fill_by_rules(items: Sequence[Item], examination: Examination) -> None:
    """Set the acceptance values of the connection's default rules, for creates."""
    connection, manifest = examination.ready.connection, examination.ready.manifest
    if connection is None or manifest is None:
        return
    rules = Defaults(connection, manifest)
    for item in items:
        if item.operation == Operation.CREATE:
            item.acceptance = rules.of(item.payload)


def retrieve(entity: str, ids: Sequence[int], *, access: Access) -> Done:
    """Retrieve records that wait for accounting, unless they were decided meanwhile.

    The caller has checked the permission.
    """
    kind = record_type(entity)
    visible = _visible(kind, ids, access)

    def do(batch: Sequence[int], _click: Request) -> BulkResult[Refusal]:
        ready_items = Item.objects.filter(pk__in=_waiting_items(entity, batch, access))
        # Accepting holds this lock too. The move then takes the items that are still READY.
        row_locks.lock_connections_of(ready_items)
        retrieved = transitions.move(ItemEvent.RETRIEVE, ready_items, by=access.user)
        not_retrieved = sorted(set(batch) - {item.record_id for item in retrieved})
        refused = _not_waiting(kind, not_retrieved, access)
        return BulkResult(len(retrieved), tuple(refused))

    click, done = carry_out(
        access,
        entity=entity,
        verb=Request.Verb.RETRIEVE,
        batches=chunks(visible),
        do=do,
        labels=partial(_labels, kind, access),
    )
    tracing.clicked(click)
    return done


def _waiting_items(entity: str, record_ids: Sequence[int], access: Access) -> list[int]:
    items = Item.objects.filter(
        account=access.account, entity=entity, state=State.READY, record_id__in=record_ids
    )
    return list(items.order_by("pk").values_list("pk", flat=True))


def _not_waiting(kind: RecordType, ids: Sequence[int], access: Access) -> list[Refusal]:
    """Refusals of records that could not be retrieved: they were decided, or never sent."""
    latest: dict[int, Item] = {}
    items = Item.objects.filter(account=access.account, entity=kind.entity, record_id__in=ids)
    # In order of the ids, so that the last item of a record stays.
    for item in items.select_related("decided_by").order_by("pk"):
        latest[item.record_id] = item
    return [
        Refusal(draft.record_id, draft.label, (_why_not_waiting(latest.get(draft.record_id)),))
        for draft in kind.drafts(access.account.pk, ids)
    ]


def _why_not_waiting(item: Item | None) -> Problem:
    if item is None:
        return Problem("erp_state", "not_sent", "It was not sent, so there is nothing to retrieve.")
    words = label_for_sender(item.state)
    decider = f" by {item.decided_by}" if item.decided_by else ""
    message = f"It can no longer be retrieved: {words}{decider}."
    if item.state == State.RETRIEVED:
        message = "It was retrieved already."
    return Problem("erp_state", "decided", message, current=words)
