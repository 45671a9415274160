"""URLs for programs, and the pages on which they are managed."""

from __future__ import annotations

from django.urls import URLPattern, path

from erpbridge.oauth import authorizing, endpoints, pages

app_name = "oauth"
ALL = "accounts/<int:account_id>/applications"
ONE = f"{ALL}/<int:application_id>"

urlpatterns: list[URLPattern] = [
    path("oauth/authorize", authorizing.authorize, name="authorize"),
    path("oauth/token", endpoints.token, name="token"),
    path("oauth/token/info", endpoints.info, name="info"),
    path("oauth/revoke", endpoints.revoke, name="revoke"),
    path(f"{ALL}/", pages.application_list, name="applications"),
    path(f"{ALL}/add/", pages.application_add, name="application_add"),
    path(f"{ALL}/add-service/", pages.service_add, name="service_add"),
    path(f"{ONE}/", pages.application, name="application"),
    path(f"{ONE}/secret/", pages.application_secret, name="application_secret"),
    path(f"{ONE}/revoke/", pages.application_revoke, name="application_revoke"),
    path(f"{ONE}/delete/", pages.application_delete, name="application_delete"),
]
