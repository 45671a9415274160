"""URLs of people, projects and account settings."""

from __future__ import annotations

from django.urls import URLPattern, path

from erpbridge.people import account_views
from erpbridge.people import join_views as join
from erpbridge.people import person_views as people_views

app_name = "access"
ACCOUNT = "accounts/<int:account_id>"
PERSON = f"{ACCOUNT}/people/<int:membership_id>"

urlpatterns: list[URLPattern] = [
    path(f"{ACCOUNT}/people/", people_views.person_list, name="people"),
    path(f"{ACCOUNT}/people/add/", people_views.person_add, name="person_add"),
    path(f"{PERSON}/", people_views.person, name="person"),
    path(f"{PERSON}/projects/", people_views.person_projects, name="person_projects"),
    path(f"{PERSON}/invitation/", people_views.person_invitation, name="person_invitation"),
    path("join/<str:token>/", join.join, name="join"),
    path(f"{ACCOUNT}/admin/", account_views.admin, name="admin"),
    path(f"{ACCOUNT}/settings/", account_views.account_settings, name="account_settings"),
    path(f"{ACCOUNT}/projects/", account_views.projects, name="projects"),
    path(f"{ACCOUNT}/projects/add/", account_views.project_add, name="project_add"),
    path(
        f"{ACCOUNT}/projects/<int:project_id>/settings/",
        account_views.project_settings,
        name="project_settings",
    ),
]
