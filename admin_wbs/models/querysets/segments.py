"""Which segments, items and cost types are shown to whom; reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, F

from admin_wbs.models.node import TieredQuerySet
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
        """The account's segments, none for a person without the Admin tool."""
        return self.filter(account=access.account) if access.can("codes.view") else self.none()

    def in_order(self) -> SegmentQuerySet:
        """As they stand in the budget code, those outside of it last."""
        return self.order_by(F("position").asc(nulls_last=True), "pk")

    def structure(self, account_id: int) -> SegmentQuerySet:
        """The segments that a new project of the account gets, in order."""
        return self.filter(account=account_id, position__isnull=False).in_order()


class SegmentItemQuerySet(TieredQuerySet["SegmentItem"]):
    """Items of custom segments."""

    model: type[SegmentItem]

    def visible_to(self, access: Access) -> SegmentItemQuerySet:
        """The account's items, none for a person without the Admin tool."""
        mine = self.filter(segment__account=access.account)
        return mine if access.can("codes.view") else self.none()


class CostTypeQuerySet(FoldingQuerySet["CostType"]):
    """Cost types."""

    model: type[CostType]

    def visible_to(self, access: Access) -> CostTypeQuerySet:
        """The account's cost types, none for a person without the Admin tool."""
        return self.filter(account=access.account) if access.can("codes.view") else self.none()

    def in_order(self) -> CostTypeQuerySet:
        """The defaults in their usual order, then the account's own by code."""
        usual = models.Case(models.When(is_default=True, then=F("pk")), default=0)
        found: CostTypeQuerySet = self.order_by("-is_default", usual, "code", "pk")
        return found

    def with_ticks(self) -> CostTypeQuerySet:
        """With ``ticked``: for how many cost codes each is ticked."""
        return self.annotate(ticked=Count("ticks"))


class SubJobQuerySet(FoldingQuerySet["SubJob"]):
    """Sub jobs."""

    model: type[SubJob]

    def visible_to(self, access: Access) -> SubJobQuerySet:
        """Those of the scope's project, none for a person without its Admin tool."""
        if access.project is None or not access.can("project_wbs.view"):
            return self.none()
        return self.filter(project=access.project)

    def search(self, words: str) -> SubJobQuerySet:
        """By code or name; every word must occur."""
        return self.filter(has_words(words, "search_text"))
