"""Routes of the kernel's resources."""

from __future__ import annotations

from django.urls import URLPattern

from erpbridge.access.api import me, projects
from erpbridge.rest.urls import rest

BOTH = ["v1.0", "v1.1"]
V1 = ["v1.0", "v1.1", "v1.2", "v1.3"]

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
]
