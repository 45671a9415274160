"""Sub jobs of a project."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from admin_wbs.models.full_code import LONGEST_CODE, LONGEST_DESCRIPTION
from admin_wbs.models.querysets.segments import (
    SubJobQuerySet,
)
from erpbridge.access.models import Project
from erpbridge.db.folded_fields import Folding, KeyField, SearchField


class SubJob(Folding):
    """A part of a project that is built and billed separately. Only ``sub_jobs`` writes it.

    ``origin_id`` and ``origin_data`` are set by another system that has the sub job.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="sub_jobs")
    code = models.CharField("Code", max_length=LONGEST_CODE)
    name = models.CharField("Name", max_length=LONGEST_DESCRIPTION)
    code_key = KeyField("code")
    name_key = KeyField("name")
    search_text = SearchField("code", "name")
    is_active = models.BooleanField("Active", default=True)
    origin_id = models.CharField(max_length=200, blank=True, editable=False)
    origin_data = models.CharField(max_length=1000, blank=True, editable=False)
    revision = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = SubJobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "code_key"], name="sub_job_code_once"),
            models.UniqueConstraint(fields=["project", "name_key"], name="sub_job_name_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"
