"""Serialize budget codes of a project (docs/design/procore-rest-resources.md, "WBS codes").

A project has at most 12 segments, so the number of queries does not grow with the codes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from admin_wbs.api.segments import item_serializer
from admin_wbs.models import Segment, SegmentItem, WbsCode, WbsCodeItem
from admin_wbs.models.budget_codes import ITEMS
from admin_wbs.projects import budget_codes
from admin_wbs.segments import default_structure
from erpbridge.access.models import Project
from erpbridge.db.among import among

Kind = Segment.Kind


def budget_code_rows(project: Project, pks: Sequence[int]) -> dict[int, object]:
    """Budget codes of one project, each with its items in segment order."""
    used = _used(pks)
    segments = default_structure.of_project(project)
    items = {
        segment.pk: _items(
            segment, sorted({ids[segment.pk] for ids in used.values() if segment.pk in ids})
        )
        for segment in segments
    }
    lines = budget_codes.flat(project, pks)
    return {
        code.pk: {
            "id": code.pk,
            "flat_code": lines[code.pk].code,
            "flat_name": lines[code.pk].name,
            "description": code.description or lines[code.pk].name,
            "status": "active" if code.is_active else "inactive",
            "segment_items": [
                items[segment.pk][used[code.pk][segment.pk]]
                for segment in segments
                if segment.pk in used[code.pk]
            ],
            # A project has one pattern, so it needs no id of its own.
            "wbs_pattern_id": project.pk,
            "created_at": code.created_at,
            "updated_at": code.updated_at,
        }
        for code in WbsCode.objects.filter(among("pk", pks), project=project)
    }


def _used(pks: Sequence[int]) -> dict[int, dict[int, int]]:
    """Budget code id -> segment id -> item id."""
    items: defaultdict[int, dict[int, int]] = defaultdict(dict)
    columns = [f"{column}_id" for column in ITEMS]
    rows = WbsCodeItem.objects.filter(among("wbs_code_id", pks))
    for code, segment, *ids in rows.values_list("wbs_code_id", "segment_id", *columns):
        # A constraint of the database says that exactly one is set.
        items[code][segment] = next(item_id for item_id in ids if item_id is not None)
    return items


def _items(segment: Segment, pks: Sequence[int]) -> Mapping[int, object]:
    """Item id -> the item, in the same format as in the project's item list."""
    if not pks:
        return {}
    if segment.kind == Kind.COST_CODE:
        return item_serializer.project_codes(segment, pks)
    if segment.kind == Kind.COST_TYPE:
        return item_serializer.cost_types(segment, pks)
    if segment.kind == Kind.SUB_JOB:
        return item_serializer.sub_jobs(segment, pks)
    return item_serializer.tiered(SegmentItem, segment, pks)
