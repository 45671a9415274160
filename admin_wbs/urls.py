"""URLs of Admin > Work Breakdown Structure."""

from __future__ import annotations

from django.urls import URLPattern, path

from admin_wbs import (
    check_views,
    code_views,
    file_views,
    list_views,
    many_views,
    project_views,
    refresh_views,
    segment_urls,
    unlink_views,
    views,
)

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
    path(LISTS, list_views.code_lists, name="lists"),
    path(LISTS + "add/", list_views.list_add, name="list_add"),
    path(LIST, views.code_list, name="list"),
    path(LIST + "settings/", list_views.list_settings, name="list_settings"),
    path(LIST + "copy/", list_views.list_copy, name="list_copy"),
    path(LIST + "check/", check_views.check, name="check"),
    path(LIST + "check.csv", check_views.failures, name="check_csv"),
    path(LIST + "branch/", views.branch, name="branch"),
    path(LIST + "tree/", views.tree, name="tree"),
    path(LIST + "erp-buttons/", views.erp_buttons, name="erp_buttons"),
    path(LIST + "send/", many_views.send, name="list_send"),
    path(LIST + "many/", many_views.many, name="many"),
    path(LIST + "codes/add/", code_views.add, name="code_add"),
    path(LIST + "import/", file_views.upload, name="import"),
    path(LIST + "starter/", file_views.use_starter, name="starter"),
    path(LIST + "export.csv", file_views.export_csv, name="export_csv"),
    path(LIST + "export.xlsx", file_views.export_workbook, name="export_xlsx"),
    path(START + "imports/<uuid:code_import_id>/", file_views.preview, name="import_preview"),
    path(
        START + "imports/<uuid:code_import_id>/confirm/",
        file_views.confirm,
        name="import_confirm",
    ),
    path(START + "imports/<uuid:code_import_id>/errors/", file_views.errors, name="import_errors"),
    path(CODE, views.code, name="code"),
    path(CODE + "edit/", code_views.edit, name="code_edit"),
    path(CODE + "row/", code_views.row, name="code_row"),
    path(CODE + "unlink/", unlink_views.unlink, name="unlink"),
    path(LIST + "refresh/", refresh_views.refresh, name="refresh"),
    path(START + "refresh-projects/", project_views.refresh_all, name="refresh_projects"),
    path(PROJECT, project_views.project_list, name="project_codes"),
    path(PROJECT + "add/", project_views.add, name="project_add"),
    path(PROJECT + "remove/", project_views.remove, name="project_remove"),
    path(PROJECT + "refresh/", project_views.refresh, name="project_refresh"),
]
