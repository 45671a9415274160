"""The rows of the segment table: numbers of items, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.urls import reverse

from admin_wbs.models import CostCode, CostType, ProjectSegment, Segment, SegmentItem
from erpbridge.access.policy import Access


@dataclass(frozen=True)
class Row:
    """A segment in the table. ``items`` is text; ``href`` is where the items are kept.

    ``projects``: number of projects that have it in their structure, which prevents deletion.
    """

    segment: Segment
    items: str
    href: str
    projects: int


def rows_of(access: Access, segments: Sequence[Segment]) -> list[Row]:
    """The rows of the segments, in a fixed number of queries."""
    account = access.account.pk
    # Without an order, by which the rows would be grouped too.
    items = SegmentItem.objects.visible_to(access).order_by().values_list("segment")
    counts = dict(items.annotate(count=Count("pk")))
    on_projects = (
        ProjectSegment.objects.filter(segment__in=segments).order_by().values_list("segment")
    )
    projects = dict(on_projects.annotate(count=Count("pk")))
    kept = _kept(access)
    rows = []
    for segment in segments:
        page = reverse("admin_wbs:segment_items", args=[account, segment.pk])
        # Only custom segments keep their items in a table of their own.
        items_text, href = kept.get(segment.kind, (f"{counts.get(segment.pk, 0):,}", page))
        rows.append(Row(segment, items_text, href, projects.get(segment.pk, 0)))
    return rows


def _kept(access: Access) -> dict[str, tuple[str, str]]:
    """Kind of a default segment -> (number of items, URL where they are kept)."""
    codes = CostCode.objects.visible_to(access).count()
    types = CostType.objects.visible_to(access).count()
    account = access.account.pk
    return {
        Segment.Kind.COST_CODE: (f"{codes:,}", reverse("admin_wbs:lists", args=[account])),
        Segment.Kind.COST_TYPE: (f"{types:,}", reverse("admin_wbs:cost_types", args=[account])),
        Segment.Kind.SUB_JOB: ("On each project", ""),
    }
