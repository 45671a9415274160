"""Routes of the kernel's REST resources."""

from __future__ import annotations

from django.urls import URLPattern

from erpbridge.people.api import me, projects, users
from erpbridge.rest.urls import rest

BOTH = ["v1.0", "v1.1"]
V1 = ["v1.0", "v1.1", "v1.2", "v1.3"]
COMPANY, PROJECT = "companies/<int:company_id>", "projects/<int:project_id>"


def inactive(base_path: str, prefix: str) -> list[URLPattern]:
    """Return the routes of the inactive users of a company or of a project."""
    path = f"{base_path}/users/inactive"
    return [
        *rest(["v1.0"], path, users.InactiveUsers.as_view(), name=f"{prefix}_inactive_users"),
        *rest(
            ["v1.0"],
            f"{path}/<int:pk>",
            users.OneInactiveUser.as_view(),
            name=f"{prefix}_inactive_user",
        ),
    ]


app_name = "access_api"
urlpatterns: list[URLPattern] = [
    *rest(["v1.0"], "me", me.Me.as_view(), name="me"),
    *rest(["v1.0"], "companies", me.Companies.as_view(), name="companies"),
    *rest(V1, "companies/<int:company_id>/me", me.CompanyMe.as_view(), name="company_me"),
    *rest(["v1.0"], "projects", projects.Projects.as_view(), name="projects"),
    *rest(["v1.1"], "projects", projects.ProjectsV11.as_view(), name="projects_v11"),
    *rest(BOTH, "projects/sync", projects.SyncProjects.as_view(), name="projects_sync"),
    *rest(BOTH, "projects/<int:project_id>", projects.OneProject.as_view(), name="project"),
    *rest(
        ["v1.0"],
        "companies/<int:company_id>/projects",
        projects.CompanyProjects.as_view(),
        name="company_projects",
    ),
    *rest(V1, "users", users.AllUsers.as_view(), name="all_users"),
    *rest(V1, "users/sync", users.SyncUsers.as_view(), name="all_users_sync"),
    *rest(V1, "users/<int:pk>", users.OneUser.as_view(), name="any_user"),
    *rest(V1, f"{COMPANY}/users", users.Users.as_view(), name="users"),
    *rest(V1, f"{COMPANY}/users/sync", users.SyncUsers.as_view(), name="users_sync"),
    *rest(V1, f"{COMPANY}/users/<int:pk>", users.OneUser.as_view(), name="user"),
    *inactive(COMPANY, "company"),
    *rest(["v1.0"], f"{PROJECT}/users", users.Users.as_view(), name="project_users"),
    *rest(["v1.0"], f"{PROJECT}/users/<int:pk>", users.OneUser.as_view(), name="project_user"),
    *inactive(PROJECT, "project"),
    *rest(
        ["v1.0"],
        f"{PROJECT}/users/<int:pk>/actions/add",
        users.AddUser.as_view(),
        name="project_user_add",
    ),
    *rest(
        ["v1.0"],
        f"{PROJECT}/users/<int:pk>/actions/remove",
        users.RemoveUser.as_view(),
        name="project_user_remove",
    ),
]
