"""Read access to segments, items, cost types and sub jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, F

from admin_wbs.models.node import TieredQuerySet
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import FoldingQuerySet, has_words

if TYPE_CHECKING:
    from admin_wbs.models.cost_types import CostType
    from admin_wbs.models.segments import Segment, SegmentItem
    from admin_wbs.models.sub_jobs import SubJob


class SegmentQuerySet(FoldingQuerySet["Segment"]):
    """Segments."""

    model: type[Segment]

    def visible_to(self, access: Access) -> SegmentQuerySet:
        """The account's segments; none without access to the Admin tool."""
        return (
            self.filter(account=access.account)
            if access.can(Permission.CODES_VIEW)
            else self.none()
        )

    def in_order(self) -> SegmentQuerySet:
        """In structure order; segments outside the structure last."""
        # The two databases put NULL at different ends.
        return self.order_by(F("position").asc(nulls_last=True), "pk")

    def structure(self, account_id: int) -> SegmentQuerySet:
        """The segments that new projects of the account get, in order."""
        return self.filter(account=account_id, position__isnull=False).in_order()


class SegmentItemQuerySet(TieredQuerySet["SegmentItem"]):
    """Items of custom segments."""

    model: type[SegmentItem]

    def visible_to(self, access: Access) -> SegmentItemQuerySet:
        """The account's items; none without access to the Admin tool."""
        items = self.filter(segment__account=access.account)
        return items if access.can(Permission.CODES_VIEW) else self.none()


class CostTypeQuerySet(FoldingQuerySet["CostType"]):
    """Cost types."""

    model: type[CostType]

    def visible_to(self, access: Access) -> CostTypeQuerySet:
        """The account's cost types; none without access to the Admin tool."""
        return (
            self.filter(account=access.account)
            if access.can(Permission.CODES_VIEW)
            else self.none()
        )

    def in_order(self) -> CostTypeQuerySet:
        """The defaults in their fixed order, then the account's own by code."""
        # The defaults were created in their order, so the id tells it; all others sort by their
        # code.
        default_order = models.Case(models.When(is_default=True, then=F("pk")), default=0)
        ordered: CostTypeQuerySet = self.order_by("-is_default", default_order, "code", "pk")
        return ordered

    def with_ticks(self) -> CostTypeQuerySet:
        """Annotate ``ticked``: the number of cost codes that use the cost type."""
        return self.annotate(ticked=Count("ticks"))


class SubJobQuerySet(FoldingQuerySet["SubJob"]):
    """Sub jobs."""

    model: type[SubJob]

    def visible_to(self, access: Access) -> SubJobQuerySet:
        """Sub jobs of the scope's project; none without access to its Admin tool."""
        if access.project is None or not access.can(Permission.PROJECT_WBS_VIEW):
            return self.none()
        return self.filter(project=access.project)

    def search(self, words: str) -> SubJobQuerySet:
        """Search by code or name; every word must match."""
        return self.filter(has_words(words, "search_text"))
