"""What an item of a segment looks like. A few queries a page.

See docs/design/procore-rest-resources.md, "Segment items".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from admin_wbs.api.segments.segment_serializer import segment_of
from admin_wbs.models import (
    CostCode,
    CostType,
    ProjectCostCode,
    Segment,
    SegmentItem,
    SubJob,
    WbsCodeItem,
)
from admin_wbs.models.full_code import MOST_TIERS

COLUMNS = (
    "id",
    "code",
    "description",
    "parent_id",
    "path",
    "full_code",
    "is_active",
    "created_at",
    "updated_at",
)
Tiers = type[CostCode] | type[SegmentItem]


def tiered(model: Tiers, segment: Segment, pks: Sequence[int]) -> dict[int, Any]:
    """Cost codes, or items of a custom segment, with their paths."""
    rows = list(model._base_manager.filter(pk__in=pks).values(*COLUMNS))
    above = _above(model, rows)
    below = model._base_manager.filter(parent__in=pks).values_list("parent_id", flat=True)
    parents = set(below.distinct())
    used = _used(model, pks)
    return {
        row["id"]: _item(
            segment,
            row,
            ancestors=_ancestors(row, above),
            is_parent=row["id"] in parents,
            in_use=row["id"] in used,
        )
        for row in rows
    }


def project_codes(segment: Segment, pks: Sequence[int]) -> dict[int, Any]:
    """Cost codes of one project, by the ids that they, and what is above them, have there."""
    rows = ProjectCostCode.objects.filter(pk__in=pks)
    placed = dict(rows.values_list("cost_code_id", "pk"))
    shown = tiered(CostCode, segment, sorted(placed))
    project = rows.values("project")
    wanted = {code for one in shown.values() for code in one["path_ids"]}
    family = ProjectCostCode.objects.filter(project__in=project, cost_code__in=wanted)
    here = dict(family.values_list("cost_code_id", "pk"))
    below = ProjectCostCode.objects.filter(project__in=project, cost_code__parent__in=placed)
    parents = set(below.values_list("cost_code__parent_id", flat=True).distinct())
    used = WbsCodeItem.objects.held("cost_code", pks)
    return {
        placed[code]: {
            **one,
            "id": placed[code],
            "parent_id": here.get(one["parent_id"]),
            "path_ids": [here[above] for above in one["path_ids"] if above in here],
            "is_parent": code in parents,
            "in_use": placed[code] in used,
        }
        for code, one in shown.items()
    }


def cost_types(segment: Segment, pks: Sequence[int]) -> dict[int, Any]:
    """Cost types."""
    rows = CostType.objects.filter(pk__in=pks).with_ticks()
    used = WbsCodeItem.objects.held("cost_type", pks)
    return {
        one.pk: _item(
            segment,
            _flat(one, one.label, one.created_at),
            in_use=one.pk in used or bool(one.ticked),  # type: ignore[attr-defined]  # annotated
        )
        for one in rows
    }


def sub_jobs(segment: Segment, pks: Sequence[int]) -> dict[int, Any]:
    """Sub jobs of a project."""
    rows = SubJob.objects.filter(pk__in=pks)
    used = WbsCodeItem.objects.held("sub_job", pks)
    return {
        one.pk: _item(
            segment,
            _flat(one, one.name, one.updated_at, active=one.is_active),
            in_use=one.pk in used,
        )
        for one in rows
    }


def _flat(
    one: CostType | SubJob, name: str, updated: Any, *, active: bool = True
) -> dict[str, Any]:
    return {
        "id": one.pk,
        "code": one.code,
        "description": name,
        "parent_id": None,
        "path": [one.code],
        "full_code": one.code,
        "is_active": active,
        "created_at": one.created_at,
        "updated_at": updated,
    }


def _item(
    segment: Segment,
    row: Mapping[str, Any],
    *,
    ancestors: Sequence[tuple[int, str]] = (),
    is_parent: bool = False,
    in_use: bool = False,
) -> dict[str, Any]:
    return {
        "id": row["id"],
        "code": row["code"],
        "name": row["description"],
        "parent_id": row["parent_id"],
        "path_ids": [*(pk for pk, _name in ancestors), row["id"]],
        "path_code": row["full_code"],
        "path_codes": row["path"],
        "path_names": [*(name for _pk, name in ancestors), row["description"]],
        "is_parent": is_parent,
        "in_use": in_use,
        "status": "active" if row["is_active"] else "inactive",
        "segment": segment_of(segment),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _above(model: Tiers, rows: Sequence[Mapping[str, Any]]) -> dict[int, tuple[int | None, str]]:
    """Id -> parent and description of everything above some rows, tier by tier."""
    found: dict[int, tuple[int | None, str]] = {}
    wanted = {row["parent_id"] for row in rows} - {None}
    for _tier in range(MOST_TIERS):
        if not wanted:
            break
        tier = model._base_manager.filter(pk__in=wanted)
        found |= {
            pk: (up, text) for pk, up, text in tier.values_list("pk", "parent_id", "description")
        }
        wanted = {up for up, _text in found.values()} - {None} - set(found)
    return found


def _ancestors(
    row: Mapping[str, Any], above: Mapping[int, tuple[int | None, str]]
) -> list[tuple[int, str]]:
    """Id and description of what is above a row, the first tier first."""
    path: list[tuple[int, str]] = []
    up: int | None = row["parent_id"]
    while up is not None:
        parent, text = above[up]
        path.append((up, text))
        up = parent
    return path[::-1]


def _used(model: Tiers, pks: Sequence[int]) -> set[int]:
    """Cost codes that a project uses, or that the ERP has; items that a budget code uses."""
    if model is SegmentItem:
        return WbsCodeItem.objects.held("item", pks)
    used = ProjectCostCode.objects.filter(cost_code__in=pks).values_list("cost_code_id", flat=True)
    return {*used, *CostCode.objects.filter(pk__in=pks).synced().values_list("pk", flat=True)}
