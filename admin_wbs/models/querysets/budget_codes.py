"""Which budget codes are shown to whom, what they are called, and what they use; reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from admin_wbs.models.node import batches
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import FoldingQuerySet
from erpbridge.db.text import search_words

if TYPE_CHECKING:
    from admin_wbs.models.budget_codes import WbsCode, WbsCodeItem

# What stands between the parts of a budget code, as a search may be written.
JOINT = "."
# Projects that a refusal names.
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
        """Those of the scope's project, none for a person without its Admin tool."""
        if access.project is None or not access.can("project_wbs.view"):
            return self.none()
        return self.filter(project=access.project)

    def search(self, words: str) -> WbsCodeQuerySet:
        """By description, or code or name of an item; every word must occur.

        A word such as ``02-220.L`` is also looked for part by part, at the beginning of codes.
        """
        found = self
        for word in search_words(words):
            in_parts = Q()
            for part in filter(None, word.split(JOINT)):
                # The code comes first in the text of an item.
                in_parts &= _has_item(_either("search_text__startswith", part))
            says = _has_item(_either("search_text__contains", word))
            found = found.filter(Q(search_text__contains=word) | says | in_parts)
        return found

    def without_divisions(self) -> WbsCodeQuerySet:
        """Those whose cost code has no others under it."""
        return self.exclude(_has_item(Q(cost_code__cost_code__children__isnull=False)))


def _has_item(which: Q) -> Q:
    from admin_wbs.models.budget_codes import WbsCodeItem

    return Q(Exists(WbsCodeItem.objects.filter(which, wbs_code=OuterRef("pk"))))


def _either(lookup: str, word: str) -> Q:
    wanted = Q()
    for item in ITEMS:
        wanted |= Q(**{f"{item}__{lookup}": word})
    return wanted


class WbsCodeItemQuerySet(models.QuerySet["WbsCodeItem"]):
    """Items of budget codes."""

    model: type[WbsCodeItem]

    def named(self) -> WbsCodeItemQuerySet:
        """With ``code`` and ``name`` of each item, whichever table it is in."""
        return self.annotate(code=Coalesce(*CODES), name=Coalesce(*NAMES))

    def held(self, column: str, ids: Iterable[int]) -> set[int]:
        """Those of some rows that a budget code uses; ``column`` says of which table."""
        found: set[int] = set()
        for some in batches(set(ids)):
            rows = self.filter(**{f"{column}__in": some})
            found.update(rows.values_list(f"{column}_id", flat=True))
        return found

    def uses(self, column: str, ids: Iterable[int]) -> dict[int, str]:
        """Id -> how many budget codes of which projects use a row, in words; of those in use."""
        counts: dict[int, list[tuple[str, int]]] = defaultdict(list)
        project = "wbs_code__project"
        names = (f"{project}__number", f"{project}__name", project)
        for some in batches(set(ids)):
            rows = self.filter(**{f"{column}__in": some})
            grouped = rows.values_list(f"{column}_id", *names).annotate(Count("wbs_code"))
            for pk, number, name, _project, count in grouped.order_by(*names):
                counts[pk].append((f"{number} {name}".strip(), count))
        return {pk: _use(by_project) for pk, by_project in counts.items()}


def _use(by_project: Sequence[tuple[str, int]]) -> str:
    """Such as "7 budget codes use it: 4 of Pier 7, 2 of Pier 8, 1 of 1 more project."."""
    named, more = by_project[:MOST_NAMED], by_project[MOST_NAMED:]
    parts = [f"{count:,} of {name}" for name, count in named]
    if more:
        projects = f"{len(more):,} more project{'' if len(more) == 1 else 's'}"
        parts.append(f"{sum(count for _name, count in more):,} of {projects}")
    total = sum(count for _name, count in by_project)
    verb = "budget code uses" if total == 1 else "budget codes use"
    return f"{total:,} {verb} it: {', '.join(parts)}."
