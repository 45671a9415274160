"""URLs of the OAuth endpoints and of the pages that manage applications."""

from __future__ import annotations

from django.urls import URLPattern, path

from erpbridge.oauth import authorize, endpoints, pages, program_views

app_name = "oauth"
ALL = "accounts/<int:account_id>/applications"
ONE = f"{ALL}/<int:application_id>"
OWN = "me/programs"
OF_PERSON = "accounts/<int:account_id>/people/<int:membership_id>/programs"

urlpatterns: list[URLPattern] = [
    path("oauth/authorize", authorize.authorize, name="authorize"),
    path("oauth/token", endpoints.token, name="token"),
    path("oauth/token/info", endpoints.info, name="info"),
    path("oauth/revoke", endpoints.revoke, name="revoke"),
    path(f"{OWN}/", program_views.own_programs, name="own_programs"),
    path(f"{OWN}/end/", program_views.own_programs_end, name="own_programs_end"),
    path(
        f"{OWN}/end/<int:application_id>/",
        program_views.own_programs_end,
        name="own_program_end",
    ),
    path(f"{OF_PERSON}/", program_views.person_programs, name="person_programs"),
    path(f"{OF_PERSON}/end/", program_views.person_programs_end, name="person_programs_end"),
    path(
        f"{OF_PERSON}/end/<int:application_id>/",
        program_views.person_programs_end,
        name="person_program_end",
    ),
    path(f"{ALL}/", pages.application_list, name="applications"),
    path(f"{ALL}/add/", pages.application_add, name="application_add"),
    path(f"{ALL}/add-service/", pages.service_add, name="service_add"),
    path(f"{ONE}/", pages.application, name="application"),
    path(f"{ONE}/secret/", pages.application_secret, name="application_secret"),
    path(f"{ONE}/revoke/", pages.application_revoke, name="application_revoke"),
    path(f"{ONE}/delete/", pages.application_delete, name="application_delete"),
]
