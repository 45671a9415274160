"""Which acceptance items are shown to whom; reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import OuterRef, Subquery

from erp_integrations.states import MOVING, OPEN, State
from erpbridge.access.policy import Access

if TYPE_CHECKING:
    from erp_integrations.models import Attempt, Item  # noqa: F401 - named as text below

# The lists of the tool: key -> (words, states). The order is that of the tabs.
TABS: dict[str, tuple[str, frozenset[State]]] = {
    "ready": ("Ready to Export", frozenset({State.READY})),
    "exporting": ("Exporting", MOVING),
    "failed": ("Failed to Export", frozenset({State.FAILED, State.NEEDS_ANSWER})),
    "synced": ("Synced", frozenset({State.SYNCED})),
    "returned": ("Rejected & Retrieved", frozenset({State.REJECTED, State.RETRIEVED})),
}
# Counting stops here; the page then says "1,000+".
MOST_COUNTED = 1_000


class ItemQuerySet(models.QuerySet["Item"]):
    """Acceptance items."""

    def visible_to(self, access: Access) -> ItemQuerySet:
        """Items of the scope, none for a person without the ERP Integrations tool there."""
        if not access.can("items.view"):
            return self.none()
        found = self.filter(account=access.account)
        return found if access.project is None else found.filter(project=access.project)

    def tab(self, key: str) -> ItemQuerySet:
        """Those of one list of the tool."""
        return self.filter(state__in=TABS[key][1])

    def open(self) -> ItemQuerySet:
        """Those that still lock their record."""
        return self.filter(state__in=OPEN)

    def with_parent(self) -> ItemQuerySet:
        """With ``parent_label``: what the record that an item waits for is called."""
        parents = self.model._base_manager.filter(
            account=OuterRef("account"), entity=OuterRef("entity"), record_id=OuterRef("waits_for")
        )
        label = Subquery(parents.order_by("-pk").values("label")[:1])
        return self.annotate(parent_label=label)

    def capped_count(self) -> int:
        """How many, counting no further than one past :data:`MOST_COUNTED`."""
        return self.order_by()[: MOST_COUNTED + 1].count()


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """Tries of items."""

    def since_decided(self) -> AttemptQuerySet:
        """Those of the command as last accepted or retried; earlier ones had another intent."""
        return self.filter(opened_at__gte=models.F("item__decided_at"))


def tab_counts(items: ItemQuerySet) -> dict[str, int]:
    """Capped counts of every list of the tool."""
    return {key: items.tab(key).capped_count() for key in TABS}
