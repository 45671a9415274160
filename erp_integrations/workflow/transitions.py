"""The only code that creates acceptance items and changes their state.

Every move is a conditional UPDATE: if two callers race, exactly one wins. The audit event and the
record's ``erp_state`` are written in the same transaction
(docs/adr/0002-moves-are-conditional-updates.md).
Lock order everywhere: connections, items, records, each by id (docs/locks.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from django.db import transaction

from erp_integrations.models import Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import ItemEvent, State
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_insert import insert
from erpbridge.db.bulk_update import in_lock_order, write_rows
from erpbridge.db.busy import retried
from erpbridge.json_values import Json

T = TypeVar("T")
# Events whose audit events have the text of the error.
WITH_ERROR = frozenset({ItemEvent.FAIL, ItemEvent.POSTPONE, ItemEvent.LOSE, ItemEvent.ASK})


@transaction.atomic
def open_items(items: Sequence[Item], *, by: User, why: str = "") -> None:
    """Store new items as READY, with their audit events.

    The caller holds the locks on the connections and on the records.

    :param why: the sender's note, for the history.
    """
    insert(items)
    _report(ItemEvent.SEND, items, {}, by=by, why=why)
    _mirror(items)


@retried
@transaction.atomic
def move(
    event: ItemEvent,
    items: ItemQuerySet,
    *,
    by: User | None,
    why: str = "",
    values: Mapping[str, object] | None = None,
    item_columns: Mapping[int, Mapping[str, object]] | None = None,
) -> list[Item]:
    """Apply an event of ``MOVES`` to those items of ``items`` whose state allows it.

    :param by: the user; None for the engine.
    :param values: columns with the same new value for all items.
    :param item_columns: item id -> columns with a new value for that item.
    :returns: the items that were moved, without those that another caller moved first. Columns of
        ``values`` are not set on them.
    """
    sources, target = MOVES[event]
    # The condition on the state is part of the locking query: PostgreSQL evaluates it again after
    # it has waited for a lock, so items that another transaction has moved drop out. Only the items
    # are locked (``of``), because PostgreSQL refuses to lock a nullable joined row. Ordered by id,
    # which is the lock order.
    locked = items.filter(state__in=sources).select_for_update(no_key=True, of=("self",))
    moved = list(locked.select_related("request").order_by("pk"))
    old_states = {item.pk: item.state for item in moved}
    columns = _set_each(moved, item_columns or {})
    write_rows(moved, columns, already_locked=True, state=target, **(values or {}))
    for item in moved:
        item.state = target
    _report(event, moved, old_states, by=by, why=why)
    _mirror(moved)
    return moved


def _set_each(items: Sequence[Item], item_columns: Mapping[int, Mapping[str, object]]) -> list[str]:
    """Set each item's own values in memory; returns the names of all columns set."""
    columns: set[str] = set()
    for item in items:
        for column, value in item_columns.get(item.pk, {}).items():
            setattr(item, column, value)
            columns.add(column)
    return sorted(columns)


def _report(
    event: ItemEvent,
    items: Iterable[Item],
    old_states: Mapping[int, str],
    *,
    by: User | None,
    why: str,
) -> None:
    by_account: dict[int, list[Note]] = defaultdict(list)
    for item in items:
        data: dict[str, Json] = {
            "item": str(item.public_id),
            "revision": item.revision,
            "digest": item.digest,
        }
        if item.state == State.SYNCED:
            data["erp_id"] = item.erp_id
        # Shortened; the item keeps the whole text.
        if item.error_text and event in WITH_ERROR:
            data["error"] = item.error_text[:500]
        by_account[item.account_id].append(
            Note(
                entity=item.entity,
                subject_id=item.record_id,
                label=item.label,
                verb=event,
                from_state=old_states.get(item.pk, ""),
                to_state=item.state,
                note=why,
                data=data,
                # The engine has no request of its own: use that of the user who accepted the item.
                request_id=item.request.trace_id if by is None and item.request else "",
            )
        )
    for account_id, notes in by_account.items():
        note(account_id, notes, by=by)


def _mirror(items: Sequence[Item]) -> None:
    """Copy the new state to the records, so that their lists need no join."""
    # No check for newer items is needed: an item that moves is always the latest of its record.
    records: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item in items:
        records[item.entity, item.state].append(item.record_id)
    for (entity, state), ids in sorted(records.items()):
        rows = record_type(entity).model._base_manager.all()
        for batch in chunks(sorted(ids)):
            in_lock_order(rows, batch).update(erp_state=state)


def part(items: ItemQuerySet) -> None:
    """Set synced items to UNLINKED, after their links have ended.

    Other items of ``items`` are left as they are.
    """
    # Without an audit event, because ending the link writes one for the record. The record's state
    # stays, because a newer item may determine it.
    sources, target = MOVES[ItemEvent.UNLINK]
    items.filter(state__in=sources).update(state=target)


# Event -> (states in which it is allowed, state after it). docs/states.md is generated from this;
# see docs/design/erp-integrations-states.md, "Moves".
MOVES: dict[ItemEvent, tuple[frozenset[State], State]] = {
    ItemEvent.ACCEPT: (frozenset({State.READY}), State.QUEUED),
    ItemEvent.RETRIEVE: (frozenset({State.READY}), State.RETRIEVED),
    ItemEvent.REJECT: (frozenset({State.READY, State.FAILED, State.NEEDS_ANSWER}), State.REJECTED),
    ItemEvent.CLAIM: (frozenset({State.QUEUED}), State.SENDING),
    # Only while nothing has left, see ``accept.services.withdraw``.
    ItemEvent.WITHDRAW: (frozenset({State.QUEUED}), State.READY),
    # From UNCERTAIN: a lookup has found the record in the ERP.
    ItemEvent.SYNC: (
        frozenset({State.SENDING, State.SUBMITTED, State.UNCERTAIN}),
        State.SYNCED,
    ),
    ItemEvent.POSTPONE: (frozenset({State.SENDING}), State.QUEUED),
    ItemEvent.FAIL: (frozenset({State.SENDING, State.SUBMITTED}), State.FAILED),
    ItemEvent.SUBMIT: (frozenset({State.SENDING}), State.SUBMITTED),
    # The attempt has no answer, or one that leaves the effect open.
    ItemEvent.LOSE: (frozenset({State.SENDING, State.SUBMITTED}), State.UNCERTAIN),
    # A lookup has shown that the record is not there, so that sending again creates no duplicate.
    ItemEvent.RESEND: (frozenset({State.UNCERTAIN}), State.QUEUED),
    # No lookup could tell, so a person has to.
    ItemEvent.ASK: (frozenset({State.UNCERTAIN}), State.NEEDS_ANSWER),
    ItemEvent.ANSWER_THERE: (frozenset({State.NEEDS_ANSWER}), State.SYNCED),
    ItemEvent.ANSWER_ABSENT: (frozenset({State.NEEDS_ANSWER}), State.QUEUED),
    # FAILED is known not to be applied, so a retry is a new command.
    ItemEvent.RETRY: (frozenset({State.FAILED}), State.QUEUED),
    ItemEvent.LINK_INSTEAD: (frozenset({State.READY, State.FAILED}), State.SYNCED),
    ItemEvent.UNLINK: (frozenset({State.SYNCED}), State.UNLINKED),
}
