"""Serialize cost codes of a project.

See docs/design/procore-rest-resources.md, "Cost codes of a project".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from admin_wbs.models import CodeCostType, ProjectCostCode
from erp_integrations import sendable

COLUMNS = (
    "id",
    "project_id",
    "project__name",
    "project__origin_id",
    "cost_code_id",
    "cost_code__list_id",
    "cost_code__parent_id",
    "cost_code__code",
    "cost_code__full_code",
    "cost_code__description",
    "cost_code__origin_id",
    "cost_code__origin_data",
    "cost_code__updated_at",
    "added_at",
)

# What QuerySet.values() returns.
Row = Mapping[str, Any]


def extended(pks: Sequence[int]) -> dict[int, dict[str, object]]:
    """Every field, in three queries."""
    rows = list(ProjectCostCode.objects.filter(pk__in=pks).values(*COLUMNS))
    types = _cost_types([row["cost_code_id"] for row in rows])
    parents = _parents(rows)
    return {row["id"]: _shown(row, types, parents) for row in rows}


def compact(pks: Sequence[int]) -> dict[int, object]:
    """The fields that an ERP needs."""
    names = ("id", "code", "full_code", "name", "origin_id", "standard_cost_code_id")
    return {pk: {name: row[name] for name in names} for pk, row in extended(pks).items()}


def _shown(
    row: Row,
    types: Mapping[int, list[dict[str, object]]],
    parents: Mapping[tuple[int, int], int],
) -> dict[str, object]:
    # None for a parent that was removed from the project.
    parent_id = parents.get((row["project_id"], row["cost_code__parent_id"] or 0))
    return {
        "id": row["id"],
        "code": row["cost_code__code"],
        "full_code": row["cost_code__full_code"],
        "sortable_code": row["cost_code__full_code"],
        "name": row["cost_code__description"],
        "biller": row["project__name"],
        "biller_id": row["project_id"],
        "biller_type": "Project",
        "biller_origin_id": row["project__origin_id"] or None,
        "budgeted": False,
        "position": None,
        "parent": {"id": parent_id},
        "standard_cost_code_id": row["cost_code_id"],
        "standard_cost_code_list_id": row["cost_code__list_id"],
        "line_item_types": types.get(row["cost_code_id"], []),
        "origin_id": row["cost_code__origin_id"] or None,
        "origin_data": sendable.text_of(row["cost_code__origin_data"]) or None,
        "created_at": row["added_at"],
        # For this project the code is new when it is added, however long the list has had it.
        "updated_at": max(row["added_at"], row["cost_code__updated_at"]),
        "deleted_at": None,
    }


def _cost_types(code_ids: Sequence[int]) -> dict[int, list[dict[str, object]]]:
    """Cost code id -> the cost types that are enabled for it."""
    types: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
    ticks = CodeCostType.objects.filter(code__in=code_ids).select_related("cost_type")
    for tick in ticks.order_by("cost_type_id"):
        cost_type = tick.cost_type
        types[tick.code_id].append(
            {
                "id": cost_type.pk,
                "name": cost_type.label,
                "code": cost_type.code,
                "base_type": cost_type.base_type,
                "origin_id": cost_type.origin_id or None,
            }
        )
    return dict(types)


def _parents(rows: Sequence[Row]) -> dict[tuple[int, int], int]:
    """(Project id, cost code id) -> the project's own id of that code, for all parents."""
    parent_ids = {row["cost_code__parent_id"] for row in rows} - {None}
    parents = ProjectCostCode.objects.filter(
        project__in={row["project_id"] for row in rows}, cost_code__in=parent_ids
    )
    pairs = parents.values_list("project_id", "cost_code_id", "pk")
    return {(project, code): pk for project, code, pk in pairs}
