"""What cost codes and segment items have in common: code, description, place in a tree."""

from __future__ import annotations

from collections.abc import Sequence
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

# One more per tier, for the dash.
LONGEST_FULL_CODE = MOST_TIERS * (LONGEST_CODE + 1)
BATCH = 500
# Each row is a condition of its own, and SQLite's expressions have a limit of depth.
MOST_FAMILIES = 100
# What a new path changes, but ``depth``: a renamed row keeps its tier.
SHAPE = ["path", "full_code", "sort_path"]


class Tiered(Folding):
    """A code in a tree of up to five tiers.

    ``path`` holds the codes from the first tier down to this one. ``full_code``, ``sort_path`` and
    ``depth`` (0 for the first tier) are derived from it. ``within`` names the foreign key to the
    tree; within a tree, ``code_key`` is unique.
    """

    within: ClassVar[str]
    parent_id: int | None

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
        """Set the code, under ``above`` or in the first tier."""
        self.code = code
        self.take_path([*(above.path if above else []), code])

    def take_path(self, path: Sequence[str]) -> None:
        """Set the path and the fields derived from it."""
        self.path = list(path)
        self.full_code, self.sort_path = full_code(path), sort_path(path)
        self.depth = len(self.path) - 1


T = TypeVar("T", bound=Tiered)


class TieredQuerySet(FoldingQuerySet[T]):
    """Rows of trees."""

    def at_or_under(self, row: Tiered) -> Self:
        """The row and all its descendants."""
        return self.families([row])

    def families(self, rows: Sequence[Tiered]) -> Self:
        """Some rows of one tree and all their descendants; at most :data:`MOST_FAMILIES` rows."""
        # Every tree has the same sort paths, so the range alone would match other trees too.
        tree = {row.within: getattr(row, f"{row.within}_id") for row in rows[:1]}
        # For no rows: this matches nothing.
        inside = Q(pk__in=[])
        for row in rows:
            inside |= Q(sort_path__gte=row.sort_path, sort_path__lt=end_of(row.sort_path))
        return self.filter(inside, **tree)

    def under(self, row: Tiered) -> Self:
        """All descendants of the row."""
        return self.at_or_under(row).exclude(pk=row.pk)

    def with_groups(self) -> Self:
        """Annotate ``is_group``: the row has children."""
        children = self.model._base_manager.filter(parent=OuterRef("pk"))
        return self.annotate(is_group=Exists(children))

    def search(self, words: str) -> Self:
        """Search by code or description; every word must match."""
        return self.filter(has_words(words, "search_text"))
