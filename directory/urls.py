"""URLs of the Directory: every page for the account, and for each of its projects."""

from __future__ import annotations

from django.urls import URLPattern, path

from directory.companies import list_views, settings_views
from directory.companies import views as company_views
from directory.importing import views as import_views
from directory.projects import add_views

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
    ("<int:company_id>/", company_views.company, "company"),
    ("<int:company_id>/edit/", company_views.edit, "company_edit"),
    ("<int:company_id>/send/", company_views.send, "company_send"),
    ("<int:company_id>/deactivate/", company_views.deactivate, "company_deactivate"),
    ("<int:company_id>/reactivate/", company_views.reactivate, "company_reactivate"),
    ("<int:company_id>/logo/", company_views.logo, "company_logo"),
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
