"""The table of an ERP's records as of the last refresh, with the columns of its adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

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
    """One value: ``code`` is the ERP's code if ``text`` is its label."""

    label: str
    text: str
    code: str = ""


@dataclass(frozen=True)
class Holdings:
    """One page of an ERP's records of one type.

    ``since``: how many records were exported after the refresh, and so are not in the table; capped
    like the counts of lists.
    """

    page: Page[ErpRecord]
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    read_at: datetime | None
    since: int


def holdings(connection: Connection, entity: EntityManifest, query: QueryDict) -> Holdings:
    """Return the requested page; the number of queries does not grow with the records."""
    records = connection.erp_records.filter(entity=entity.entity)
    # The time of the rows themselves; without any row, that of the last refresh.
    read_at = records.aggregate(at=Max("seen_at"))["at"] or connection.refreshed_at
    page = list_page(records, query, sorts=SORTS, default="code", search=_search)
    offers = Offers(connection, entity)
    return Holdings(
        page=page,
        columns=[entity.label_of(name) for name in entity.columns],
        rows=[_cells(entity, record.data, offers) for record in page.rows],
        read_at=read_at,
        since=_exported_since(connection, entity, read_at),
    )


def _search(records: Records, words: str) -> Records:
    """Records with every word in their code, name or ID."""
    return records.filter(has_words(words, "search_text"))


def _exported_since(
    connection: Connection, entity: EntityManifest, read_at: datetime | None
) -> int:
    links = Link.objects.filter(connection=connection, entity=entity.entity, ended_at=None)
    if read_at is not None:
        links = links.filter(linked_at__gt=read_at)
    # Capped, since an exact count grows with the list (docs/design/measured-choices.md, "Lists").
    return links.order_by()[: MOST_COUNTED + 1].count()


def _cells(entity: EntityManifest, data: Mapping[str, object], offers: Offers) -> list[Cell]:
    return [
        _cell(entity.label_of(name), data.get(name), offers.words(name)) for name in entity.columns
    ]


def _cell(label: str, value: object, words: Mapping[str, str]) -> Cell:
    """Return the cell of a value. Some ERPs keep several codes, with commas, in one value."""
    if isinstance(value, bool):
        return Cell(label, "Yes" if value else "No")
    text = "" if value is None else str(value)
    meanings = [words[code] for code in text.split(",") if code in words]
    return Cell(label, ", ".join(meanings), text) if meanings else Cell(label, text)
