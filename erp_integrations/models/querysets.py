"""Querysets of items, attempts and links: permissions, tabs and counts. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.fields.json import KT, KeyTextTransform
from django.db.models.functions import Coalesce

from erp_integrations.adapters.base import Operation
from erp_integrations.models.record_types import record_types
from erp_integrations.models.states import OPEN, ItemTab, states_of_tab
from erpbridge.access.permissions import Permission
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
# Cap of counts; pages then show "1,000+".
MOST_COUNTED = 1_000


class ItemQuerySet(FoldingQuerySet["Item"]):
    """Queries of acceptance items."""

    def visible_to(self, access: Access) -> ItemQuerySet:
        """Items of the scope; none for a user without access to the ERP Integrations tool."""
        if not access.can(Permission.ITEMS_VIEW):
            return self.none()
        items = self.filter(account=access.account)
        return items if access.project is None else items.filter(project=access.project)

    def tab(self, key: str) -> ItemQuerySet:
        """Items of one tab of the tool.

        The tab "returned" has one item per record, the latest, and only while the record is still
        in that state: not if it was sent again, linked or deleted.
        """
        items = self.filter(state__in=states_of_tab(key))
        if key != "returned":
            return items
        # Later items of the same record.
        later = self.model._base_manager.filter(
            entity=OuterRef("entity"), record_id=OuterRef("record_id"), pk__gt=OuterRef("pk")
        )
        still_returned = Q()
        for kind in record_types():
            record = kind.model._base_manager.filter(
                pk=OuterRef("record_id"), erp_state=OuterRef("state")
            )
            unlinked = Q(Exists(record.filter(origin_id="")))
            changed = Q(Exists(record), operation=Operation.UPDATE)
            still_returned |= Q(entity=kind.entity) & (unlinked | changed)
        return items.filter(~Exists(later), still_returned)

    def open(self) -> ItemQuerySet:
        """Open items, which lock their record."""
        return self.filter(state__in=OPEN)

    def with_parent(self) -> ItemQuerySet:
        """Annotate ``parent_label``, ``parent_state`` and ``parent_error``.

        They are of the latest item of the record that the item waits for.
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
        """Items of records whose first tier is this code."""
        return self.filter(payload__path__0=code)

    def divisions(self) -> list[str]:
        """The first tiers of the records' codes, sorted."""
        codes = self.order_by().values_list("payload__path__0", flat=True).distinct()
        return sorted(str(code) for code in codes if code is not None)

    def capped_count(self) -> int:
        """Number of items, at most one more than :data:`MOST_COUNTED`."""
        return self.order_by()[: MOST_COUNTED + 1].count()


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """Queries of attempts."""

    def since_decided(self) -> AttemptQuerySet:
        """Attempts since the item was last accepted or retried; earlier ones had another intent."""
        return self.filter(fence__gt=models.F("item__decided_fence"))


class LinkQuerySet(FoldingQuerySet["Link"]):
    """Queries of links between records and ERP records."""

    def active(self) -> LinkQuerySet:
        """Links that have not ended; their records are synced."""
        return self.filter(ended_at=None)

    def visible_to(self, access: Access) -> LinkQuerySet:
        """Links of the account; in a project only of records that were sent from it."""
        if not access.can(Permission.ITEMS_VIEW):
            return self.none()
        links = self.filter(connection__account=access.account)
        if access.project is None:
            return links
        items = self.model._meta.get_field("item").related_model._base_manager.all()
        sent = items.filter(
            project=access.project, entity=OuterRef("entity"), record_id=OuterRef("record_id")
        )
        return links.filter(Exists(sent))

    def in_division(self, code: str) -> LinkQuerySet:
        """Links of records whose first tier is this code."""
        synced, sent = Q(synced_payload__path__0=code), Q(item__payload__path__0=code)
        return self.filter(synced | Q(synced_payload={}) & sent)

    def divisions(self) -> list[str]:
        """The first tiers of the records' codes when they were linked, sorted."""
        synced = KT("synced_payload__path__0")
        # Not KT, because it takes the part before the first __ for a column, even of a relation.
        sent = KeyTextTransform("0", KeyTextTransform("path", "item__payload"))
        codes = self.order_by().values_list(Coalesce(synced, sent), flat=True).distinct()
        return sorted(str(code) for code in codes if code)

    def capped_count(self) -> int:
        """Number of links, at most one more than :data:`MOST_COUNTED`."""
        return self.order_by()[: MOST_COUNTED + 1].count()


def capped(count: int) -> str:
    """A capped count as shown on pages."""
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def tab_counts(items: ItemQuerySet, links: LinkQuerySet) -> dict[str, int]:
    """Capped count of every tab, by one query.

    "synced" counts all active links, also those without an item.
    """
    tabs = {key: items.tab(key) for key in ItemTab.values if key != ItemTab.SYNCED}
    return _capped_counts({**tabs, ItemTab.SYNCED.value: links.active()})


def _capped_counts(querysets: Mapping[str, models.QuerySet[Any]]) -> dict[str, int]:
    """Return name -> number of rows, at most one more than :data:`MOST_COUNTED`."""
    counts = dict.fromkeys(querysets, 0)
    columns: dict[str, str] = {}
    parameters: list[Any] = []
    for name, rows in querysets.items():
        try:
            capped_rows = rows.order_by().values("pk")[: MOST_COUNTED + 1]
            statement, values = capped_rows.query.sql_with_params()
        except EmptyResultSet:  # nothing is visible to the person, so there is nothing to ask
            continue
        # The statement is Django's own, with its values apart.
        columns[name] = f"(SELECT COUNT(*) FROM ({statement}) AS counted)"  # noqa: S608  # nosec B608
        parameters += values
    if columns:
        # The ORM has no SELECT of several counts that each stop at a limit.
        with database.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(columns.values())}", parameters)
            counts |= zip(columns, cursor.fetchone(), strict=True)
    return counts


def search(items: Items, words: str) -> Items:
    """Items that contain every word in their label, ERP key, ERP code or ERP ID."""
    return items.filter(has_words(words, "search_text"))
