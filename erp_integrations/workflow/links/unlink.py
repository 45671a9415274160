"""Unlink records; the ERP keeps its records.

A record stays linked while it has an open item, and while a direct child is linked or has an open
item: a child is exported under its parent's ERP ID, and without one it would become a root record
in the ERP. A record gets another ERP ID only while no child may be exported under the present one.
See docs/design/export-protocol.md, "Parents and children".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.db import transaction
from django.db.models import Q

from erp_integrations.models import Connection, ErpRecord, Item, Link
from erp_integrations.models.match_keys import keys_of
from erp_integrations.models.record_types import (
    RecordType,
    Sendable,
    is_locked,
    locked,
    record_type,
)
from erp_integrations.models.row_locks import lock_connections, lock_records
from erp_integrations.models.states import MAY_HAVE_LEFT
from erp_integrations.workflow.links.record_columns import show_no_link
from erp_integrations.workflow.links.services import end
from erpbridge.access.models import User
from erpbridge.db.batches import chunks

# How many children a message names.
MOST_NAMED = 3
NOT_LINKED = "It is not linked to the ERP any more. Reload the page to see it as it is."
OPEN = (
    "Something of it waits for accounting or is being exported. Retrieve or settle that first, "
    "then unlink it."
)


@transaction.atomic
def unlink(
    account_id: int, entity: str, ids: Collection[int], *, by: User, why: str
) -> dict[int, str]:
    """Unlink records; those that cannot be unlinked stay linked.

    The caller has checked the permission for the ``unlink_action`` of the record type.

    :param why: reason of the user, for the history.
    :returns: record id -> why it stays linked.
    """
    kind = record_type(entity)
    links = _links(account_id, entity, ids)
    connection_ids = {link.connection_id for link in links.values()}
    lock_connections(Connection.objects.filter(pk__in=connection_ids))
    lock_records(entity, ids)
    # Read again: links may have ended while this waited for the locks.
    links = _links(account_id, entity, ids)
    refused = {pk: NOT_LINKED for pk in ids if pk not in links}
    refused |= dict.fromkeys(_open(account_id, entity, links), OPEN)
    refused |= kept_by_children(kind, links.keys() - refused.keys())
    ended = end([link for pk, link in links.items() if pk not in refused], by=by, why=why)
    _remember(ended)
    show_no_link(kind, ended)
    return refused


def unlink_all(connection: Connection, *, by: User, why: str) -> int:
    """End all links of a connection whose identity changes.

    The caller holds the lock on the connection and has checked that no item of it is open.

    :returns: how many links were ended.
    """
    count = 0
    active = Link.objects.active().filter(connection=connection)
    # Children do not keep their parents linked here, because all links end.
    for entity in sorted(set(active.values_list("entity", flat=True))):
        links = list(active.filter(entity=entity))
        lock_records(entity, [link.record_id for link in links])
        ended = end(links, by=by, why=why)
        show_no_link(record_type(entity), ended)
        count += len(ended)
    return count


def _links(account_id: int, entity: str, ids: Collection[int]) -> dict[int, Link]:
    """Record id -> active link, of any connection of the account."""
    links: dict[int, Link] = {}
    active = Link.objects.active().filter(connection__account=account_id, entity=entity)
    for chunk in chunks(sorted(ids)):
        rows = active.filter(record_id__in=chunk).select_related("connection").order_by("pk")
        links.update((link.record_id, link) for link in rows)
    return links


def _open(account_id: int, entity: str, ids: Iterable[int]) -> set[int]:
    record_ids: set[int] = set()
    items = Item.objects.filter(account=account_id, entity=entity).open()
    for chunk in chunks(sorted(ids)):
        record_ids.update(items.filter(record_id__in=chunk).values_list("record_id", flat=True))
    return record_ids


def kept_by_children(kind: RecordType, ids: Collection[int]) -> dict[int, str]:
    """Return record id -> why its children keep it linked, for records that are to be unlinked.

    Children that are unlinked in the same call do not count. The caller holds the lock on the
    connection, so that no child is sent, accepted, claimed or linked meanwhile.
    """
    below: dict[int, dict[int, Sendable]] = defaultdict(dict)
    for chunk in chunks(sorted(ids)):
        rows = kind.children(chunk).filter(locked() | ~Q(origin_id="")).order_by("pk")
        for row in rows:
            below[row.parent_id][row.pk] = row
    reasons: dict[int, str] = {}
    staying: set[int] = set()
    # Repeated up the tree: a record that stays linked keeps its own parent linked.
    while newly := {
        parent
        for parent, rows in below.items()
        if parent not in staying and any(pk not in ids or pk in staying for pk in rows)
    }:
        staying |= newly
    for parent in staying:
        blocking = [row for pk, row in below[parent].items() if pk not in ids or pk in staying]
        reasons[parent] = _words(kind, blocking)
    return reasons


def kept_by_exports(kind: RecordType, account_id: int, changing: Collection[int]) -> dict[int, str]:
    """Return record id -> why it keeps its ERP ID, for records that are to get another one.

    That is so while a child may have been exported under the present ID and its outcome is open.
    The caller holds the lock on the connection.
    """
    # Children that only wait get the new ID at their claim, and linked ones are in the ERP already.
    exported = Item.objects.filter(account=account_id, entity=kind.entity, state__in=MAY_HAVE_LEFT)
    below: dict[int, list[Item]] = defaultdict(list)
    for chunk in chunks(sorted(changing)):
        for item in exported.filter(parent_id__in=chunk).order_by("pk"):
            below[item.parent_id or 0].append(item)
    return {
        parent: f"It keeps its ERP ID. Of the {kind.label_plural.lower()} directly under it, "
        f"{len(items):,} may reach the ERP under that ID ({_names(items)}). Wait until "
        "that is settled, or answer what needs an answer, first."
        for parent, items in below.items()
    }


def _words(kind: RecordType, rows: Sequence[Sendable]) -> str:
    locked_rows = [row for row in rows if is_locked(row)]
    linked_rows = [row for row in rows if not is_locked(row)]
    parts = [
        f"{len(group):,} {'is' if len(group) == 1 else 'are'} {words} ({_names(group)})"
        for group, words in (
            (locked_rows, "waiting for accounting or being exported"),
            (linked_rows, "linked to the ERP"),
        )
        if group
    ]
    steps = ["retrieve or settle what waits"] if locked_rows else []
    steps += ["unlink what is linked"] if linked_rows else []
    return (
        f"It stays linked. Of the {kind.label_plural.lower()} directly under it, "
        f"{' and '.join(parts)}. First {' and '.join(steps)}."
    )


def _names(rows: Sequence[Sendable | Item]) -> str:
    names = ", ".join(str(row) for row in rows[:MOST_NAMED])
    unnamed = len(rows) - MOST_NAMED
    return f"{names} and {unnamed:,} more" if unnamed > 0 else names


def _remember(ended: Sequence[Link]) -> None:
    # The ERP still has the records. Stored here, they are offered as matches when the records are
    # sent again (``accept.matches``). What a refresh has stored is newer, so conflicts are ignored.
    erp_records = [
        ErpRecord(
            connection=link.connection,
            entity=link.entity,
            erp_id=link.erp_id,
            erp_code=link.erp_code,
            erp_version=link.erp_version,
            label=str(link),
            data=link.synced_payload,
            **keys_of(link.synced_payload),
        )
        for link in ended
        if link.synced_payload
    ]
    ErpRecord.objects.bulk_create(erp_records, batch_size=100, ignore_conflicts=True)
