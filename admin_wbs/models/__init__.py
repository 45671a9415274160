"""The models of the work breakdown structure."""

from admin_wbs.models.budget_codes import WbsCode, WbsCodeItem
from admin_wbs.models.code_lists import CodeImport, CodeList
from admin_wbs.models.cost_codes import CostCode
from admin_wbs.models.cost_types import CodeCostType, CostType
from admin_wbs.models.project_cost_codes import ProjectCostCode
from admin_wbs.models.segments import OwnStructure, ProjectSegment, Segment, SegmentItem
from admin_wbs.models.sub_jobs import SubJob

__all__ = [
    "CodeCostType",
    "CodeImport",
    "CodeList",
    "CostCode",
    "CostType",
    "OwnStructure",
    "ProjectCostCode",
    "ProjectSegment",
    "Segment",
    "SegmentItem",
    "SubJob",
    "WbsCode",
    "WbsCodeItem",
]
