"""URLs of Admin > Work Breakdown Structure."""

from __future__ import annotations

from django.urls import URLPattern, path

from admin_wbs import segment_urls
from admin_wbs.cost_codes import bulk_views, edit_views, page_views
from admin_wbs.cost_codes import list_views as cost_codes_list_views
from admin_wbs.erp import dry_run_views, refresh_views, unlink_views
from admin_wbs.importing import views as import_views
from admin_wbs.projects import cost_code_views

app_name = "admin_wbs"

START = "accounts/<int:account_id>/wbs/"
LISTS = START + "lists/"
LIST = LISTS + "<int:list_id>/"
CODE = START + "codes/<int:code_id>/"
PROJECT_START = "accounts/<int:account_id>/projects/<int:project_id>/wbs/"
PROJECT = PROJECT_START + "codes/"

urlpatterns: list[URLPattern] = [
    *segment_urls.patterns(START),
    *segment_urls.project_patterns(PROJECT_START),
    path(LISTS, cost_codes_list_views.code_lists, name="lists"),
    path(LISTS + "add/", cost_codes_list_views.list_add, name="list_add"),
    path(LIST, page_views.code_list, name="list"),
    path(LIST + "settings/", cost_codes_list_views.list_settings, name="list_settings"),
    path(LIST + "copy/", cost_codes_list_views.list_copy, name="list_copy"),
    path(LIST + "check/", dry_run_views.check, name="check"),
    path(LIST + "check.csv", dry_run_views.failures, name="check_csv"),
    path(LIST + "branch/", page_views.branch, name="branch"),
    path(LIST + "tree/", page_views.tree, name="tree"),
    path(LIST + "erp-buttons/", page_views.erp_buttons, name="erp_buttons"),
    path(LIST + "send/", bulk_views.send, name="list_send"),
    path(LIST + "many/", bulk_views.many, name="many"),
    path(LIST + "codes/add/", edit_views.add, name="code_add"),
    path(LIST + "import/", import_views.upload, name="import"),
    path(LIST + "starter/", import_views.use_starter, name="starter"),
    path(LIST + "export.csv", import_views.export_csv, name="export_csv"),
    path(LIST + "export.xlsx", import_views.export_workbook, name="export_xlsx"),
    path(START + "imports/<uuid:code_import_id>/", import_views.preview, name="import_preview"),
    path(
        START + "imports/<uuid:code_import_id>/confirm/",
        import_views.confirm,
        name="import_confirm",
    ),
    path(
        START + "imports/<uuid:code_import_id>/errors/", import_views.errors, name="import_errors"
    ),
    path(CODE, page_views.code, name="code"),
    path(CODE + "edit/", edit_views.edit, name="code_edit"),
    path(CODE + "row/", edit_views.row, name="code_row"),
    path(CODE + "unlink/", unlink_views.unlink, name="unlink"),
    path(LIST + "refresh/", refresh_views.refresh, name="refresh"),
    path(START + "refresh-projects/", cost_code_views.refresh_all, name="refresh_projects"),
    path(PROJECT, cost_code_views.project_list, name="project_codes"),
    path(PROJECT + "add/", cost_code_views.add, name="project_add"),
    path(PROJECT + "remove/", cost_code_views.remove, name="project_remove"),
    path(PROJECT + "refresh/", cost_code_views.refresh, name="project_refresh"),
]
