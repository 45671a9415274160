"""Links between records and ERP records; the only code that writes a record's ERP id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.models import Connection, Item, Link
from erp_integrations.moves import chunks
from erp_integrations.records import record_type
from erpbridge.access.models import User
from erpbridge.audit.record import Note, note


def active_links(connection: Connection, entity: str, ids: Sequence[int]) -> dict[int, Link]:
    """The active links of these records, by record id."""
    found: dict[int, Link] = {}
    for some in chunks(ids):
        rows = connection.links.filter(entity=entity, record_id__in=some, ended_at=None)
        found.update((link.record_id, link) for link in rows)
    return found


def holder_of(connection: Connection, entity: str, erp_id: str) -> Link | None:
    """The active link that holds an ERP id; one ERP id belongs to one record."""
    return connection.links.filter(entity=entity, erp_id=erp_id, ended_at=None).first()


@transaction.atomic
def link_items(items: Iterable[Item], *, by: User | None, as_sent: bool = True) -> None:
    """Link the records of synced items to what the ERP holds.

    :param as_sent: the ERP holds the item's payload; False where it holds something of its own,
        which then shows as drift.
    """
    for item in items:
        known = {
            "erp_id": item.erp_id,
            "erp_code": item.erp_code,
            "erp_version": item.erp_version,
            "synced_payload": item.payload if as_sent else {},
            "synced_digest": item.digest if as_sent else "",
        }
        Link.objects.update_or_create(
            connection_id=item.connection_id,
            entity=item.entity,
            record_id=item.record_id,
            ended_at=None,
            defaults=known,
            create_defaults={**known, "linked_by": by},
        )
        model = record_type(item.entity).model
        model._base_manager.filter(pk=item.record_id).update(
            origin_id=item.erp_id, origin_code=item.erp_code
        )


@transaction.atomic
def unlink(link: Link, *, by: User, why: str) -> bool:
    """End a link; the ERP keeps its record. False where somebody else ended it first."""
    found = Link.objects.filter(pk=link.pk, ended_at=None)
    if not found.update(ended_at=Now(), ended_by=by, ended_why=why):
        return False
    model = record_type(link.entity).model
    model._base_manager.filter(pk=link.record_id).update(
        origin_id="", origin_code="", origin_data={}, erp_state=""
    )
    data = {"erp_id": link.erp_id}
    one = Note(link.entity, link.record_id, link.erp_code, "unlink", note=why, data=data)
    note(link.connection.account_id, [one], by=by)
    return True
