"""Segments of the budget code, and items of custom segments.

See docs/design/work-breakdown-structure.md, "Segments and budget codes".
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from admin_wbs.models.node import Tiered
from admin_wbs.models.querysets.segments import (
    SegmentItemQuerySet,
    SegmentQuerySet,
)
from erpbridge.access.models import Account, Project
from erpbridge.db.folded_fields import Folding, KeyField

CUSTOM = "custom"


class Segment(Folding):
    """One part of an account's budget code. Written only by ``segments.services``.

    ``position`` is its place in the structure of new projects; None if it is not in it.
    """

    class Kind(models.TextChoices):
        """What the items are; an account has exactly one segment of each kind but custom."""

        COST_CODE = "cost_code", "Cost Code"
        COST_TYPE = "cost_type", "Cost Type"
        SUB_JOB = "sub_job", "Sub Job"
        CUSTOM = CUSTOM, "Custom"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="segments")
    kind = models.CharField(max_length=10, choices=Kind.choices, editable=False)
    name = models.CharField("Name", max_length=100)
    name_key = KeyField("name")
    # Settled for good when it is created: items in a tree could not become a flat list.
    tiered = models.BooleanField(editable=False)
    position = models.PositiveSmallIntegerField(null=True, editable=False)
    # The two switches of Procore's segments: docs/design/procore-rest-resources.md, "Segments".
    project_items = models.BooleanField(
        "Projects may add, edit and delete items of their own", default=False
    )
    project_deletes = models.BooleanField("Projects may delete inherited items", default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name_key"], name="segment_name_once"),
            models.UniqueConstraint(
                fields=["account", "kind"], condition=~Q(kind=CUSTOM), name="one_segment_of_a_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_custom(self) -> bool:
        """True if the account created it."""
        return self.kind == self.Kind.CUSTOM

    @property
    def is_required(self) -> bool:
        """True if every budget code must have an item of it."""
        return self.kind in (self.Kind.COST_CODE, self.Kind.COST_TYPE)

    @property
    def is_enabled(self) -> bool:
        """True if new projects get it."""
        return self.position is not None


class SegmentItem(Tiered):
    """An item of a custom segment. Written only by ``segments.items``."""

    within = "segment"

    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="items")
    revision = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = SegmentItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "code_key"], name="segment_item_once_per_segment"
            ),
        ]
        indexes = [models.Index(fields=["segment", "sort_path"], name="segment_item_order")]


class ProjectSegment(models.Model):
    """A segment in a project's structure, copied from the account's on creation."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="segments")
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="of_projects")
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "segment"], name="segment_once_per_project")
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.segment}"


class OwnStructure(models.Model):
    """A project's structure was changed and does not follow the account's any more."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="own_structure")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.project}: own structure"
