"""The only code that creates acceptance items and changes their state.

Every move is a conditional UPDATE, so that of two racing callers exactly one wins, and stores
its audit event and the state shown on the record in the same transaction.
Lock order everywhere: connections, items, records, each by id (docs/locks.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction

from erp_integrations.models import Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import record_type
from erp_integrations.models.row_locks import lock_records
from erp_integrations.models.states import State
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_insert import insert
from erpbridge.db.bulk_update import write_rows
from erpbridge.db.busy import retried

T = TypeVar("T")


@transaction.atomic
def open_items(items: Sequence[Item], *, by: User, why: str = "") -> None:
    """Store new items as READY. The caller holds the locks on their records."""
    insert(items)
    _report("send", items, {}, by=by, why=why)
    _mirror(items)


@retried
@transaction.atomic
def move(
    event: str,
    found: ItemQuerySet,
    *,
    by: User | None,
    why: str = "",
    values: Mapping[str, Any] | None = None,
    each: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[Item]:
    """Carry out one event of ``states.MOVES`` on those of ``found`` that may make it.

    :param by: who did it; None for the engine.
    :param values: columns that get one value for all moved items.
    :param each: item id -> columns that get a value of their own.
    :returns: the items that moved, as they are now but for database expressions in ``values``;
        an item that another caller moved first is not among them.
    """
    sources, target = MOVES[event]
    locked = found.filter(state__in=sources).select_for_update(no_key=True, of=("self",))
    items = list(locked.select_related("request").order_by("pk"))
    before = {item.pk: item.state for item in items}
    columns = _set_each(items, each or {})
    write_rows(items, columns, held=True, state=target, **(values or {}))
    for item in items:
        item.state = target
    _report(event, items, before, by=by, why=why)
    _mirror(items)
    return items


def _set_each(items: Sequence[Item], each: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Give the items their own values; the names of the columns."""
    columns: set[str] = set()
    for item in items:
        for column, value in each.get(item.pk, {}).items():
            setattr(item, column, value)
            columns.add(column)
    return sorted(columns)


def _report(
    event: str, items: Iterable[Item], before: Mapping[int, str], *, by: User | None, why: str
) -> None:
    by_account: dict[int, list[Note]] = defaultdict(list)
    for item in items:
        data = {"item": str(item.public_id), "revision": item.revision, "digest": item.digest}
        if item.state == State.SYNCED:
            data["erp_id"] = item.erp_id
        if item.error_text and event in {"fail", "postpone", "lose", "ask"}:
            data["error"] = item.error_text[:500]
        by_account[item.account_id].append(
            Note(
                entity=item.entity,
                subject_id=item.record_id,
                label=item.label,
                verb=event,
                from_state=before.get(item.pk, ""),
                to_state=item.state,
                note=why,
                data=data,
                # What the engine does, it does for whoever accepted the item.
                request_id=item.request.trace_id if by is None and item.request else "",
            )
        )
    for account_id, notes in by_account.items():
        note(account_id, notes, by=by)


def _mirror(items: Sequence[Item]) -> None:
    """Show the new state on the records; an item that moves is always its record's latest."""
    records: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item in items:
        records[item.entity, item.state].append(item.record_id)
    for (entity, state), ids in sorted(records.items()):
        lock_records(entity, ids)
        model = record_type(entity).model
        for some in chunks(sorted(ids)):
            model._base_manager.filter(pk__in=some).update(erp_state=state)


def part(items: ItemQuerySet) -> None:
    """What was synced by these is linked no more. The event of it is the link's, for the record as
    a whole; and what the record shows is not up to an item that is history.
    """
    sources, target = MOVES["unlink"]
    items.filter(state__in=sources).update(state=target)


# event -> (states it may start from, state it leads to)
MOVES: dict[str, tuple[frozenset[State], State]] = {
    "accept": (frozenset({State.READY}), State.QUEUED),
    "retrieve": (frozenset({State.READY}), State.RETRIEVED),
    "reject": (frozenset({State.READY, State.FAILED, State.NEEDS_ANSWER}), State.REJECTED),
    "claim": (frozenset({State.QUEUED}), State.SENDING),
    "withdraw": (frozenset({State.QUEUED}), State.READY),
    "sync": (
        frozenset({State.SENDING, State.SUBMITTED, State.UNCERTAIN}),
        State.SYNCED,
    ),
    "postpone": (frozenset({State.SENDING}), State.QUEUED),
    "fail": (frozenset({State.SENDING, State.SUBMITTED}), State.FAILED),
    "submit": (frozenset({State.SENDING}), State.SUBMITTED),
    "lose": (frozenset({State.SENDING, State.SUBMITTED}), State.UNCERTAIN),
    "resend": (frozenset({State.UNCERTAIN}), State.QUEUED),
    "ask": (frozenset({State.UNCERTAIN}), State.NEEDS_ANSWER),
    "answer_there": (frozenset({State.NEEDS_ANSWER}), State.SYNCED),
    "answer_absent": (frozenset({State.NEEDS_ANSWER}), State.QUEUED),
    "retry": (frozenset({State.FAILED}), State.QUEUED),
    "link_instead": (frozenset({State.READY, State.FAILED}), State.SYNCED),
    "unlink": (frozenset({State.SYNCED}), State.UNLINKED),
}
