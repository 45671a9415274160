"""URLs of the project: login, the account, then one include per app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from erpbridge.ui import health, home

handler500 = "erpbridge.ui.error_pages.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("favicon.ico", home.favicon, name="favicon"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("erpbridge.login.views")),
    path("", include("erpbridge.people.urls")),
    path("", include("erpbridge.jobs.urls")),
    path("", include("erpbridge.oauth.urls")),
    path("", include("erpbridge.rest.urls")),
    path("", include("erpbridge.people.api.urls")),
    path("", include("directory.api.urls")),
    path("", include("admin_wbs.api.cost_codes.urls")),
    path("", include("erp_integrations.api.urls")),
    path("", include("directory.urls")),
    path("", include("admin_wbs.urls")),
    path("", include("admin_wbs.api.urls")),
    path("", include("erp_integrations.web.urls")),
    path("accounts/<int:account_id>/", home.account, name="account"),
    path("accounts/<int:account_id>/projects/<int:project_id>/", home.project, name="project"),
]
