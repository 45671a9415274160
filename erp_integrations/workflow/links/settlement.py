"""Settle items as synced: state, link and the records' ERP IDs in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.models import Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import RecordType
from erp_integrations.models.states import ItemEvent
from erp_integrations.workflow import transitions
from erp_integrations.workflow.links.record_columns import link_columns
from erp_integrations.workflow.links.services import held_elsewhere, link_items, links_near
from erpbridge.access.models import User
from erpbridge.db.busy import retried

# Columns of an item without an error.
NO_ERROR = {"error_class": "", "error_field": "", "error_text": "", "error_advice": ""}


@dataclass(frozen=True)
class ErpRef:
    """ID, code and version of a record in the ERP."""

    erp_id: str
    erp_code: str
    erp_version: str = ""


@retried
@transaction.atomic
def settle_synced(
    connection: Connection,
    items: ItemQuerySet,
    erp_records: Mapping[int, ErpRef],
    *,
    event: ItemEvent = ItemEvent.SYNC,
    by: User | None = None,
    why: str = "",
    as_sent: bool = True,
    columns: Mapping[str, object] | None = None,
) -> set[int]:
    """Lock the connection and the items, and settle them with :func:`settle_locked`.

    :param items: restricts the items, for example to one that has not changed since a lookup.
    """
    Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    locked = transitions.lock(event, items.filter(pk__in=list(erp_records)))
    return settle_locked(
        connection,
        locked,
        erp_records,
        event=event,
        by=by,
        why=why,
        as_sent=as_sent,
        columns=columns,
    )


def settle_locked(
    connection: Connection,
    items: Sequence[Item],
    erp_records: Mapping[int, ErpRef],
    *,
    event: ItemEvent = ItemEvent.SYNC,
    by: User | None = None,
    why: str = "",
    as_sent: bool = True,
    columns: Mapping[str, object] | None = None,
) -> set[int]:
    """Settle items as synced, link their records, and release children that wait for them.

    Items whose ERP ID another record has are left as they are. The caller has locked the
    connection, and the items with :func:`transitions.lock`.

    :param erp_records: item id -> its record in the ERP.
    :param as_sent: whether the ERP has the payload of the items, or different values.
    :param columns: further columns with the same new value for all items.
    :returns: the ids of the settled items.
    """
    # Whoever links locks the connection, so no other record gets these ERP IDs before the move. One
    # item with a taken ID would violate ``one_record_per_erp_id`` and fail the settlement of all.
    erp_ids = {item.pk: erp_records[item.pk].erp_id for item in items}
    links = links_near(connection, items, erp_ids)
    elsewhere = held_elsewhere(items, links, erp_ids)
    settled = [item for item in items if item.pk not in elsewhere]
    transitions.apply(
        event,
        settled,
        by=by,
        why=why,
        values={
            # The constraint ``lease_iff_sending`` allows a lease only while SENDING.
            "lease_until": None,
            "check_after": None,
            "waits_for": None,
            "settled_at": Now(),
            **NO_ERROR,
            **(columns or {}),
        },
        item_columns={item.pk: asdict(erp_records[item.pk]) for item in settled},
        record_columns=partial(_record_columns, drifted=not as_sent),
    )
    link_items(connection, settled, links, by=by, as_sent=as_sent)
    return {item.pk for item in settled}


def _record_columns(
    kind: RecordType, items: Sequence[Item], *, drifted: bool
) -> Mapping[str, object]:
    erp_ids = {item.record_id: (item.erp_id, item.erp_code) for item in items}
    return link_columns(kind, erp_ids, drifted=drifted)
