"""The companies of a project."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from directory.models.companies import Company
from erpbridge.access.models import Project


class ProjectCompany(models.Model):
    """A company in the Directory of a project."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="project_companies")
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="project_companies")
    roles = models.CharField("Project roles", max_length=200, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "company"], name="company_once_per_project")
        ]
