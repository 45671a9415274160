"""What cost codes and the items of a segment have in common: a code, a text, a place in a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from admin_wbs.models.full_code import (
    LONGEST_CODE,
    LONGEST_DESCRIPTION,
    MOST_TIERS,
    end_of,
    full_code,
    sort_path,
)
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, KeyField, SearchField, has_words

LONGEST_FULL_CODE = MOST_TIERS * (LONGEST_CODE + 1)
BATCH = 500
SHAPE = ["path", "full_code", "sort_path"]


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


def batches(ids: Iterable[int]) -> Iterator[list[int]]:
    """The ids in order, in pieces that fit into one statement."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]
