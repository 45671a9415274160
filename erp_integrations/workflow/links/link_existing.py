"""Fetch, read and link a list of ERP records, for record apps whose list is kept in the ERP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Max

from erp_integrations.connections import adapter_loading, refresh
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.refresh import FetchedPage, NotFetched, Place
from erp_integrations.models import Connection, ErpRecord, Item, Link
from erp_integrations.models import erp_records as models_erp_records
from erp_integrations.models.record_types import Draft, record_type
from erp_integrations.models.row_locks import lock_records
from erp_integrations.models.states import ItemEvent
from erp_integrations.workflow.links.drift import note_edits
from erp_integrations.workflow.links.record_columns import show_link
from erp_integrations.workflow.parents import release_children
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.digest import digest
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import write_rows

NO_ERP = "No ERP is connected to this account any more."


@dataclass(frozen=True)
class ErpRow:
    """An ERP record as last fetched. ``data`` has the same field names as payloads."""

    erp_id: str
    erp_code: str
    data: Mapping[str, object]


def begin_fetch(account_id: int, entity: str) -> Place:
    """Start a fetch of all records of a type; returns where it begins.

    :raises NotFetched: if the account has no connection for the record type.
    """
    return Place(refresh.begin_fetch(_active(account_id, entity).pk), (entity,))


def fetch_page(account_id: int, place: Place) -> FetchedPage:
    """Fetch the next page from the account's ERP. Must not be called inside a transaction.

    :param place: from :func:`begin_fetch`, then from ``refresh.keep``.
    :raises NotFetched: if there is no connection, its adapter cannot be used, the ERP fails, or its
        records do not end.
    """
    return refresh.fetch_page(_active(account_id, place.left[0]), place)


def _active(account_id: int, entity: str) -> Connection:
    connection = connection_services.active(account_id, entity)
    if connection is None:
        raise NotFetched(NO_ERP)
    return connection


def erp_records(account_id: int, entity: str) -> list[ErpRow]:
    """Return the account's ERP records of a type as last fetched, without archived ones."""
    connection = connection_services.active(account_id, entity)
    if connection is None:
        return []
    rows = connection.erp_records.filter(entity=entity).exclude(state=ErpRecord.State.ARCHIVED)
    return [ErpRow(*row) for row in rows.order_by("pk").values_list("erp_id", "erp_code", "data")]


def erp_stamp(account_id: int, entity: str) -> str:
    """Return a text that changes whenever the result of :func:`erp_records` may have changed."""
    connection = connection_services.active(account_id, entity)
    if connection is None:
        return ""
    rows = connection.erp_records.filter(entity=entity).exclude(state=ErpRecord.State.ARCHIVED)
    totals = rows.aggregate(count=Count("pk"), newest=Max("pk"), seen=Max("seen_at"))
    return f"{connection.pk} {totals['count']} {totals['newest']} {totals['seen']}"


def linked_ids(account_id: int, entity: str) -> dict[str, int]:
    """Return ERP ID -> record id of all records linked to the account's active connection."""
    connection = connection_services.active(account_id, entity)
    if connection is None:
        return {}
    active_links = connection.links.filter(entity=entity, ended_at=None)
    return dict(active_links.values_list("erp_id", "record_id"))


@transaction.atomic
def link_existing(
    account_id: int, entity: str, wanted: Mapping[int, str], *, by: User | None
) -> list[int]:
    """Link records to ERP records of the last fetch.

    Left out are records that are linked or have an open item, and ERP IDs that are linked or
    unknown.

    :param wanted: record id -> ERP ID.
    :param by: the user; None for the engine.
    :returns: ids of the records that were linked.
    """
    connection = connection_services.active(account_id, entity)
    if connection is None:
        return []
    # Whoever links or sends holds the connection, so the checks below stay true until the commit.
    # Then the records, in the lock order of docs/locks.md.
    Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    lock_records(entity, wanted)
    records = _unlinked(connection, entity, sorted(set(wanted.values())))
    free = {pk: records[erp_id] for pk, erp_id in wanted.items() if erp_id in records}
    for pk in _taken(connection, entity, sorted(free)):
        del free[pk]
    drafts = record_type(entity).drafts(account_id, sorted(free))
    labels = {draft.record_id: draft.label[:255] for draft in drafts}
    made = [
        Link(
            connection=connection,
            entity=entity,
            record_id=pk,
            label=labels.get(pk, record.label),
            erp_id=record.erp_id,
            erp_code=record.erp_code,
            erp_version=record.erp_version,
            linked_by=by,
        )
        for pk, record in sorted(free.items())
    ]
    Link.objects.bulk_create(made, batch_size=100)
    erp_ids = {link.record_id: (link.erp_id, link.erp_code) for link in made}
    show_link(record_type(entity), erp_ids)
    data = {pk: {"erp_id": record.erp_id} for pk, record in free.items()}
    notes = [
        Note(entity, pk, record.label or record.erp_code, ItemEvent.LINK, data=data[pk])
        for pk, record in free.items()
    ]
    note(account_id, notes, by=by)
    note_agreement(account_id, entity, list(free))
    release_children(connection.pk, entity, list(free))
    return sorted(free)


def _unlinked(connection: Connection, entity: str, ids: Sequence[str]) -> dict[str, ErpRecord]:
    """ERP ID -> ERP record, of those that no record is linked to."""
    records: dict[str, ErpRecord] = {}
    for chunk in chunks(ids):
        rows = connection.erp_records.filter(entity=entity, erp_id__in=chunk)
        linked = connection.links.filter(entity=entity, erp_id__in=chunk, ended_at=None)
        taken = set(linked.values_list("erp_id", flat=True))
        records |= {record.erp_id: record for record in rows if record.erp_id not in taken}
    return records


def _taken(connection: Connection, entity: str, ids: Sequence[int]) -> set[int]:
    """Those of the records that are linked or have an open item."""
    taken = set(models_erp_records.active_links(connection, entity, ids))
    for chunk in chunks(ids):
        items = Item.objects.filter(account=connection.account_id, entity=entity).open()
        taken.update(items.filter(record_id__in=chunk).values_list("record_id", flat=True))
    return taken


@transaction.atomic
def note_agreement(account_id: int, entity: str, ids: Sequence[int]) -> None:
    """Mark linked records as in sync that are the same in the ERP; the others show drift.

    They are compared with the ERP records of the last fetch. Needs a fixed number of queries per
    500 records.
    """
    connection = connection_services.active(account_id, entity)
    manifest = adapter_loading.usable_manifest(connection, entity)
    if connection is None or manifest is None:
        return
    names = [field.name for field in manifest.fields]
    kind = record_type(entity)
    for chunk in chunks(sorted(ids)):
        links = models_erp_records.active_links(connection, entity, chunk)
        rows_now = payload_drafts.drafts(kind, account_id, sorted(links), manifest)
        drafts = {draft.record_id: draft for draft in rows_now}
        erp_ids = [link.erp_id for link in links.values()]
        rows = connection.erp_records.filter(entity=entity, erp_id__in=erp_ids)
        records = {record.erp_id: record for record in rows}
        agreed = [
            _agreed(link, drafts[pk], records[link.erp_id])
            for pk, link in links.items()
            if pk in drafts
            and link.erp_id in records
            and _same(drafts[pk], records[link.erp_id], names)
            # If the ERP returned no field to compare, an ID named by an API client stays
            # uncompared.
            and (not link.told or any(name in records[link.erp_id].data for name in names))
        ]
        columns = ["synced_payload", "synced_digest", "erp_code", "erp_version", "told"]
        write_rows(agreed, columns)
    note_edits(entity, account_id, ids)


def _same(draft: Draft, record: ErpRecord, names: Sequence[str]) -> bool:
    """Whether all fields that the ERP returned have the same values."""
    return all(
        str(draft.payload.get(name) or "") == str(record.data.get(name) or "")
        for name in names
        if name in record.data
    )


def _agreed(link: Link, draft: Draft, record: ErpRecord) -> Link:
    link.synced_payload, link.synced_digest = dict(draft.payload), digest(draft.payload)
    link.erp_code, link.erp_version, link.told = record.erp_code, record.erp_version, False
    return link
