"""URLs of the project: the way in, the account, then one include per app."""

from __future__ import annotations

from django.contrib.auth import views as auth_views
from django.urls import URLPattern, URLResolver, include, path, reverse_lazy

from erpbridge.ui import health, home

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("favicon.ico", home.favicon, name="favicon"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path(
        "login/",
        auth_views.LoginView.as_view(
            template_name="access/login.html", redirect_authenticated_user=True
        ),
        name="login",
    ),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path(
        "password/",
        auth_views.PasswordChangeView.as_view(
            template_name="access/password_change.html",
            success_url=reverse_lazy("password_change_done"),
        ),
        name="password_change",
    ),
    path(
        "password/changed/",
        auth_views.PasswordChangeDoneView.as_view(
            template_name="access/password_change_done.html"
        ),
        name="password_change_done",
    ),
    path("", include("erpbridge.access.urls")),
    path("", include("directory.urls")),
    path("", include("erp_integrations.urls")),
    path("accounts/<int:account_id>/", home.account, name="account"),
    path("accounts/<int:account_id>/projects/<int:project_id>/", home.project, name="project"),
]
