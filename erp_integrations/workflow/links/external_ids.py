"""ERP IDs that API clients set on records.

If the account has a connection for the record type, the ID becomes a link of that connection, as if
accounting had linked the record. If it has none, the ID is stored on the record only; the record
counts as synced, and keeps the ID when a connection is made later.
See docs/design/procore-rest-conventions.md, "ERP fields of a record".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from erp_integrations.adapters.base import Problem
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.safe_adapter import plain
from erp_integrations.models import Connection, Item, Link, erp_records
from erp_integrations.models.record_types import RecordType, Sendable, record_type
from erp_integrations.models.row_locks import lock_records
from erp_integrations.models.states import ItemEvent
from erp_integrations.workflow.links import services as link_services
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.links.record_columns import Origin, show_origins
from erp_integrations.workflow.parents import release_children
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.digest import digest
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, note
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import write_rows
from erpbridge.refusals import TAKEN

# Characters, as many as the columns store.
LONGEST_ID = 200
# Note of the audit events, and of links that end.
WHY = "Set over the API"


@dataclass
class _Change:
    """A record and the origin that it gets."""

    record: Sendable
    origin: Origin
    label: str

    @property
    def wanted(self) -> str:
        return self.record.origin_id if self.origin.id is None else self.origin.id

    @property
    def renamed(self) -> bool:
        return bool(self.wanted != self.record.origin_id)

    @property
    def ends(self) -> bool:
        """Whether an existing ERP ID is replaced or removed."""
        return self.renamed and bool(self.record.origin_id)


@transaction.atomic
def link(entity: str, origins: Mapping[int, Origin], *, access: Access) -> dict[int, Problem]:
    """Set the origins of records of the account; records with problems are left unchanged.

    The user needs the right to import from the ERP, and to replace or remove an ID also the right
    to unlink. Refused are records with an open item, removing the ID of a record with children that
    are linked or have an open item, and replacing it while a child may be exported under it. Needs
    a fixed number of statements per 500 records.

    :returns: record id -> why its origin was not set.
    """
    # Lock order: account, connections, records (docs/locks.md). The account's lock also keeps
    # anyone from starting to use another connection for the records.
    connection_services.hold_account(access.account.pk)
    kind = record_type(entity)
    connection_services.hold(access.account.pk)
    lock_records(entity, origins)
    changed = _changes(kind, origins, access)
    problems = _problems(kind, changed, access)
    settable = [change for pk, change in changed.items() if pk not in problems]
    if settable:
        connection = connection_services.active(access.account.pk, entity)
        renamed = [change for change in settable if change.renamed]
        old_ids = {change.record.pk: change.record.origin_id for change in renamed}
        show_origins((change.record, change.origin) for change in settable)
        ended = _relink(kind, connection, renamed, settable, access) if connection else set()
        # Ending a link has written an event already.
        to_note = [
            change for change in renamed if change.record.origin_id or change.record.pk not in ended
        ]
        note(
            access.account.pk,
            [_note_of(entity, change, old_ids) for change in to_note],
            by=access.user,
        )
    return problems


def _rows(kind: RecordType, access: Access) -> QuerySet[Sendable]:
    rows: QuerySet[Any] = kind.model._base_manager.all()
    return rows.filter(account=access.account)


def _changes(kind: RecordType, origins: Mapping[int, Origin], access: Access) -> dict[int, _Change]:
    """Record id -> change, for records for which something would change."""
    rows = _rows(kind, access)
    changes: dict[int, _Change] = {}
    for chunk in chunks(sorted(origins)):
        for row in rows.filter(pk__in=chunk):
            change = _Change(row, origins[row.pk], str(row))
            if _differs(row, change.origin):
                changes[row.pk] = change
    return changes


def _differs(row: Sendable, origin: Origin) -> bool:
    return (
        (origin.id is not None and origin.id != row.origin_id)
        or (origin.code is not None and origin.code != row.origin_code)
        or (origin.data is not None and origin.data != text_of(row.origin_data))
    )


def text_of(data: object) -> str:
    """Return ``origin_data`` as the text that the API client wrote."""
    return str(data.get("text", "")) if isinstance(data, Mapping) else ""


def _problems(
    kind: RecordType, changed: Mapping[int, _Change], access: Access
) -> dict[int, Problem]:
    """Record id -> why its origin cannot be set."""
    if not changed:
        return {}
    if not (answer := access.can(Permission.ITEMS_IMPORT, kind.entity)):
        return {pk: Problem("origin_id", "right", answer.why) for pk in changed}
    problems = _open(kind, list(changed), access)
    problems |= _taken(kind, changed, access)
    may_end = access.can(kind.unlink_action)
    for pk, change in changed.items():
        problem = _impossible(change.origin)
        if change.ends and not may_end:
            problem = Problem("origin_id", "right", f"cannot be taken away. {may_end.why}")
        if problem:
            problems[pk] = problem
    # Only for records that have no other problem, because this looks at all their children.
    return problems | _child_problems(
        kind, {pk: changed[pk] for pk in changed if pk not in problems}, access
    )


def _child_problems(
    kind: RecordType, changed: Mapping[int, _Change], access: Access
) -> dict[int, Problem]:
    """Problems of records whose ID cannot be removed or replaced because of their children."""
    ends = {pk for pk, change in changed.items() if change.ends}
    cleared = {pk for pk in ends if not changed[pk].wanted}
    messages = {
        pk: f"cannot be taken away. {why}"
        for pk, why in unlink_services.kept_by_children(kind, cleared).items()
    }
    messages |= {
        pk: f"cannot be changed. {why}"
        for pk, why in unlink_services.kept_by_exports(
            kind, access.account.pk, ends - cleared
        ).items()
    }
    return {pk: Problem("origin_id", "children", why) for pk, why in messages.items()}


def _impossible(origin: Origin) -> Problem | None:
    for field, value in (("origin_id", origin.id), ("origin_code", origin.code)):
        if value and len(value) > LONGEST_ID:
            message = f"has {len(value)} characters; the limit is {LONGEST_ID}"
            return Problem(field, "max_length", message)
        if value and value != plain(value):
            return Problem(field, "charset", "must not hold control characters")
    return None


def _open(kind: RecordType, ids: Sequence[int], access: Access) -> dict[int, Problem]:
    items = Item.objects.filter(account=access.account, entity=kind.entity).open()
    message = "cannot change while the record waits for the ERP or is being exported"
    batches = (items.filter(record_id__in=chunk) for chunk in chunks(ids))
    return {
        pk: Problem("origin_id", "open", message)
        for rows in batches
        for pk in rows.values_list("record_id", flat=True)
    }


def _taken(kind: RecordType, changed: Mapping[int, _Change], access: Access) -> dict[int, Problem]:
    """Problems of records whose ERP ID another record has, or gets in the same call."""
    new_ids = {change.wanted for change in changed.values() if change.renamed and change.wanted}
    rows = _rows(kind, access)
    holders: dict[str, int] = {}
    for chunk in chunks(sorted(new_ids)):
        holders |= dict(rows.filter(origin_id__in=chunk).values_list("origin_id", "pk"))
        # Links of connections that are no longer in use for the record type do not count.
        links = Link.objects.filter(connection__account=access.account, entity=kind.entity)
        active_links = links.filter(ended_at=None, connection__active_for__entity=kind.entity)
        holders |= dict(active_links.filter(erp_id__in=chunk).values_list("erp_id", "record_id"))
    problems = {}
    # In order of the record ids: of two records that want one ID, the first gets it.
    for pk, change in sorted(changed.items()):
        if change.renamed and change.wanted and holders.setdefault(change.wanted, pk) != pk:
            message = f"{TAKEN} by {holders[change.wanted]}"
            problems[pk] = Problem("origin_id", "taken", message)
    return problems


def _relink(
    kind: RecordType,
    connection: Connection,
    renamed: Sequence[_Change],
    changed: Sequence[_Change],
    access: Access,
) -> set[int]:
    """End the links of records with a new ID, create the new links, and update codes of the others.

    A new link has no drift until its record is edited. The records are compared before anything is
    written to the ERP record (``comparison``).

    :returns: ids of the records whose link has ended.
    """
    old_links = erp_records.active_links(
        connection, kind.entity, [change.record.pk for change in renamed]
    )
    ended = link_services.end(list(old_links.values()), by=access.user, why=WHY)
    linked = {change.record.pk: change.record for change in renamed if change.record.origin_id}
    manifest = adapter_loading.usable_manifest(connection, kind.entity)
    drafts = payload_drafts.drafts(kind, access.account.pk, sorted(linked), manifest)
    new_links = [
        Link(
            connection=connection,
            entity=kind.entity,
            record_id=draft.record_id,
            label=draft.label[:255],
            erp_id=linked[draft.record_id].origin_id,
            erp_code=linked[draft.record_id].origin_code,
            synced_payload=dict(draft.payload),
            synced_digest=digest(draft.payload),
            linked_by=access.user,
            told=True,
        )
        for draft in drafts
    ]
    Link.objects.bulk_create(new_links, batch_size=100)
    if connection_services.can_compare(connection):
        # A worker compares the parent first. Otherwise children wait until a person confirms the
        # ID.
        release_children(connection.pk, kind.entity, sorted(linked))
    recoded = {change.record.pk: change.record for change in changed if not change.renamed}
    kept_links = list(erp_records.active_links(connection, kind.entity, sorted(recoded)).values())
    for kept_link in kept_links:
        kept_link.erp_code = recoded[kept_link.record_id].origin_code
    write_rows(kept_links, ["erp_code"])
    return {ended_link.record_id for ended_link in ended}


def _note_of(entity: str, change: _Change, old_ids: Mapping[int, str]) -> Note:
    pk, now = change.record.pk, change.record.origin_id
    data = {"erp_id": now or old_ids[pk], "was": old_ids[pk]}
    return Note(
        entity, pk, change.label, ItemEvent.LINK if now else ItemEvent.UNLINK, note=WHY, data=data
    )
