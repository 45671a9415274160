"""Fetch the ERP's lists of choices and its records part by part, and store them.

One pipeline for all record types. A caller fetches the next part outside of a transaction and keeps
it in one, until the place is over. A place is made of JSON values, so a background job can store it
between two parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.adapters.base import Adapter, AdapterError, Found
from erp_integrations.adapters.base import Choice as Offered
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.models import Choice, Connection, ErpRecord
from erp_integrations.models.match_keys import COMPARED, keys_of
from erpbridge.db.busy import retried

LONGEST_CODE = 100
ENDLESS = (
    "The ERP's list of records has no end: the same page came twice. Report it to the maker of the "
    "adapter."
)
CHANGED = (
    "The settings of the connection were changed during the call, so the ERP's answer was not "
    "saved. Test the connection again."
)


class NotFetched(Exception):
    """The ERP's data could not be fetched; the message can be shown to users."""


class SettingsChanged(NotFetched):
    """The settings of the connection have changed since the ERP was called."""

    def __init__(self) -> None:
        super().__init__(CHANGED)


@dataclass(frozen=True)
class FetchedLists:
    """All lists of choices, by kind, and the record types whose records can be fetched."""

    connection_id: int
    choices: Mapping[str, Sequence[Offered]]
    imported: tuple[str, ...]
    # Settings of the connection when the part was fetched, to notice that they have changed.
    config: Mapping[str, object]


@dataclass(frozen=True)
class FetchedPage:
    """One page of ERP records; there are more if ``cursor`` is not empty."""

    connection_id: int
    entity: str
    records: tuple[Found, ...]
    cursor: str
    # As above.
    config: Mapping[str, object]


@dataclass(frozen=True)
class Place:
    """How far a refresh has come: first the lists, then page by page each type of ``left``.

    ``fetch`` is 0 until the lists are kept. ``mark`` is an earlier cursor of the record type, the
    one of the last page whose number was a power of two: an adapter that goes round in circles
    comes back to it.
    """

    fetch: int = 0
    left: Sequence[str] = ()
    cursor: str = ""
    pages: int = 0
    mark: str = ""

    @property
    def is_over(self) -> bool:
        """Whether everything is fetched and kept."""
        return bool(self.fetch) and not self.left


def fetch_next(connection: Connection, place: Place) -> FetchedLists | FetchedPage:
    """Fetch what comes next at a place that is not over. Must not be called in a transaction.

    :raises NotFetched: if the adapter cannot be used, the ERP fails, or its records do not end.
    """
    return fetch_page(connection, place) if place.fetch else _fetch_lists(connection)


def _fetch_lists(connection: Connection) -> FetchedLists:
    adapter = _adapter(connection)
    try:
        choices = {kind: adapter.choices(kind) for kind in adapter.choice_kinds()}
    except AdapterError as error:
        raise NotFetched(error.error.message) from error
    declared = manifest_of(connection).entities.items()
    imported = tuple(entity for entity, manifest in declared if manifest.imports)
    return FetchedLists(connection.pk, choices, imported, connection.config)


def fetch_page(connection: Connection, place: Place) -> FetchedPage:
    """Fetch the next page of records. Must not be called in a transaction.

    :raises NotFetched: if the adapter cannot be used, the ERP fails, or its records do not end.
    """
    entity = place.left[0]
    try:
        page = _adapter(connection).pull(entity, place.cursor)
    except AdapterError as error:
        raise NotFetched(error.error.message) from error
    # An adapter that returns an earlier cursor again would be fetched for ever.
    if page.cursor and page.cursor in (place.cursor, place.mark):
        raise NotFetched(ENDLESS)
    return FetchedPage(connection.pk, entity, page.records, page.cursor, connection.config)


def _adapter(connection: Connection) -> Adapter:
    try:
        return adapter_of(connection)
    except AdapterUnavailable as error:
        raise NotFetched(str(error)) from error


@retried
@transaction.atomic
def keep(part: FetchedLists | FetchedPage, place: Place) -> Place:
    """Store what was fetched at a place; returns the next place.

    :raises SettingsChanged: if the settings have changed since the part was fetched.
    """
    if isinstance(part, FetchedLists):
        connection = _locked(part)
        for kind, choices in part.choices.items():
            store_choices(connection, kind, choices)
        return Place(begin_fetch(connection.pk), part.imported)
    keep_page(part)
    if not part.cursor:
        end_fetch(part, fetch=place.fetch)
        return Place(place.fetch, place.left[1:])
    pages = place.pages + 1
    is_power_of_two = pages & (pages - 1) == 0
    mark = part.cursor if is_power_of_two else place.mark
    return replace(place, cursor=part.cursor, pages=pages, mark=mark)


def _locked(part: FetchedLists | FetchedPage) -> Connection:
    """Lock the connection of a part. It may be of another ERP than the connection's present one.

    :raises SettingsChanged: if it is.
    """
    connection = Connection.objects.select_for_update(no_key=True).get(pk=part.connection_id)
    if connection.config != part.config:
        raise SettingsChanged
    return connection


@transaction.atomic
def begin_fetch(connection_id: int) -> int:
    """Start a fetch of all records of a type; returns its number for :func:`end_fetch`."""
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    connection.fetches += 1
    connection.save(update_fields=["fetches"])
    return connection.fetches


@transaction.atomic
def keep_page(page: FetchedPage) -> int:
    """Store the records of a page; returns how many.

    :raises SettingsChanged: if the settings have changed since the page was fetched.
    """
    connection = _locked(page)
    # PostgreSQL refuses an upsert that names a row twice.
    records = {record.erp_id: record for record in page.records}
    keep_records(connection, page.entity, records)
    return len(records)


@transaction.atomic
def end_fetch(page: FetchedPage, *, fetch: int) -> None:
    """Delete the staged records that no page of the fetch contained; call it after the last page.

    :param fetch: number of the fetch, from :func:`begin_fetch`.
    """
    rows = ErpRecord.objects.filter(connection=page.connection_id, entity=page.entity)
    # By the number of the fetch, so that records of a later fetch stay. Records that a user has
    # imported or archived are no longer staged, and stay too.
    rows.filter(seen_in_fetch__lt=fetch, state=ErpRecord.State.STAGED).delete()


def store_choices(connection: Connection, kind: str, offered: Iterable[Offered]) -> None:
    """Store a list of choices, and deactivate those that the ERP no longer has."""
    by_code = {choice.code: choice for choice in offered}
    stored = connection.choices.filter(kind=kind)
    # Deactivated, not deleted: stored acceptance values may still use them.
    stored.exclude(code__in=by_code).update(active=False)
    rows = [
        Choice(
            connection=connection,
            kind=kind,
            code=code,
            label=choice.label[:255],
            group=choice.group,
            active=True,
        )
        for code, choice in by_code.items()
        # A longer code cannot be stored, so it cannot be chosen either.
        if len(code) <= LONGEST_CODE
    ]
    Choice.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "kind", "code"],
        update_fields=["label", "group", "active"],
    )


def keep_records(connection: Connection, entity: str, records: Mapping[str, Found]) -> None:
    """Store records of the ERP.

    :param connection: its row, locked by the caller.
    """
    rows = [
        ErpRecord(
            connection=connection,
            entity=entity,
            erp_id=record.erp_id,
            erp_code=record.erp_code,
            erp_version=record.erp_version,
            label=str(record.data.get("name") or record.data.get("description") or "")[:255],
            data=dict(record.data),
            seen_at=Now(),
            seen_in_fetch=connection.fetches,
            **keys_of(record.data),
        )
        for record in records.values()
    ]
    ErpRecord.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "entity", "erp_id"],
        update_fields=[
            "erp_code",
            "erp_version",
            "label",
            "data",
            "seen_at",
            "seen_in_fetch",
            *(column for column, _make in COMPARED.values()),
        ],
        # SQLite limits the number of values in a statement.
        batch_size=500,
    )
