"""URLs of segments, their items, cost types and the matrix; included by ``urls``."""

from __future__ import annotations

from django.urls import URLPattern, path

from admin_wbs.cost_types import code_cost_type_views
from admin_wbs.cost_types import views as cost_types_views
from admin_wbs.projects import structure_views, sub_job_views
from admin_wbs.segments import item_views
from admin_wbs.segments import views as segments_views

SEGMENT = "segments/<int:segment_id>/"
ITEM = SEGMENT + "items/<int:item_id>/"
SUB_JOB = "sub-jobs/<int:sub_job_id>/"
MATRIX = "lists/<int:list_id>/cost-types/"


def patterns(start: str) -> list[URLPattern]:
    """URLs below an account's work breakdown structure."""
    return [
        path(start, segments_views.segment_list, name="segments"),
        path(start + "segments/add/", segments_views.segment_add, name="segment_add"),
        path(start + SEGMENT, segments_views.segment, name="segment"),
        path(start + SEGMENT + "delete/", segments_views.segment_delete, name="segment_delete"),
        path(start + SEGMENT + "switch/", segments_views.segment_switch, name="segment_switch"),
        path(start + SEGMENT + "move/", segments_views.segment_move, name="segment_move"),
        path(start + SEGMENT + "items/", item_views.items, name="segment_items"),
        path(start + SEGMENT + "items/act/", item_views.items_act, name="segment_items_act"),
        path(start + ITEM, item_views.item, name="segment_item"),
        path(start + ITEM + "row/", item_views.item_row, name="segment_item_row"),
        path(start + "cost-types/", cost_types_views.cost_type_list, name="cost_types"),
        path(start + "cost-types/<int:type_id>/", cost_types_views.cost_type, name="cost_type"),
        path(
            start + "cost-types/<int:type_id>/delete/",
            cost_types_views.cost_type_delete,
            name="cost_type_delete",
        ),
        path(start + MATRIX, code_cost_type_views.cost_types_of_codes, name="matrix"),
        path(start + MATRIX + "tick/", code_cost_type_views.tick, name="matrix_tick"),
        path(
            start + MATRIX + "<int:type_id>/all/",
            code_cost_type_views.tick_column,
            name="matrix_column",
        ),
    ]


def project_patterns(start: str) -> list[URLPattern]:
    """URLs below a project's work breakdown structure."""
    return [
        path(start, structure_views.structure, name="project_wbs"),
        path(start + "structure/", structure_views.change, name="project_structure"),
        path(start + "sub-jobs/", sub_job_views.sub_job_list, name="sub_jobs"),
        path(start + SUB_JOB, sub_job_views.sub_job, name="sub_job"),
        path(start + SUB_JOB + "switch/", sub_job_views.sub_job_switch, name="sub_job_switch"),
        path(start + SUB_JOB + "delete/", sub_job_views.sub_job_delete, name="sub_job_delete"),
    ]
