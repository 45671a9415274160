"""Serialize items of a segment, in a few queries per page.

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
from erpbridge.db.among import among

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

# What QuerySet.values() returns of an item.
Row = Mapping[str, Any]
Rows = dict[int, dict[str, object]]


def tiered(model: Tiers, segment: Segment, pks: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Cost codes, or items of a custom segment, with their paths."""
    rows = list(model._base_manager.filter(among("pk", pks)).values(*COLUMNS))
    ancestors_by_id = _above(model, rows)
    children = model._base_manager.filter(among("parent_id", pks))
    parents = set(children.values_list("parent_id", flat=True).distinct())
    used = _used(model, pks)
    return {
        row["id"]: _item(
            segment,
            row,
            ancestors=_ancestors(row, ancestors_by_id),
            is_parent=row["id"] in parents,
            in_use=row["id"] in used,
        )
        for row in rows
    }


def project_codes(segment: Segment, pks: Sequence[int]) -> Rows:
    """Cost codes of one project. All ids, also in paths, are the project's own ids."""
    rows = ProjectCostCode.objects.filter(among("pk", pks))
    placed = dict(rows.values_list("cost_code_id", "pk"))
    items = tiered(CostCode, segment, sorted(placed))
    project = rows.values("project")
    path_ids = {code for item in items.values() for code in item["path_ids"]}
    # The project's own ids of all codes in the paths, in one query.
    family = ProjectCostCode.objects.filter(project__in=project, cost_code__in=path_ids)
    project_ids = dict(family.values_list("cost_code_id", "pk"))
    children = ProjectCostCode.objects.filter(project__in=project, cost_code__parent__in=placed)
    # A code is a parent here only if one of its children is on the project too.
    parents = set(children.values_list("cost_code__parent_id", flat=True).distinct())
    used = WbsCodeItem.objects.used_ids("cost_code", pks)
    return {
        placed[code]: {
            **item,
            "id": placed[code],
            "parent_id": project_ids.get(item["parent_id"]),
            # An ancestor that is not on the project has no id there.
            "path_ids": [
                project_ids[code_id] for code_id in item["path_ids"] if code_id in project_ids
            ],
            "is_parent": code in parents,
            "in_use": placed[code] in used,
        }
        for code, item in items.items()
    }


def cost_types(segment: Segment, pks: Sequence[int]) -> Rows:
    """Cost types as items of their segment."""
    rows = CostType.objects.filter(among("pk", pks)).with_ticks()
    used = WbsCodeItem.objects.used_ids("cost_type", pks)
    return {
        cost_type.pk: _item(
            segment,
            # When a cost type was changed is not stored.
            _flat(cost_type, cost_type.label, cost_type.created_at),
            in_use=cost_type.pk in used or bool(cost_type.ticked),  # type: ignore[attr-defined]  # annotated
        )
        for cost_type in rows
    }


def sub_jobs(segment: Segment, pks: Sequence[int]) -> Rows:
    """Sub jobs of a project as items of their segment."""
    rows = SubJob.objects.filter(among("pk", pks))
    used = WbsCodeItem.objects.used_ids("sub_job", pks)
    return {
        sub_job.pk: _item(
            segment,
            _flat(sub_job, sub_job.name, sub_job.updated_at, active=sub_job.is_active),
            in_use=sub_job.pk in used,
        )
        for sub_job in rows
    }


def _flat(
    record: CostType | SubJob, name: str, updated: object, *, active: bool = True
) -> dict[str, object]:
    return {
        "id": record.pk,
        "code": record.code,
        "description": name,
        "parent_id": None,
        "path": [record.code],
        "full_code": record.code,
        "is_active": active,
        "created_at": record.created_at,
        "updated_at": updated,
    }


def _item(
    segment: Segment,
    row: Row,
    *,
    ancestors: Sequence[tuple[int, str]] = (),
    is_parent: bool = False,
    in_use: bool = False,
) -> dict[str, object]:
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


def _above(model: Tiers, rows: Sequence[Row]) -> dict[int, tuple[int | None, str]]:
    """Id -> (parent id, description) of all ancestors of the rows; one query per tier."""
    ancestors: dict[int, tuple[int | None, str]] = {}
    pks = {row["parent_id"] for row in rows} - {None}
    for _tier in range(MOST_TIERS):
        if not pks:
            break
        tier = model._base_manager.filter(among("pk", pks))
        ancestors |= {
            pk: (up, text) for pk, up, text in tier.values_list("pk", "parent_id", "description")
        }
        pks = {up for up, _text in ancestors.values()} - {None} - set(ancestors)
    return ancestors


def _ancestors(
    row: Row, ancestors_by_id: Mapping[int, tuple[int | None, str]]
) -> list[tuple[int, str]]:
    """(id, description) of a row's ancestors, first tier first."""
    path: list[tuple[int, str]] = []
    up: int | None = row["parent_id"]
    while up is not None:
        parent, text = ancestors_by_id[up]
        path.append((up, text))
        up = parent
    return path[::-1]


def _used(model: Tiers, pks: Sequence[int]) -> set[int]:
    """Ids of cost codes on a project or in the ERP, or of items in a budget code."""
    if model is SegmentItem:
        return WbsCodeItem.objects.used_ids("item", pks)
    placed = ProjectCostCode.objects.filter(among("cost_code_id", pks))
    synced = CostCode.objects.filter(among("pk", pks)).synced()
    return {*placed.values_list("cost_code_id", flat=True), *synced.values_list("pk", flat=True)}
