"""What the table of segments says of each: what it holds, and where that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.urls import reverse

from admin_wbs.models import CostCode, CostType, ProjectSegment, Segment, SegmentItem
from erpbridge.access.policy import Access


@dataclass(frozen=True)
class Row:
    """A segment in the table; ``items`` in words, ``href`` where they are kept.

    ``projects``: how many have it in their structure, which keeps it from being deleted.
    """

    segment: Segment
    items: str
    href: str
    projects: int


def rows_of(access: Access, found: Sequence[Segment]) -> list[Row]:
    """The rows of some segments, in a number of queries that does not grow with them."""
    account = access.account.pk
    items = SegmentItem.objects.visible_to(access).order_by().values_list("segment")
    counts = dict(items.annotate(count=Count("pk")))
    held = ProjectSegment.objects.filter(segment__in=found).order_by().values_list("segment")
    projects = dict(held.annotate(count=Count("pk")))
    kept = _kept(access)
    rows = []
    for one in found:
        page = reverse("admin_wbs:segment_items", args=[account, one.pk])
        words, href = kept.get(one.kind, (f"{counts.get(one.pk, 0):,}", page))
        rows.append(Row(one, words, href, projects.get(one.pk, 0)))
    return rows


def _kept(access: Access) -> dict[str, tuple[str, str]]:
    """By kind: how many items a default segment has, and where they are kept."""
    codes = CostCode.objects.visible_to(access).count()
    types = CostType.objects.visible_to(access).count()
    account = access.account.pk
    return {
        Segment.Kind.COST_CODE: (f"{codes:,}", reverse("admin_wbs:lists", args=[account])),
        Segment.Kind.COST_TYPE: (f"{types:,}", reverse("admin_wbs:cost_types", args=[account])),
        Segment.Kind.SUB_JOB: ("On each project", ""),
    }
