"""Create, change and end the links between records and ERP records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import State
from erp_integrations.workflow import transitions
from erp_integrations.workflow.links.drift import note_edits_since_sent
from erp_integrations.workflow.parents import release_children
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_insert import insert
from erpbridge.db.bulk_update import write_rows


def holder_of(connection: Connection, entity: str, erp_id: str) -> Link | None:
    """Return the active link with an ERP ID, None if no record is linked to it."""
    return connection.links.filter(entity=entity, erp_id=erp_id, ended_at=None).first()


def links_near(
    connection: Connection, items: Sequence[Item], erp_ids: Mapping[int, str]
) -> list[Link]:
    """Return the active links of the items' records, and those that have their ERP IDs.

    :param erp_ids: item id -> ERP ID.
    """
    links: dict[int, Link] = {}
    for batch in chunks(items):
        of_records = Q(pk__in=[])
        for entity, alike in _by_entity(batch).items():
            ids = {erp_ids[item.pk] for item in alike}
            of_records |= Q(entity=entity) & (Q(record_id__in=_records(alike)) | Q(erp_id__in=ids))
        rows = Link.objects.filter(of_records, connection=connection, ended_at=None)
        links.update((link.pk, link) for link in rows)
    return list(links.values())


def held_elsewhere(
    items: Sequence[Item], links: Iterable[Link], erp_ids: Mapping[int, str]
) -> set[int]:
    """Return the ids of items whose ERP ID another record has, or gets in the same call.

    The caller holds the lock on the connection.

    :param links: from :func:`links_near`.
    :param erp_ids: item id -> ERP ID.
    """
    holders = {(link.entity, link.erp_id): link.record_id for link in links}
    elsewhere = set()
    for item in sorted(items, key=lambda item: item.pk):
        wanted = (item.entity, erp_ids[item.pk])
        if holders.setdefault(wanted, item.record_id) != item.record_id:
            elsewhere.add(item.pk)
    return elsewhere


def link_items(
    connection: Connection,
    items: Sequence[Item],
    links: Iterable[Link],
    *,
    by: User | None,
    as_sent: bool = True,
) -> None:
    """Link the records of items that were just synced, and release their children.

    The caller holds the locks on the connection, the items and the records, which show the link
    already.

    :param links: from :func:`links_near`.
    :param by: the user who linked them; None: the user who accepted each item.
    :param as_sent: whether the ERP has the item's payload. If not, the record shows drift.
    """
    known = {(link.entity, link.record_id): link for link in links}
    made = [
        _linked(item, known.get((item.entity, item.record_id)), by, as_sent=as_sent)
        for item in items
    ]
    write_rows([link for link in made if link.pk], LINKED_COLUMNS)
    insert([link for link in made if not link.pk])
    for entity, alike in _by_entity(items).items():
        # Records of a tree can change while they are locked: a first child makes a code a group.
        if as_sent and record_type(entity).unit == "list":
            note_edits_since_sent(connection, alike)
        release_children(connection.pk, entity, _records(alike))


def _by_entity(items: Iterable[Item]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.entity].append(item)
    return groups


# Columns of an existing link that :func:`_linked` changes.
LINKED_COLUMNS = [
    "label",
    "item",
    "erp_code",
    "erp_version",
    "told",
    "synced_payload",
    "synced_digest",
]


def _records(items: Iterable[Item]) -> list[int]:
    return [item.record_id for item in items]


def _linked(item: Item, existing: Link | None, by: User | None, *, as_sent: bool) -> Link:
    """The record's link, updated or new. A link to another ERP ID ends, and stays as history."""
    if existing is not None and existing.erp_id != item.erp_id:
        end([existing], by=by, why=f"Linked to {item.erp_id} instead")
        existing = None
    link = existing or Link(
        connection_id=item.connection_id,
        entity=item.entity,
        record_id=item.record_id,
        linked_by_id=by.pk if by else item.decided_by_id,
    )
    link.erp_id, link.erp_code, link.erp_version = item.erp_id, item.erp_code, item.erp_version
    # The export has shown which ERP record it is, so an ID named by an API client is confirmed.
    link.label, link.item, link.told = item.label, item, False
    link.synced_payload = item.payload if as_sent else {}
    link.synced_digest = item.digest if as_sent else ""
    return link


@transaction.atomic
def end(links: Sequence[Link], *, by: User | None, why: str) -> list[Link]:
    """End links: set their items to UNLINKED and write the audit events.

    The caller has locked the records, and updates their columns (``record_columns``). Needs a fixed
    number of statements per 500 links.

    :param why: shown in the history and on the item.
    :returns: the links that were ended, without those that had ended before.
    """
    ended: list[Link] = []
    for chunk in chunks([link.pk for link in links]):
        rows = Link.objects.active().filter(pk__in=chunk).select_related("connection", "item")
        # Only the links: connection and item are joined, and PostgreSQL does not lock a nullable
        # join.
        locked_links = list(rows.select_for_update(of=("self",)).order_by("pk"))
        Link.objects.filter(pk__in=[link.pk for link in locked_links]).update(
            ended_at=Now(), ended_by=by, ended_why=why
        )
        for (connection_id, entity), alike in _alike(locked_links).items():
            # All items that were synced under this link, not only its latest one. A pair of record
            # and ERP ID that is not a link has no such item, or an earlier one that ended already.
            transitions.part(
                Item.objects.filter(
                    connection=connection_id,
                    entity=entity,
                    record_id__in=[link.record_id for link in alike],
                    erp_id__in=[link.erp_id for link in alike],
                )
            )
        for account_id, notes in _ends(locked_links, why).items():
            note(account_id, notes, by=by)
        ended += locked_links
    return ended


def _alike(links: Iterable[Link]) -> dict[tuple[int, str], list[Link]]:
    groups: dict[tuple[int, str], list[Link]] = defaultdict(list)
    for link in links:
        groups[link.connection_id, link.entity].append(link)
    return groups


def _ends(ended: Iterable[Link], why: str) -> dict[int, list[Note]]:
    """Audit events by account."""
    notes: dict[int, list[Note]] = defaultdict(list)
    for link in ended:
        item = link.item
        data = {"erp_id": link.erp_id} | ({"item": str(item.public_id)} if item else {})
        # A link without an item, for example from a fetched list, has no states.
        was, now = (State.SYNCED, State.UNLINKED) if item else ("", "")
        notes[link.connection.account_id].append(
            Note(link.entity, link.record_id, str(link), "unlink", was, now, note=why, data=data)
        )
    return notes
