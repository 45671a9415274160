"""The only code that creates acceptance items and changes their state.

Every move is a conditional UPDATE, so that of two racing callers exactly one wins, and stores
its audit event and the state shown on the record in the same transaction.
Lock order everywhere: connections, items, records, each by id (docs/locks.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet

from erp_integrations.models import Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import MOVES, State
from erpbridge.access.models import User
from erpbridge.audit.record import Note, note
from erpbridge.bulk import write_rows
from erpbridge.busy import retried
from erpbridge.inserting import insert

# SQLite takes a limited number of parameters in one statement.
CHUNK = 500
T = TypeVar("T")


def chunks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """``ids`` in pieces that fit into one statement on every database."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


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


def lock_connections(found: QuerySet[Connection]) -> None:
    """First of all locks: whoever moves many items, or makes or ends links, holds their
    connections, by ids.
    """
    list(found.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def lock_connections_of(items: ItemQuerySet) -> None:
    """The same, of items."""
    ids = items.order_by().values_list("connection_id", flat=True).distinct()
    lock_connections(Connection.objects.filter(pk__in=list(ids)))


def lock_records(entity: str, ids: Iterable[int]) -> None:
    """Lock records in the order of their ids: an UPDATE alone takes them in whatever order."""
    rows = record_type(entity).model._base_manager.order_by("pk").select_for_update(no_key=True)
    for some in chunks(sorted(ids)):
        list(rows.filter(pk__in=some).values_list("pk"))
