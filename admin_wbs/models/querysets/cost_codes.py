"""Read access to lists and codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, Q

from admin_wbs.models.node import TieredQuerySet
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import FoldingQuerySet, has_words

if TYPE_CHECKING:
    from admin_wbs.models import CodeList, CostCode, ProjectCostCode


class CodeListQuerySet(FoldingQuerySet["CodeList"]):
    """Lists of cost codes."""

    model: type[CodeList]

    def visible_to(self, access: Access) -> CodeListQuerySet:
        """The account's lists; none without access to the Admin tool."""
        return (
            self.filter(account=access.account)
            if access.can(Permission.CODES_VIEW)
            else self.none()
        )

    def with_erp_flag(self) -> CodeListQuerySet:
        """Annotate ``is_erp_list``: an ERP's list, connected or not."""
        return self.annotate(is_erp_list=Q(connection_id__isnull=False) | Q(awaits_erp=True))

    def with_counts(self) -> CodeListQuerySet:
        """Annotate ``count`` of codes, and ``unsynced``: active codes not in the ERP."""
        unsynced = Q(codes__origin_id="", codes__is_active=True)
        return self.annotate(count=Count("codes"), unsynced=Count("codes", filter=unsynced))


class CostCodeQuerySet(TieredQuerySet["CostCode"]):
    """Cost codes."""

    model: type[CostCode]

    def visible_to(self, access: Access) -> CostCodeQuerySet:
        """The account's codes; none without access to the Admin tool."""
        return (
            self.filter(account=access.account)
            if access.can(Permission.CODES_VIEW)
            else self.none()
        )

    def search(self, words: str) -> CostCodeQuerySet:
        """Search by code, description or ERP ID; every word must match."""
        return self.filter(has_words(words, "search_text", "origin_text"))

    def to_send(self, *, updates: bool = True) -> CostCodeQuerySet:
        """Codes that *Send to ERP* takes: active, and new, returned or changed since.

        A code that was rejected with a reason and has not changed is sent only if it is ticked.

        :param updates: True if the ERP takes changes of its codes.
        """
        codes = self.filter(sendable.unsent(updates=updates), is_active=True)
        return codes.exclude(sendable.rejected_as_it_is("cost_code"))

    def waiting(self) -> CostCodeQuerySet:
        """Codes that can be retrieved from accounting."""
        # Not every open one: what accounting has accepted is on its way and cannot come back.
        return self.filter(sendable.badge_filter("ready"))

    def synced(self) -> CostCodeQuerySet:
        """Codes that the ERP has."""
        return self.exclude(origin_id="")


class ProjectCostCodeQuerySet(models.QuerySet["ProjectCostCode"]):
    """Cost codes of projects."""

    model: type[ProjectCostCode]

    def visible_to(self, access: Access) -> ProjectCostCodeQuerySet:
        """The codes of the scope's project; none without access to its Admin tool."""
        if access.project is None or not access.can(Permission.PROJECT_CODES_VIEW):
            return self.none()
        return self.filter(project=access.project)

    def search(self, words: str) -> ProjectCostCodeQuerySet:
        """Search by code or description; every word must match."""
        return self.filter(has_words(words, "cost_code__search_text"))
