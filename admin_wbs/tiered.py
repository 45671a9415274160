"""What cost codes and the items of a segment have in common: a code, a text, a place in a tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Generic, Self, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from admin_wbs.refusals import Left
from admin_wbs.tree import (
    LONGEST_CODE,
    LONGEST_DESCRIPTION,
    MOST_TIERS,
    end_of,
    full_code,
    sort_path,
)
from erpbridge.bulk import lock_rows
from erpbridge.folded import Folding, FoldingQuerySet, KeyField, SearchField, has_words
from erpbridge.text import key

LONGEST_FULL_CODE = MOST_TIERS * (LONGEST_CODE + 1)
BATCH = 500
SHAPE = ["path", "full_code", "sort_path"]
NOTHING: Mapping[int, str] = MappingProxyType({})


class Tiered(Folding):
    """A code somewhere in a tree of up to five tiers.

    ``path`` holds the codes from the first tier down to this one; ``full_code``, ``sort_path`` and
    ``depth`` (0 for the first tier) follow from it. ``within`` names the column of the tree; two
    full codes of a tree never have the same ``code_key``.
    """

    within: ClassVar[str]

    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    code = models.CharField("Code", max_length=LONGEST_CODE)
    description = models.CharField("Description", max_length=LONGEST_DESCRIPTION)
    is_active = models.BooleanField("Active", default=True)
    path = models.JSONField(editable=False)
    full_code = models.CharField(max_length=LONGEST_FULL_CODE, editable=False)
    code_key = KeyField("full_code")
    search_text = SearchField("full_code", "description")
    sort_path = models.TextField(editable=False)
    depth = models.PositiveSmallIntegerField(editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.full_code} {self.description}"

    def place(self, code: str, above: Tiered | None) -> None:
        """Give it a code, under ``above`` or in the first tier."""
        self.code = code
        self.take_path([*(above.path if above else []), code])
        self.depth = len(self.path) - 1

    def take_path(self, path: Sequence[str]) -> None:
        """Write a path and what follows from it."""
        self.path = list(path)
        self.full_code, self.sort_path = full_code(path), sort_path(path)


T = TypeVar("T", bound=Tiered)


class TieredQuerySet(FoldingQuerySet[T]):
    """Rows of trees."""

    def at_or_under(self, one: Tiered) -> Self:
        """The row and everything below it."""
        tree = {one.within: getattr(one, f"{one.within}_id")}
        inside = Q(sort_path__gte=one.sort_path, sort_path__lt=end_of(one.sort_path))
        return self.filter(inside, **tree)

    def under(self, one: Tiered) -> Self:
        """Everything below the row."""
        return self.at_or_under(one).exclude(pk=one.pk)

    def with_groups(self) -> Self:
        """With ``is_group``: whether others are under it."""
        children = self.model._base_manager.filter(parent=OuterRef("pk"))
        return self.annotate(is_group=Exists(children))

    def search(self, words: str) -> Self:
        """By code or description; every word must occur."""
        return self.filter(has_words(words, "search_text"))


@dataclass(frozen=True)
class Sorted(Generic[T]):
    """Those of the chosen rows that an action takes, and the others with the reason."""

    going: Sequence[T]
    left: tuple[Left, ...]


def batches(ids: Iterable[int]) -> Iterator[list[int]]:
    """The ids in order, in pieces that fit into one statement."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


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
