"""Read access to budget codes: who can see them, search, names, and what they use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.batches import chunks
from erpbridge.db.folded_fields import FoldingQuerySet
from erpbridge.db.text import search_words

if TYPE_CHECKING:
    from admin_wbs.models.budget_codes import WbsCode, WbsCodeItem

# The delimiter of a budget code's segments, which searches may contain.
JOINT = "."
# Number of projects named in a message.
MOST_NAMED = 3
CODES = ("cost_code__cost_code__full_code", "cost_type__code", "sub_job__code", "item__full_code")
NAMES = (
    "cost_code__cost_code__description",
    "cost_type__label",
    "sub_job__name",
    "item__description",
)
ITEMS = ("cost_code__cost_code", "cost_type", "sub_job", "item")


class WbsCodeQuerySet(FoldingQuerySet["WbsCode"]):
    """Budget codes of projects."""

    model: type[WbsCode]

    def visible_to(self, access: Access) -> WbsCodeQuerySet:
        """Budget codes of the scope's project; none without access to its Admin tool."""
        if access.project is None or not access.can(Permission.PROJECT_WBS_VIEW):
            return self.none()
        return self.filter(project=access.project)

    def search(self, words: str) -> WbsCodeQuerySet:
        """Search by description, or code or name of an item; every word must match.

        A word such as ``02-220.L`` is also split into parts, each matched with the beginning of
        codes.
        """
        rows = self
        for word in search_words(words):
            in_parts = Q()
            for part in filter(None, word.split(JOINT)):
                # The code comes first in the text of an item.
                in_parts &= _has_item(_either("search_text__startswith", part))
            in_item = _has_item(_either("search_text__contains", word))
            rows = rows.filter(Q(search_text__contains=word) | in_item | in_parts)
        return rows

    def without_divisions(self) -> WbsCodeQuerySet:
        """Budget codes whose cost code has no children."""
        return self.exclude(_has_item(Q(cost_code__cost_code__children__isnull=False)))


def _has_item(which: Q) -> Q:
    # Imported here, because that module imports this one.
    from admin_wbs.models.budget_codes import WbsCodeItem

    # EXISTS, because a join would repeat a budget code for each item that matches.
    return Q(Exists(WbsCodeItem.objects.filter(which, wbs_code=OuterRef("pk"))))


def _either(lookup: str, word: str) -> Q:
    condition = Q()
    for item in ITEMS:
        condition |= Q(**{f"{item}__{lookup}": word})
    return condition


class WbsCodeItemQuerySet(models.QuerySet["WbsCodeItem"]):
    """Items of budget codes."""

    model: type[WbsCodeItem]

    def named(self) -> WbsCodeItemQuerySet:
        """Annotate ``code`` and ``name`` of each item, from whichever table it is in."""
        return self.annotate(code=Coalesce(*CODES), name=Coalesce(*NAMES))

    def used_ids(self, column: str, ids: Iterable[int]) -> set[int]:
        """The given ids that a budget code uses; ``column`` is the column of the item."""
        used: set[int] = set()
        for batch in chunks(sorted(set(ids))):
            rows = self.filter(**{f"{column}__in": batch})
            used.update(rows.values_list(f"{column}_id", flat=True))
        return used

    def uses(self, column: str, ids: Iterable[int]) -> dict[int, str]:
        """Id -> message with the number of budget codes per project; used ids only."""
        counts: dict[int, list[tuple[str, int]]] = defaultdict(list)
        project = "wbs_code__project"
        names = (f"{project}__number", f"{project}__name", project)
        for batch in chunks(sorted(set(ids))):
            rows = self.filter(**{f"{column}__in": batch})
            grouped = rows.values_list(f"{column}_id", *names).annotate(Count("wbs_code"))
            for pk, number, name, _project, count in grouped.order_by(*names):
                counts[pk].append((f"{number} {name}".strip(), count))
        return {pk: _use(by_project) for pk, by_project in counts.items()}


def _use(by_project: Sequence[tuple[str, int]]) -> str:
    """For example "7 budget codes use it: 4 of Pier 7, 2 of Pier 8, 1 of 1 more project."."""
    named, more = by_project[:MOST_NAMED], by_project[MOST_NAMED:]
    parts = [f"{count:,} of {name}" for name, count in named]
    if more:
        projects = f"{len(more):,} more project{'' if len(more) == 1 else 's'}"
        parts.append(f"{sum(count for _name, count in more):,} of {projects}")
    total = sum(count for _name, count in by_project)
    verb = "budget code uses" if total == 1 else "budget codes use"
    return f"{total:,} {verb} it: {', '.join(parts)}."
