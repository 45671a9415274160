"""Which lists and codes are shown to whom; reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, Q

from admin_wbs.models.node import TieredQuerySet
from erp_integrations import sendable
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import FoldingQuerySet, has_words

if TYPE_CHECKING:
    from admin_wbs.models import CodeList, CostCode, ProjectCostCode


class CodeListQuerySet(FoldingQuerySet["CodeList"]):
    """Lists of cost codes."""

    model: type[CodeList]

    def visible_to(self, access: Access) -> CodeListQuerySet:
        """The account's lists, none for a person without the Admin tool."""
        return self.filter(account=access.account) if access.can("codes.view") else self.none()

    def with_erp_flag(self) -> CodeListQuerySet:
        """With ``is_erp_list``: whether it is an ERP's list, connected or not."""
        return self.annotate(is_erp_list=Q(connection_id__isnull=False) | Q(awaits_erp=True))

    def with_counts(self) -> CodeListQuerySet:
        """With ``count``: how many codes a list has, and ``unsynced``: how many the ERP has not."""
        unsynced = Q(codes__origin_id="", codes__is_active=True)
        return self.annotate(count=Count("codes"), unsynced=Count("codes", filter=unsynced))


class CostCodeQuerySet(TieredQuerySet["CostCode"]):
    """Cost codes."""

    model: type[CostCode]

    def visible_to(self, access: Access) -> CostCodeQuerySet:
        """The account's codes, none for a person without the Admin tool."""
        return self.filter(account=access.account) if access.can("codes.view") else self.none()

    def search(self, words: str) -> CostCodeQuerySet:
        """By code, description or ERP ID; every word must occur."""
        return self.filter(has_words(words, "search_text", "origin_text"))

    def to_send(self, *, updates: bool = True) -> CostCodeQuerySet:
        """Those that *Send to ERP* takes: active, and new, handed back, or changed since.

        What was rejected with a reason and is as it was then is sent by ticking it only.

        :param updates: whether the ERP takes changes of what it holds.
        """
        found = self.filter(sendable.unsent(updates=updates), is_active=True)
        return found.exclude(sendable.rejected_as_it_is("cost_code"))

    def waiting(self) -> CostCodeQuerySet:
        """Those that can be retrieved from accounting."""
        return self.filter(sendable.badge_filter("ready"))

    def synced(self) -> CostCodeQuerySet:
        """Those that the ERP has."""
        return self.exclude(origin_id="")


class ProjectCostCodeQuerySet(models.QuerySet["ProjectCostCode"]):
    """Cost codes of projects."""

    model: type[ProjectCostCode]

    def visible_to(self, access: Access) -> ProjectCostCodeQuerySet:
        """The codes of the scope's project, none for a person without its Admin tool."""
        if access.project is None or not access.can("project_codes.view"):
            return self.none()
        return self.filter(project=access.project)

    def search(self, words: str) -> ProjectCostCodeQuerySet:
        """By code or description; every word must occur."""
        return self.filter(has_words(words, "cost_code__search_text"))
