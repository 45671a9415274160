"""Which companies are shown where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from directory.models.derived_columns import digits, name_key
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import FoldingQuerySet
from erpbridge.db.text import fold, search_words

if TYPE_CHECKING:
    from directory.models import Company

# Fewer digits than this in a word are a house number, not a phone or tax number typed differently.
FEWEST_DIGITS = 5


class CompanyQuerySet(FoldingQuerySet["Company"]):
    """Companies."""

    model: type[Company]

    def visible_to(self, access: Access) -> CompanyQuerySet:
        """Companies of the scope, none for a person who may not see them.

        Inactive ones only for those who may see these.
        """
        if not access.can("companies.view"):
            return self.none()
        found = self.filter(account=access.account)
        if access.project is not None:
            found = found.on_project(access.project.pk)
        return found if may_see_inactive(access) else found.filter(is_active=True)

    def on_project(self, project_id: int) -> CompanyQuerySet:
        """Those in the Directory of one project."""
        placed = self.model.project_companies.rel.related_model._default_manager.filter(
            project=project_id, company=OuterRef("pk")
        )
        return self.filter(Exists(placed))

    def in_trade(self, trade_id: int) -> CompanyQuerySet:
        """Those of one trade."""
        through = self.model.trades.through.objects
        return self.filter(Exists(through.filter(company=OuterRef("pk"), trade=trade_id)))

    def search(self, words: str) -> CompanyQuerySet:
        """Name, DBA, city, ZIP, phone, tax id, keywords or ERP id; every word must occur."""
        found = self
        for word in search_words(words):
            found = found.filter(_holds(word))
        return found

    def look_alikes(self, name: str) -> CompanyQuerySet:
        """Those whose name is the same but for case, punctuation and legal form."""
        return self.filter(name_key=name_key(name))

    def named_like(self, name: str) -> CompanyQuerySet:
        """Look-alikes, names that go on from ``name``, and names that contain it as typed."""
        begins = Q(name_key__startswith=name_key(name))
        return self.filter(begins | Q(sort_name__contains=fold(name)))


def may_see_inactive(access: Access) -> bool:
    """Inactive companies are for Directory Admins and those who may edit companies."""
    return bool(access.can("companies.view_inactive")) or access.may_edit_companies


def _holds(word: str) -> Q:
    """A number is also found without the punctuation it was stored or asked for with."""
    anywhere = Q(search_text__contains=word) | Q(origin_text__contains=word)
    bare = digits(word)
    if len(bare) >= FEWEST_DIGITS and bare != word and not any(map(str.isalpha, word)):
        anywhere |= Q(search_text__contains=bare)
    return anywhere
