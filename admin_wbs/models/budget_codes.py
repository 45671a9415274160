"""Budget codes of projects, called WBS codes in Procore's API.

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

# 12 segments, each with two ids of up to 19 digits (segment and item).
LONGEST_COMBINATION = 500
# One column for each kind of item, so that foreign keys guard them.
ITEMS = ("cost_code", "cost_type", "sub_job", "item")


class WbsCode(Folding):
    """A budget code: one item of each segment. Written only by ``projects.budget_codes``.

    ``combination`` lists its items, so that a project cannot have two equal codes.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="wbs_codes")
    # Beside the rows of its items, because no constraint can say that a set of rows is unique.
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
    """The item of one segment in a budget code; exactly one of the four columns is set."""

    wbs_code = models.ForeignKey(WbsCode, on_delete=models.CASCADE, related_name="items")
    # The services refuse to delete what a budget code uses; PROTECT is for every other way.
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
