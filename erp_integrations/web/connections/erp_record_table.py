"""What the ERP holds, as it was read last: in columns of its adapter, with words for codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Max, QuerySet
from django.http import QueryDict

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.models import Connection, ErpRecord, Link
from erp_integrations.models.querysets import MOST_COUNTED
from erp_integrations.workflow.accept.field_choices import Offers
from erpbridge.db.folded_fields import has_words
from erpbridge.ui.listing import Page, list_page

Records = TypeVar("Records", bound=QuerySet[ErpRecord])
SORTS = {"code": "erp_code", "name": "label"}


@dataclass(frozen=True)
class Cell:
    """One value; ``code`` is what the ERP keeps where ``text`` is what that means."""

    label: str
    text: str
    code: str = ""


@dataclass(frozen=True)
class Holdings:
    """One page of an ERP's records of one type.

    ``since``: how many records erpbridge has exported after they were read, so that they are not
    among them; counted no further than lists are.
    """

    page: Page[ErpRecord]
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    read_at: datetime | None
    since: int


def holdings(connection: Connection, entity: EntityManifest, query: QueryDict) -> Holdings:
    """The page that ``query`` asks for; a number of queries that does not grow with the records."""
    records = connection.erp_records.filter(entity=entity.entity)
    read_at = records.aggregate(at=Max("seen_at"))["at"] or connection.refreshed_at
    page = list_page(records, query, sorts=SORTS, default="code", search=_search)
    offers = Offers(connection, entity)
    return Holdings(
        page=page,
        columns=[entity.label_of(name) for name in entity.columns],
        rows=[_cells(entity, one.data, offers) for one in page.rows],
        read_at=read_at,
        since=_exported_since(connection, entity, read_at),
    )


def _search(records: Records, words: str) -> Records:
    """Records whose code, name or ID has every word."""
    return records.filter(has_words(words, "search_text"))


def _exported_since(
    connection: Connection, entity: EntityManifest, read_at: datetime | None
) -> int:
    links = Link.objects.filter(connection=connection, entity=entity.entity, ended_at=None)
    if read_at is not None:
        links = links.filter(linked_at__gt=read_at)
    return links.order_by()[: MOST_COUNTED + 1].count()


def _cells(entity: EntityManifest, data: Mapping[str, Any], offers: Offers) -> list[Cell]:
    return [
        _cell(entity.label_of(name), data.get(name), offers.words(name)) for name in entity.columns
    ]


def _cell(label: str, value: Any, words: Mapping[str, str]) -> Cell:
    """A value in words. Some ERPs keep several codes of a list in one value, with commas."""
    if isinstance(value, bool):
        return Cell(label, "Yes" if value else "No")
    text = "" if value is None else str(value)
    meant = [words[code] for code in text.split(",") if code in words]
    return Cell(label, ", ".join(meant), text) if meant else Cell(label, text)
