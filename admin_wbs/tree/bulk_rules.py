"""Deactivating, reactivating and deleting many nodes of a tree: which may, and in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F
from django.db.models.functions import Now

from admin_wbs.errors import Left
from admin_wbs.models.full_code import (
    full_code,
)
from admin_wbs.models.node import BATCH, T, batches
from erpbridge.db.bulk_update import lock_rows
from erpbridge.db.text import key

NOTHING: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class Sorted(Generic[T]):
    """Those of the chosen rows that an action takes, and the others with the reason."""

    going: Sequence[T]
    left: tuple[Left, ...]


def chosen(rows: models.QuerySet[T], ids: Iterable[int]) -> dict[int, T]:
    """Those of ``rows`` that were chosen, in the order of the tree, so that parents come first."""
    found: dict[int, T] = {}
    for some in batches(set(ids)):
        found |= {row.pk: row for row in rows.filter(pk__in=some).select_related("parent")}
    return dict(sorted(found.items(), key=lambda pair: pair[1].sort_path))


def to_deactivate(
    rows: models.QuerySet[T],
    picked: Mapping[int, T],
    *,
    noun: str,
    locked: Mapping[int, str] = NOTHING,
) -> Sorted[T]:
    """A row stays active while rows under it do.

    :param rows: those of the whole tree; ``noun``: what they are called, in the plural.
    :param locked: id -> why a row stays as it is whatever it is.
    """
    active = _children(rows, picked, is_active=True)

    def why_not(one: T, going: Set[int]) -> str:
        if not one.is_active:
            return "It is inactive already."
        if active[one.pk] - going:
            return f"{noun} under it are active. Deactivate these too, or first."
        return ""

    return _sorted_out(_deepest_first(picked), locked, why_not)


def to_reactivate(picked: Mapping[int, T], *, locked: Mapping[int, str] = NOTHING) -> Sorted[T]:
    """A row under an inactive one waits for that."""

    def why_not(one: T, going: Set[int]) -> str:
        if one.is_active:
            return "It is active already."
        if one.parent and not one.parent.is_active and one.parent.pk not in going:
            return f"{one.parent} is inactive. Reactivate it too, or first."
        return ""

    return _sorted_out(list(picked.values()), locked, why_not)


def to_delete(
    rows: models.QuerySet[T],
    picked: Mapping[int, T],
    *,
    noun: str,
    kept: Mapping[int, str] = NOTHING,
) -> Sorted[T]:
    """A row stays while rows under it do, or for its reason in ``kept``."""
    children = _children(rows, picked)

    def why_not(one: T, going: Set[int]) -> str:
        return has_children(noun) if children[one.pk] - going else ""

    return _sorted_out(_deepest_first(picked), kept, why_not)


def check_below(rows: models.QuerySet[T], one: T, below: Sequence[T]) -> None:
    """Refuse a place for ``one`` in which something under it would get a full code that is taken.

    :param rows: those of the whole tree; ``below``: what is under ``one``, in its old place.
    :raises ValidationError: for the field ``code``.
    """
    depth = len(one.path)
    wanted = {key(full_code([*one.path, *row.path[depth:]])) for row in below}
    family = {one.pk, *(row.pk for row in below)}
    ordered = sorted(wanted)
    for start in range(0, len(ordered), BATCH):
        for holder in rows.filter(code_key__in=ordered[start : start + BATCH]):
            if holder.pk not in family:
                message = f"A code under it would become {holder.full_code}, which is taken."
                raise ValidationError({"code": message})


def has_children(noun: str) -> str:
    """Why a row with others under it cannot be deleted; ``noun``: what they are called."""
    return f"{noun} are under it. Delete these too, or first."


def switch(rows: models.QuerySet[T], going: Sequence[T], *, active: bool) -> None:
    """Make rows active or inactive."""
    lock_rows(rows, [one.pk for one in going])
    for some in batches(one.pk for one in going):
        rows.filter(pk__in=some).update(
            is_active=active, revision=F("revision") + 1, updated_at=Now()
        )


def delete_deepest_first(rows: models.QuerySet[T], going: Iterable[T]) -> None:
    """Delete ``going``, children before their parents, whatever else points at them checked."""
    by_depth: dict[int, list[int]] = defaultdict(list)
    going = list(going)
    lock_rows(rows, [one.pk for one in going])
    for one in going:
        by_depth[one.depth].append(one.pk)
    for depth in sorted(by_depth, reverse=True):
        for some in batches(by_depth[depth]):
            rows.filter(pk__in=some).delete()


def _deepest_first(picked: Mapping[int, T]) -> list[T]:
    return sorted(picked.values(), key=lambda one: -one.depth)


def _children(
    rows: models.QuerySet[T], picked: Iterable[int], **which: bool
) -> dict[int, set[int]]:
    """The ids right under each of these rows."""
    found: dict[int, set[int]] = defaultdict(set)
    for some in batches(picked):
        under = rows.filter(parent__in=some, **which)
        for parent, pk in under.values_list("parent_id", "pk"):
            found[parent].add(pk)
    return found


def _sorted_out(
    ordered: Iterable[T], kept: Mapping[int, str], why_not: Callable[[T, Set[int]], str]
) -> Sorted[T]:
    """``why_not`` is told of those that go already: a row that stays keeps its family."""
    going: dict[int, T] = {}
    left: list[tuple[T, str]] = []
    for one in ordered:
        why = kept.get(one.pk) or why_not(one, going.keys())
        if why:
            left.append((one, why))
        else:
            going[one.pk] = one
    left.sort(key=lambda pair: pair[0].sort_path)
    return Sorted(list(going.values()), tuple(Left(one.pk, str(one), why) for one, why in left))
