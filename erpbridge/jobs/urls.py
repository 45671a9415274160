"""URLs of background jobs, in the account and in a project."""

from __future__ import annotations

from django.urls import URLPattern, path

from erpbridge.jobs import views

app_name = "jobs"

urlpatterns: list[URLPattern] = [
    path("accounts/<int:account_id>/jobs/<uuid:job_id>/", views.job, name="job"),
    path(
        "accounts/<int:account_id>/projects/<int:project_id>/jobs/<uuid:job_id>/",
        views.job,
        name="project_job",
    ),
]
