"""The only code that creates acceptance items and changes their state.

Every move is a conditional UPDATE: if two callers race, exactly one wins. The audit event and the
record's ``erp_state`` are written in the same transaction
(docs/adr/0002-moves-are-conditional-updates.md).
Lock order everywhere: connections, items, records, each by id (docs/locks.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from django.db import transaction

from erp_integrations.models import Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import RecordType, record_type
from erp_integrations.models.states import ItemEvent, State, on_record
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_insert import insert
from erpbridge.db.bulk_update import in_lock_order, write_rows
from erpbridge.db.busy import retried
from erpbridge.json_values import Json

# The columns of records of one type for one UPDATE, by their items.
RecordColumns = Callable[[RecordType, Sequence[Item]], Mapping[str, object]]
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
    locked = lock(event, items)
    apply(event, locked, by=by, why=why, values=values, item_columns=item_columns)
    return locked


def lock(
    event: ItemEvent, items: ItemQuerySet, *, known: Sequence[Item] | None = None
) -> list[Item]:
    """Lock those items whose state allows an event, in the order of their ids.

    :param known: the items as they were read before; only their state is read again.
    """
    # The condition on the state is part of the locking query: PostgreSQL evaluates it again after
    # it has waited for a lock, so items that another transaction has moved drop out. Only the items
    # are locked (``of``), because PostgreSQL refuses to lock a nullable joined row.
    rows = items.filter(state__in=MOVES[event][0]).order_by("pk")
    rows = rows.select_for_update(no_key=True, of=("self",))
    if known is None:
        return list(rows.select_related("request"))
    by_id = {item.pk: item for item in known}
    locked = []
    for pk, state in rows.filter(pk__in=list(by_id)).values_list("pk", "state"):
        by_id[pk].state = state
        locked.append(by_id[pk])
    return locked


def apply(
    event: ItemEvent,
    items: Sequence[Item],
    *,
    by: User | None,
    why: str = "",
    values: Mapping[str, object] | None = None,
    item_columns: Mapping[int, Mapping[str, object]] | None = None,
    record_columns: RecordColumns | None = None,
) -> None:
    """Apply an event to items that :func:`lock` has locked; parameters as in :func:`move`.

    :param record_columns: columns to write to the items' records besides their state.
    """
    old_states = {item.pk: item.state for item in items}
    columns = _set_each(items, item_columns or {})
    target = MOVES[event][1]
    write_rows(items, columns, already_locked=True, state=target, **(values or {}))
    for item in items:
        item.state = target
    _report(event, items, old_states, by=by, why=why)
    changed = [item for item in items if on_record(old_states[item.pk]) != on_record(target)]
    _mirror(changed, record_columns)


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


def _mirror(items: Iterable[Item], columns: RecordColumns | None = None) -> None:
    """Copy the new state to the records, so that their lists need no join."""
    # No check for newer items is needed: an item that moves is always the latest of its record.
    alike: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        alike[item.entity, on_record(item.state)].append(item)
    for (entity, state), moved in sorted(alike.items()):
        kind = record_type(entity)
        further = columns(kind, moved) if columns else {}
        for batch in chunks(sorted(item.record_id for item in moved)):
            records = in_lock_order(kind.model._base_manager.all(), batch)
            records.update(erp_state=state, **further)


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
