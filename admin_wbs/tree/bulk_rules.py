"""Which nodes of a tree can be deactivated, reactivated or deleted together, and in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic

from django.db import models
from django.db.models import F
from django.db.models.functions import Now

from admin_wbs.models.node import T
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import lock_rows
from erpbridge.refusals import Left

# Read-only, because it is a default argument.
NOTHING: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class Sorted(Generic[T]):
    """The chosen rows that an action may change, and the others with the reason."""

    allowed: Sequence[T]
    refused: tuple[Left, ...]


def chosen(rows: models.QuerySet[T], ids: Iterable[int]) -> dict[int, T]:
    """The chosen rows, in tree order, so that parents come first."""
    by_id: dict[int, T] = {}
    for batch in chunks(sorted(set(ids))):
        by_id |= {row.pk: row for row in rows.filter(pk__in=batch).select_related("parent")}
    return dict(sorted(by_id.items(), key=lambda pair: pair[1].sort_path))


def to_deactivate(
    rows: models.QuerySet[T],
    chosen_rows: Mapping[int, T],
    *,
    noun: str,
    locked: Mapping[int, str] = NOTHING,
) -> Sorted[T]:
    """A row stays active while rows under it are active.

    :param rows: the rows of the whole tree; ``noun``: their name in the plural.
    :param locked: id -> why a row cannot be changed at all.
    """
    active = _children(rows, chosen_rows, is_active=True)

    def why_not(row: T, allowed: Set[int]) -> str | None:
        if not row.is_active:
            return "It is inactive already."
        # Children come first, so those that become inactive in the same call are known.
        if active[row.pk] - allowed:
            return f"{noun} under it are active. Deactivate these too, or first."
        return None

    return _sorted_out(_deepest_first(chosen_rows), locked, why_not)


def to_reactivate(
    chosen_rows: Mapping[int, T], *, locked: Mapping[int, str] = NOTHING
) -> Sorted[T]:
    """A row under an inactive one stays inactive."""

    def why_not(row: T, allowed: Set[int]) -> str | None:
        if row.is_active:
            return "It is active already."
        # ``chosen`` has the rows in tree order, so a parent that becomes active is known.
        if row.parent and not row.parent.is_active and row.parent.pk not in allowed:
            return f"{row.parent} is inactive. Reactivate it too, or first."
        return None

    return _sorted_out(list(chosen_rows.values()), locked, why_not)


def to_delete(
    rows: models.QuerySet[T],
    chosen_rows: Mapping[int, T],
    *,
    noun: str,
    kept: Mapping[int, str] = NOTHING,
) -> Sorted[T]:
    """A row stays while it has children, or has a reason in ``kept``."""
    children = _children(rows, chosen_rows)

    def why_not(row: T, allowed: Set[int]) -> str | None:
        return has_children(noun) if children[row.pk] - allowed else None

    return _sorted_out(_deepest_first(chosen_rows), kept, why_not)


def has_children(noun: str) -> str:
    """Why a row with children cannot be deleted; ``noun``: the name of the rows."""
    return f"{noun} are under it. Delete these too, or first."


def switch(rows: models.QuerySet[T], to_switch: Sequence[T], *, active: bool) -> None:
    """Make rows active or inactive."""
    # An UPDATE with a filter locks in no particular order (docs/locks.md).
    lock_rows(rows, [row.pk for row in to_switch])
    for batch in chunks(sorted(row.pk for row in to_switch)):
        rows.filter(pk__in=batch).update(
            is_active=active, revision=F("revision") + 1, updated_at=Now()
        )


def delete_deepest_first(rows: models.QuerySet[T], nodes: Iterable[T]) -> None:
    """Delete rows, children before parents. The caller has checked all other references."""
    by_depth: dict[int, list[int]] = defaultdict(list)
    nodes = list(nodes)
    # Lock all rows in id order before deleting tier by tier (docs/locks.md).
    lock_rows(rows, [row.pk for row in nodes])
    for row in nodes:
        by_depth[row.depth].append(row.pk)
    # With PROTECT, Django refuses a parent even if its children are deleted in the same call.
    for depth in sorted(by_depth, reverse=True):
        for batch in chunks(sorted(by_depth[depth])):
            rows.filter(pk__in=batch).delete()


def _deepest_first(chosen_rows: Mapping[int, T]) -> list[T]:
    return sorted(chosen_rows.values(), key=lambda row: -row.depth)


def _children(rows: models.QuerySet[T], ids: Iterable[int], **which: bool) -> dict[int, set[int]]:
    """The ids of the children of each row."""
    children: dict[int, set[int]] = defaultdict(set)
    for batch in chunks(sorted(ids)):
        under = rows.filter(parent__in=batch, **which)
        for parent, pk in under.values_list("parent_id", "pk"):
            children[parent].add(pk)
    return children


def _sorted_out(
    ordered: Iterable[T], kept: Mapping[int, str], why_not: Callable[[T, Set[int]], str | None]
) -> Sorted[T]:
    """``why_not`` gets the ids allowed so far: a row that stays also keeps its relatives."""
    allowed: dict[int, T] = {}
    left: list[tuple[T, str]] = []
    for row in ordered:
        why = kept.get(row.pk) or why_not(row, allowed.keys())
        if why:
            left.append((row, why))
        else:
            allowed[row.pk] = row
    left.sort(key=lambda pair: pair[0].sort_path)
    return Sorted(list(allowed.values()), tuple(Left(row.pk, str(row), why) for row, why in left))
