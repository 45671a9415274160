"""Read access to companies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from directory.models.derived_columns import digits, name_key
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import FoldingQuerySet
from erpbridge.db.text import fold, search_words

if TYPE_CHECKING:
    from directory.models import Company

# Words with fewer digits are house numbers, not phone or tax numbers with other punctuation.
FEWEST_DIGITS = 5


class CompanyQuerySet(FoldingQuerySet["Company"]):
    """Companies."""

    model: type[Company]

    def visible_to(self, access: Access) -> CompanyQuerySet:
        """Companies of the scope; none for a person who may not see them.

        Inactive companies only for people who may see them.
        """
        if not access.can(Permission.COMPANIES_VIEW):
            return self.none()
        companies = self.filter(account=access.account)
        if access.project is not None:
            companies = companies.on_project(access.project.pk)
        return companies if may_see_inactive(access) else companies.filter(is_active=True)

    def on_project(self, project_id: int) -> CompanyQuerySet:
        """Companies in the Directory of a project."""
        # By way of the relation, because that model imports this module.
        memberships = self.model.project_companies.rel.related_model._default_manager.filter(
            project=project_id, company=OuterRef("pk")
        )
        return self.filter(Exists(memberships))

    def in_trade(self, trade_id: int) -> CompanyQuerySet:
        """Companies of a trade."""
        through = self.model.trades.through.objects
        return self.filter(Exists(through.filter(company=OuterRef("pk"), trade=trade_id)))

    def search(self, words: str) -> CompanyQuerySet:
        """Search name, DBA, city, ZIP, phone, tax ID, keywords, ERP ID; all words must match."""
        companies = self
        for word in search_words(words):
            companies = companies.filter(_holds(word))
        return companies

    def look_alikes(self, name: str) -> CompanyQuerySet:
        """Companies whose name differs only in case, punctuation and legal form."""
        return self.filter(name_key=name_key(name))

    def named_like(self, name: str) -> CompanyQuerySet:
        """Look-alikes, longer names that start with ``name``, and names that contain it."""
        begins = Q(name_key__startswith=name_key(name))
        return self.filter(begins | Q(sort_name__contains=fold(name)))


def may_see_inactive(access: Access) -> bool:
    """True for Directory Admins and people who may edit companies."""
    return bool(access.can(Permission.COMPANIES_VIEW_INACTIVE)) or access.may_edit_companies


def _holds(word: str) -> Q:
    """Match a word; numbers match with or without punctuation."""
    anywhere = Q(search_text__contains=word) | Q(origin_text__contains=word)
    bare = digits(word)
    if len(bare) >= FEWEST_DIGITS and bare != word and not any(map(str.isalpha, word)):
        anywhere |= Q(search_text__contains=bare)
    return anywhere
