"""The cost codes of a project."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from admin_wbs.models.cost_codes import CostCode
from admin_wbs.models.querysets.cost_codes import (
    ProjectCostCodeQuerySet,
)
from erpbridge.access.models import Project


class ProjectCostCode(models.Model):
    """A cost code that a project uses. Written only by ``projects.cost_codes``."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="cost_codes")
    cost_code = models.ForeignKey(CostCode, on_delete=models.PROTECT, related_name="on_projects")
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ProjectCostCodeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "cost_code"], name="cost_code_once_per_project"
            )
        ]
