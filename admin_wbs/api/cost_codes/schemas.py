"""Response schemas of the cost code calls, and request bodies that no reader describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from erpbridge.rest.requests.rows import MOST_ROWS
from erpbridge.rest.schema.operations import HasSchema, Query, Schema, an_object, body_of

ID: Schema = {"type": "integer"}
LIST = "standard_cost_code_list_id"
IN_LIST = Query(LIST, ID, "The list that holds the codes; needed, here or in the body.")


def in_list(
    readers: Mapping[str, HasSchema], *, wrapped: str, required: Sequence[str] = ()
) -> Schema:
    """A body with a code under ``wrapped`` and the id of its list next to it."""
    return an_object({LIST: ID, wrapped: body_of(readers, required)}, [wrapped])


def rows_in_list(readers: Mapping[str, HasSchema]) -> Schema:
    """The body of a sync: the codes, and the id of their list."""
    row = body_of(readers, ())
    row["properties"] = {"id": {"type": ["integer", "null"]}} | row["properties"]
    rows: Schema = {"type": "array", "items": row, "maxItems": MOST_ROWS}
    return an_object({LIST: ID, "updates": rows}, ["updates"])


class StandardCostCodeList(TypedDict):
    """A list of cost codes."""

    id: int
    name: str
    is_erp_list: bool
    available_to_use_on_new_projects: bool
    company_id: int


class StandardCostCodeId(TypedDict):
    """The id of a cost code and of its list."""

    id: int
    standard_cost_code_list_id: int


class StandardCostCodeCompact(StandardCostCodeId):
    """The ids of a cost code, including the ERP's."""

    origin_id: str | None


class StandardCostCode(StandardCostCodeCompact):
    """A cost code of a list. `full_code` starts with the codes above it."""

    parent_id: int | None
    code: str
    full_code: str
    name: str
    origin_data: str | None


class LineItemTypeOfCode(TypedDict):
    """A cost type that is enabled for a cost code."""

    id: int
    name: str
    code: str
    base_type: str
    origin_id: str | None


class LineItemType(LineItemTypeOfCode):
    """A cost type of the account."""

    origin_data: str | None


class ParentCode(TypedDict):
    """The parent of a project's cost code."""

    id: int | None


class ProjectCostCodeCompact(TypedDict):
    """A cost code of a project, with the fields that an ERP needs."""

    id: int
    code: str
    full_code: str
    name: str
    origin_id: str | None
    standard_cost_code_id: int


class ProjectCostCode(ProjectCostCodeCompact):
    """A cost code of a project. The project is its biller."""

    sortable_code: str
    biller: str
    biller_id: int
    biller_type: str
    biller_origin_id: str | None
    budgeted: bool
    position: None
    parent: ParentCode
    standard_cost_code_list_id: int
    line_item_types: list[LineItemTypeOfCode]
    origin_data: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: None


class NotCopied(TypedDict):
    """A cost code that was not copied, with the reason."""

    standard_cost_code_id: int
    errors: dict[str, list[str]]


class CopiedCodes(TypedDict):
    """The codes that were copied to the project, and those that were not."""

    successes: list[ProjectCostCode | ProjectCostCodeCompact]
    failures: list[NotCopied]


class SubJobRow(TypedDict):
    """A sub job of a project."""

    id: int
    code: str
    name: str
    origin_id: str | None
    origin_data: str | None
    created_at: datetime
    updated_at: datetime
