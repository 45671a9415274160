"""Serialize cost codes of a project.

See docs/design/procore-rest-resources.md, "Cost codes of a project".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Greatest

from admin_wbs.models import CodeCostType, ProjectCostCode
from erp_integrations import sendable
from erpbridge.db.among import among
from erpbridge.db.json_rows import Constant, Field, FromMapping, JsonRows, OrNull

# For this project the code is new when it is added, however long the list has had it.
UPDATED_AT = Greatest("added_at", "cost_code__updated_at")
CODE: dict[str, Field] = {
    "id": "pk",
    "code": "cost_code__code",
    "full_code": "cost_code__full_code",
    "sortable_code": "cost_code__full_code",
    "name": "cost_code__description",
    "biller": "project__name",
    "biller_id": "project_id",
    "biller_type": Constant("Project"),
    "biller_origin_id": OrNull("project__origin_id"),
    "budgeted": Constant(False),
    "position": Constant(None),
    "parent": FromMapping("parents", default={"id": None}),
    "standard_cost_code_id": "cost_code_id",
    "standard_cost_code_list_id": "cost_code__list_id",
    "line_item_types": FromMapping("types", "cost_code_id", default=()),
    "origin_id": OrNull("cost_code__origin_id"),
    "origin_data": OrNull(sendable.text_at("cost_code__origin_data")),
    "created_at": "added_at",
    "updated_at": UPDATED_AT,
    "deleted_at": Constant(None),
}
# The fields that an ERP needs.
OF_ERP = ("id", "code", "full_code", "name", "origin_id", "standard_cost_code_id")
compact = JsonRows(ProjectCostCode, {name: CODE[name] for name in OF_ERP})
_extended = JsonRows(ProjectCostCode, CODE)


def extended(pks: Sequence[int]) -> dict[int, dict[str, object]]:
    """Every field, in three queries."""
    return _extended(pks, types=_cost_types(pks), parents=_parents(pks))


def _cost_types(pks: Sequence[int]) -> dict[int, list[dict[str, object]]]:
    """Cost code id -> the cost types that are enabled for it."""
    types: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
    codes = ProjectCostCode.objects.filter(among("pk", pks)).values("cost_code")
    ticks = CodeCostType.objects.filter(code__in=codes).order_by("cost_type_id")
    columns = ("id", "label", "code", "base_type", "origin_id")
    names = (f"cost_type__{column}" for column in columns)
    for code_id, pk, label, code, base_type, origin_id in ticks.values_list("code_id", *names):
        types[code_id].append(
            {
                "id": pk,
                "name": label,
                "code": code,
                "base_type": base_type,
                "origin_id": origin_id or None,
            }
        )
    return types


def _parents(pks: Sequence[int]) -> dict[int, dict[str, int | None]]:
    """Code id -> the project's own id of its parent, for codes whose parent is on the project."""
    parent = ProjectCostCode.objects.filter(
        project=OuterRef("project"), cost_code=OuterRef("cost_code__parent")
    )
    codes = ProjectCostCode.objects.filter(among("pk", pks), cost_code__parent__isnull=False)
    pairs = codes.values_list("pk", Subquery(parent.values("pk")))
    return {pk: {"id": parent_id} for pk, parent_id in pairs}
