"""Budget codes of projects, which Procore's API calls WBS codes.

See docs/design/procore-rest-resources.md, "WBS codes".
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from admin_wbs.models.cost_types import CostType
from admin_wbs.models.full_code import LONGEST_DESCRIPTION
from admin_wbs.models.querysets.budget_codes import WbsCodeItemQuerySet, WbsCodeQuerySet
from admin_wbs.models.segments import Segment, SegmentItem
from admin_wbs.models.sub_jobs import SubJob
from erpbridge.access.models import Project
from erpbridge.db.folded_fields import Folding, SearchField

# Twelve segments, each with its id and its item's, of 19 digits at most.
LONGEST_COMBINATION = 500
ITEMS = ("cost_code", "cost_type", "sub_job", "item")


class WbsCode(Folding):
    """One item of each segment of a project's budget code. Only ``wbs_codes`` writes it.

    ``combination`` names its items, so that no two codes of a project have the same.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="wbs_codes")
    combination = models.CharField(max_length=LONGEST_COMBINATION, editable=False)
    description = models.CharField(max_length=LONGEST_DESCRIPTION, blank=True)
    search_text = SearchField("description")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = WbsCodeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "combination"], name="wbs_code_once")
        ]
        indexes = [models.Index(fields=["project", "id"], name="wbs_code_of_project")]


class WbsCodeItem(models.Model):
    """The item of one segment in a budget code: exactly one of the four columns is set."""

    wbs_code = models.ForeignKey(WbsCode, on_delete=models.CASCADE, related_name="items")
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="in_wbs_codes")
    cost_code = models.ForeignKey(
        "admin_wbs.ProjectCostCode",
        null=True,
        on_delete=models.PROTECT,
        related_name="in_wbs_codes",
    )
    cost_type = models.ForeignKey(
        CostType, null=True, on_delete=models.PROTECT, related_name="in_wbs_codes"
    )
    sub_job = models.ForeignKey(
        SubJob, null=True, on_delete=models.PROTECT, related_name="in_wbs_codes"
    )
    item = models.ForeignKey(
        SegmentItem, null=True, on_delete=models.PROTECT, related_name="in_wbs_codes"
    )

    objects = WbsCodeItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wbs_code", "segment"], name="segment_once_per_code"),
            models.CheckConstraint(
                condition=(
                    Q(cost_code__isnull=False, cost_type=None, sub_job=None, item=None)
                    | Q(cost_code=None, cost_type__isnull=False, sub_job=None, item=None)
                    | Q(cost_code=None, cost_type=None, sub_job__isnull=False, item=None)
                    | Q(cost_code=None, cost_type=None, sub_job=None, item__isnull=False)
                ),
                name="wbs_code_item_is_one",
            ),
        ]
