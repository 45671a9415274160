"""Routes of cost codes, cost types and the Work Breakdown Structure."""

from __future__ import annotations

from django.urls import URLPattern

from admin_wbs.api.cost_codes import codes, lists
from admin_wbs.api.projects import budget_codes, cost_codes, sub_jobs
from admin_wbs.api.segments import cost_types, items, segments
from erpbridge.rest.urls import READ_ONLY, rest

V1 = ["v1.0"]
COMPANY = "companies/<int:company_id>/work_breakdown_structure/"
PROJECT = "projects/<int:project_id>/work_breakdown_structure/"
SEGMENT = "segments/<int:pk>"
ITEMS = "segments/<int:segment_id>/segment_items"

# The pyprocore client uses these addresses; Procore itself does not have them.
ALIASES: list[URLPattern] = [
    *rest(V1, "companies/<int:company_id>/cost_codes", codes.CompanyCodes.as_view()),
    *rest(
        V1,
        "companies/<int:company_id>/standard_cost_code_lists/<int:pk>/cost_codes",
        codes.ListCodes.as_view(http_method_names=READ_ONLY),
    ),
    *rest(
        V1,
        "companies/<int:company_id>/cost_types",
        cost_types.CostTypes.as_view(http_method_names=READ_ONLY),
    ),
    *rest(
        V1,
        "projects/<int:project_id>/wbs_codes",
        budget_codes.WbsCodes.as_view(http_method_names=READ_ONLY),
    ),
]

app_name = "admin_wbs_api"
urlpatterns: list[URLPattern] = [
    *rest(V1, "standard_cost_code_lists", lists.CodeLists.as_view()),
    *rest(V1, "standard_cost_code_lists/<int:pk>", lists.OneCodeList.as_view()),
    *rest(V1, "standard_cost_codes", codes.Codes.as_view()),
    *rest(V1, "standard_cost_codes/sync", codes.CodeSync.as_view()),
    *rest(V1, "standard_cost_codes/<int:pk>", codes.OneCode.as_view()),
    *rest(V1, "cost_codes", cost_codes.ProjectCodes.as_view()),
    *rest(V1, "cost_codes/sync", cost_codes.ProjectCodeSync.as_view()),
    *rest(V1, "cost_codes/copy_from_standard_list", cost_codes.CopyAll.as_view()),
    *rest(V1, "cost_codes/copy_subset_from_standard_list", cost_codes.CopySubset.as_view()),
    *rest(V1, "cost_codes/<int:pk>", cost_codes.OneProjectCode.as_view()),
    *rest(V1, "line_item_types", cost_types.CostTypes.as_view()),
    *rest(V1, "line_item_types/sync", cost_types.CostTypeSync.as_view()),
    *rest(V1, "line_item_types/<int:pk>", cost_types.OneCostType.as_view()),
    *rest(V1, COMPANY + "patterns", segments.Patterns.as_view()),
    *rest(V1, COMPANY + "patterns/update_segment_order", segments.SegmentOrder.as_view()),
    *rest(V1, COMPANY + "segments", segments.CompanySegments.as_view()),
    *rest(V1, COMPANY + SEGMENT, segments.OneCompanySegment.as_view()),
    *rest(V1, COMPANY + SEGMENT + "/lists", segments.SegmentLists.as_view()),
    *rest(V1, COMPANY + ITEMS, items.CompanyItems.as_view()),
    *rest(V1, COMPANY + ITEMS + "/bulk_destroy", items.BulkDestroy.as_view()),
    *rest(V1, COMPANY + ITEMS + "/update_all", items.UpdateAll.as_view()),
    *rest(V1, COMPANY + ITEMS + "/<int:pk>", items.OneCompanyItem.as_view()),
    *rest(V1, PROJECT + "patterns", segments.Patterns.as_view()),
    *rest(V1, PROJECT + "patterns/update_segment_order", segments.SegmentOrder.as_view()),
    *rest(V1, PROJECT + "patterns/add_segment", segments.PatternSegment.as_view()),
    *rest(V1, PROJECT + "patterns/remove_segment", segments.PatternSegment.as_view(adds=False)),
    *rest(V1, PROJECT + "segments", segments.Segments.as_view()),
    *rest(V1, PROJECT + SEGMENT, segments.OneSegment.as_view()),
    *rest(V1, PROJECT + SEGMENT + "/lists", segments.SegmentLists.as_view()),
    *rest(V1, PROJECT + ITEMS, items.Items.as_view()),
    *rest(V1, PROJECT + ITEMS + "/<int:pk>", items.OneItem.as_view()),
    *rest(V1, PROJECT + "wbs_codes", budget_codes.WbsCodes.as_view()),
    *rest(V1, PROJECT + "wbs_codes/bulk_create", budget_codes.BulkCreate.as_view()),
    *rest(V1, PROJECT + "wbs_codes/update_all", budget_codes.UpdateAllWbsCodes.as_view()),
    *rest(V1, PROJECT + "wbs_codes/<int:pk>", budget_codes.OneWbsCode.as_view()),
    *rest(V1, "sub_jobs", sub_jobs.SubJobs.as_view()),
    *rest(V1, "sub_jobs/sync", sub_jobs.SubJobSync.as_view()),
    *rest(V1, "sub_jobs/<int:pk>", sub_jobs.OneSubJob.as_view()),
    *ALIASES,
]
