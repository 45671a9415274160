"""URLs of the Directory: every page for the account, and for each of its projects."""

from __future__ import annotations

from django.urls import URLPattern, path

from directory import add_views, import_views, list_views, settings_views, views

app_name = "directory"

SCOPES = {
    "account": "accounts/<int:account_id>/directory/companies/",
    "project": "accounts/<int:account_id>/projects/<int:project_id>/directory/companies/",
}
PAGES = [
    ("", list_views.company_list, "companies"),
    ("bulk/", list_views.bulk, "companies_bulk"),
    ("add/", add_views.search, "company_add"),
    ("create/", add_views.create, "company_create"),
    ("place/", add_views.place, "company_place"),
    ("import/", import_views.upload, "import"),
    ("import/<uuid:import_id>/", import_views.preview, "import_preview"),
    ("import/<uuid:import_id>/confirm/", import_views.confirm, "import_confirm"),
    ("import/<uuid:import_id>/errors/", import_views.errors, "import_errors"),
    ("<int:company_id>/", views.company, "company"),
    ("<int:company_id>/edit/", views.edit, "company_edit"),
    ("<int:company_id>/send/", views.send, "company_send"),
    ("<int:company_id>/deactivate/", views.deactivate, "company_deactivate"),
    ("<int:company_id>/reactivate/", views.reactivate, "company_reactivate"),
    ("<int:company_id>/logo/", views.logo, "company_logo"),
]

urlpatterns: list[URLPattern] = [
    path(f"{start}{end}", view, name=f"{scope}_{page}")
    for scope, start in SCOPES.items()
    for end, view, page in PAGES
]
urlpatterns.append(
    path(
        "accounts/<int:account_id>/directory/settings/",
        settings_views.directory_settings,
        name="settings",
    )
)
