"""Which acceptance items are shown to whom; reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.fields.json import KT, KeyTextTransform
from django.db.models.functions import Coalesce

from erp_integrations.adapters.base import Operation
from erp_integrations.models.record_types import record_types
from erp_integrations.models.states import OPEN, ItemTab, states_of_tab
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import FoldingQuerySet, has_words

if TYPE_CHECKING:
    from erp_integrations.models import (  # noqa: F401 - named as text below
        Attempt,
        Connection,
        Item,
        Link,
    )

Items = TypeVar("Items", bound="models.QuerySet[Item]")
# Counting stops here; the page then says "1,000+".
MOST_COUNTED = 1_000


class ItemQuerySet(FoldingQuerySet["Item"]):
    """Acceptance items."""

    def visible_to(self, access: Access) -> ItemQuerySet:
        """Items of the scope, none for a person without the ERP Integrations tool there."""
        if not access.can("items.view"):
            return self.none()
        found = self.filter(account=access.account)
        return found if access.project is None else found.filter(project=access.project)

    def tab(self, key: str) -> ItemQuerySet:
        """Those of one list of the tool.

        Handed back is a record once, by its last item, and only while it stands so: not when it
        was sent again, linked otherwise, or deleted.
        """
        items = self.filter(state__in=states_of_tab(key))
        if key != "returned":
            return items
        later = self.model._base_manager.filter(
            entity=OuterRef("entity"), record_id=OuterRef("record_id"), pk__gt=OuterRef("pk")
        )
        stands = Q()
        for kind in record_types():
            record = kind.model._base_manager.filter(
                pk=OuterRef("record_id"), erp_state=OuterRef("state")
            )
            unlinked = Q(Exists(record.filter(origin_id="")))
            changed = Q(Exists(record), operation=Operation.UPDATE)
            stands |= Q(entity=kind.entity) & (unlinked | changed)
        return items.filter(~Exists(later), stands)

    def open(self) -> ItemQuerySet:
        """Those that still lock their record."""
        return self.filter(state__in=OPEN)

    def with_parent(self) -> ItemQuerySet:
        """With what the record that an item waits for is called, and how its own item stands:
        ``parent_label``, ``parent_state`` and ``parent_error``.
        """
        parents = self.model._base_manager.filter(
            account=OuterRef("account"), entity=OuterRef("entity"), record_id=OuterRef("waits_for")
        )
        latest = parents.order_by("-pk")
        return self.annotate(
            parent_label=Subquery(latest.values("label")[:1]),
            parent_state=Subquery(latest.values("state")[:1]),
            parent_error=Subquery(latest.values("error_text")[:1]),
        )

    def in_division(self, code: str) -> ItemQuerySet:
        """Those of records under one code of the first tier."""
        return self.filter(payload__path__0=code)

    def divisions(self) -> list[str]:
        """The codes of the first tier that the records are under, in the order of the codes."""
        found = self.order_by().values_list("payload__path__0", flat=True).distinct()
        return sorted(str(code) for code in found if code is not None)

    def capped_count(self) -> int:
        """How many, counting no further than one past :data:`MOST_COUNTED`."""
        return self.order_by()[: MOST_COUNTED + 1].count()


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """Tries of items."""

    def since_decided(self) -> AttemptQuerySet:
        """Those of the command as last accepted or retried; earlier ones had another intent."""
        return self.filter(fence__gt=models.F("item__decided_fence"))


class LinkQuerySet(FoldingQuerySet["Link"]):
    """Links between records and what the ERP holds."""

    def active(self) -> LinkQuerySet:
        """Those that hold: their records are synced."""
        return self.filter(ended_at=None)

    def visible_to(self, access: Access) -> LinkQuerySet:
        """Those of the account; in a project those of the records that were sent from it."""
        if not access.can("items.view"):
            return self.none()
        found = self.filter(connection__account=access.account)
        if access.project is None:
            return found
        items = self.model._meta.get_field("item").related_model._base_manager.all()
        sent = items.filter(
            project=access.project, entity=OuterRef("entity"), record_id=OuterRef("record_id")
        )
        return found.filter(Exists(sent))

    def in_division(self, code: str) -> LinkQuerySet:
        """Those of records under one code of the first tier."""
        taken, sent = Q(synced_payload__path__0=code), Q(item__payload__path__0=code)
        return self.filter(taken | Q(synced_payload={}) & sent)

    def divisions(self) -> list[str]:
        """The codes of the first tier that the records were under when they came together with
        the ERP's, in the order of the codes.
        """
        taken = KT("synced_payload__path__0")
        # KT takes what stands before its first __ for the column, also where it is a relation.
        sent = KeyTextTransform("0", KeyTextTransform("path", "item__payload"))
        found = self.order_by().values_list(Coalesce(taken, sent), flat=True).distinct()
        return sorted(str(code) for code in found if code)

    def capped_count(self) -> int:
        """How many, counting no further than one past :data:`MOST_COUNTED`."""
        return self.order_by()[: MOST_COUNTED + 1].count()


def capped(count: int) -> str:
    """A count as shown: exact up to the cap."""
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def tab_counts(items: ItemQuerySet, links: LinkQuerySet) -> dict[str, int]:
    """Capped counts of every list of the tool; synced is what is linked, however it came to be."""
    counts = {key: items.tab(key).capped_count() for key in ItemTab.values if key != ItemTab.SYNCED}
    return {**counts, "synced": links.active().capped_count()}


def search(items: Items, words: str) -> Items:
    """Items by name, or by ID or code in the ERP; every word must occur."""
    return items.filter(has_words(words, "search_text"))
