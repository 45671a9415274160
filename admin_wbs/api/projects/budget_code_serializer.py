"""What a budget code of a project looks like (docs/design/procore-rest-resources.md, "WBS codes").

Segments are at most twelve, so the number of queries does not grow with the codes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from admin_wbs.api.segments import item_serializer
from admin_wbs.models import Segment, SegmentItem, WbsCode, WbsCodeItem
from admin_wbs.models.budget_codes import ITEMS
from admin_wbs.projects import budget_codes
from admin_wbs.segments import default_structure
from erpbridge.access.models import Project

Kind = Segment.Kind


def shown(project: Project, pks: Sequence[int]) -> dict[int, Any]:
    """Budget codes of one project, each with its items in the order of the segments."""
    used = _used(pks)
    segments = default_structure.of_project(project)
    items = {
        one.pk: _items(one, sorted({found[one.pk] for found in used.values() if one.pk in found}))
        for one in segments
    }
    lines = budget_codes.flat(project, pks)
    return {
        one.pk: {
            "id": one.pk,
            "flat_code": lines[one.pk].code,
            "flat_name": lines[one.pk].name,
            "description": one.description or lines[one.pk].name,
            "status": "active" if one.is_active else "inactive",
            "segment_items": [
                items[segment.pk][used[one.pk][segment.pk]]
                for segment in segments
                if segment.pk in used[one.pk]
            ],
            "wbs_pattern_id": project.pk,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
        }
        for one in WbsCode.objects.filter(project=project, pk__in=pks)
    }


def _used(pks: Sequence[int]) -> dict[int, dict[int, int]]:
    """Budget code -> segment -> item."""
    found: defaultdict[int, dict[int, int]] = defaultdict(dict)
    columns = [f"{column}_id" for column in ITEMS]
    rows = WbsCodeItem.objects.filter(wbs_code__in=pks)
    for code, segment, *ids in rows.values_list("wbs_code_id", "segment_id", *columns):
        found[code][segment] = next(one for one in ids if one is not None)
    return found


def _items(segment: Segment, pks: Sequence[int]) -> Mapping[int, Any]:
    """Items of a segment as the project's list of them has them."""
    if not pks:
        return {}
    if segment.kind == Kind.COST_CODE:
        return item_serializer.project_codes(segment, pks)
    if segment.kind == Kind.COST_TYPE:
        return item_serializer.cost_types(segment, pks)
    if segment.kind == Kind.SUB_JOB:
        return item_serializer.sub_jobs(segment, pks)
    return item_serializer.tiered(SegmentItem, segment, pks)
