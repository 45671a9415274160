"""The tab of synced records: every record with an active link, however it was linked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import QuerySet
from django.http import QueryDict

from erp_integrations.models import Link
from erp_integrations.models.querysets import LinkQuerySet
from erp_integrations.models.record_types import RecordType, Sendable
from erp_integrations.workflow import badges, scoped_urls
from erp_integrations.workflow.badges import LINKED
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import has_words
from erpbridge.ui.listing import list_page

Links = TypeVar("Links", bound=QuerySet[Link])
SORTS = {"sent": "pk", "name": "label"}


def synced(access: Access, kind: RecordType) -> LinkQuerySet:
    """Return the active links of one record type that the person can see."""
    return Link.objects.visible_to(access).active().filter(entity=kind.entity)


def search(links: Links, words: str) -> Links:
    """Links with every word in the record's name or ERP ID."""
    return links.filter(has_words(words, "search_text"))


def links_page(access: Access, kind: RecordType, query: QueryDict) -> dict[str, object]:
    """Return one page of the links by the search, division and order of a query string."""
    links = synced(access, kind)
    divisions = links.divisions() if kind.unit == "list" else []
    division = query.get("division", "").replace("\x00", "")
    if division:
        links = links.in_division(division)
    links = links.select_related("item__sent_by", "item__project", "linked_by", "connection")
    page = list_page(links, query, sorts=SORTS, default="-sent", search=search)
    return {"page": page, "rows": _rows(page.rows, access, kind), "divisions": divisions}


def _rows(links: Sequence[Link], access: Access, kind: RecordType) -> list[dict[str, object]]:
    """Return the rows of a page; takes one query more."""
    # The links hold no foreign key to the record (docs/adr/0003-one-door-and-one-way-imports.md),
    # so the records are fetched here, for their badges.
    records: dict[int, Sendable] = kind.model._base_manager.in_bulk(
        [link.record_id for link in links]
    )
    can_open = access.can(kind.view_action)
    return [
        {
            "link": link,
            "badge": badges.badge(records[link.record_id]) if link.record_id in records else LINKED,
            "record_url": kind.url(
                access.account.pk, link.record_id, scoped_urls.project_id(access)
            )
            if can_open
            else "",
            # Empty for a record that was linked without an item.
            "url": scoped_urls.to(access, "item", public_id=link.item.public_id)
            if link.item
            else "",
        }
        for link in links
    ]
