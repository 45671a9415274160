"""Response schemas of the work breakdown structure calls."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict


class SegmentSummary(TypedDict):
    """A segment with the fields that are the same in every context."""

    id: int
    type: Literal["cost_code", "line_item_type", "sub_job", "custom"]
    name: str
    required: bool
    delimiter: str
    project_can_modify_origin_project: bool
    project_can_delete_origin_company: bool
    structure: Literal["tiered", "flat"]


class WbsSegment(SegmentSummary):
    """A segment of the company or a project. If `position` is null, it is not in the pattern."""

    position: int | None
    segment_items_count: int
    created_at: datetime
    updated_at: datetime
    wbs_pattern_id: int


class WbsPattern(TypedDict):
    """The segments of a budget code, in order."""

    id: int
    segments: list[WbsSegment]
    created_at: datetime
    updated_at: datetime


class SegmentItemList(TypedDict):
    """A list of cost codes, as a list of items of the cost code segment."""

    id: int
    name: str
    segment_items_count: int
    erp_integrated: bool
    available_to_use_on_new_projects: bool


class WbsItem(TypedDict):
    """An item of a segment, with its path from the first tier."""

    id: int
    code: str
    name: str
    parent_id: int | None
    path_ids: list[int]
    path_code: str
    path_codes: list[str]
    path_names: list[str]
    is_parent: bool
    in_use: bool
    status: Literal["active", "inactive"]
    segment: SegmentSummary
    created_at: datetime
    updated_at: datetime


class DeletedItem(TypedDict):
    """An item that was deleted."""

    id: int
    status: Literal[204]


class KeptItem(TypedDict):
    """An item that was not deleted, with the reason."""

    id: int
    status: Literal[404, 422]
    errors: dict[str, list[str]]


class DeletedItems(TypedDict):
    """The items that were deleted, and those that were not."""

    successes: list[DeletedItem]
    failures: list[KeptItem]


class BudgetCode(TypedDict):
    """A budget code of a project, with its items in the order of the segments."""

    id: int
    flat_code: str
    flat_name: str
    description: str
    status: Literal["active", "inactive"]
    segment_items: list[WbsItem]
    wbs_pattern_id: int
    created_at: datetime
    updated_at: datetime
