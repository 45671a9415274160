"""Which companies are shown where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, OuterRef, Q

from erpbridge.access.policy import Access

if TYPE_CHECKING:
    from directory.models import Company


class CompanyQuerySet(models.QuerySet["Company"]):
    """Companies."""

    def visible_to(self, access: Access) -> CompanyQuerySet:
        """Companies of the scope, none for a person who may not see them.

        Inactive ones only for those who may see these.
        """
        if not access.can("companies.view"):
            return self.none()
        found = self.filter(account=access.account)
        if access.project is not None:
            found = found.on_project(access.project.pk)
        if not access.can("companies.view_inactive") and not access.may_edit_companies:
            found = found.filter(is_active=True)
        return found

    def on_project(self, project_id: int) -> CompanyQuerySet:
        """Those in the Directory of one project."""
        placed = self.model.project_companies.rel.related_model.objects.filter(
            project=project_id, company=OuterRef("pk")
        )
        return self.filter(Exists(placed))

    def search(self, words: str) -> CompanyQuerySet:
        """Name, DBA, city, ZIP, phone, tax id, keywords or ERP id; every word must occur."""
        found = self
        for word in words.lower().split():
            found = found.filter(
                Q(search_text__contains=word)
                | Q(origin_id__icontains=word)
                | Q(origin_code__icontains=word)
            )
        return found
