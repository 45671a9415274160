"""Settle items as synced: state, link and the records' ERP IDs in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.models import Connection
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import ItemEvent
from erp_integrations.workflow import transitions
from erp_integrations.workflow.links.services import held_elsewhere, link_items
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
    connection_id: int,
    items: ItemQuerySet,
    erp_records: Mapping[int, ErpRef],
    *,
    event: ItemEvent = ItemEvent.SYNC,
    by: User | None = None,
    why: str = "",
    as_sent: bool = True,
    columns: Mapping[str, object] | None = None,
    connection_locked: bool = False,
) -> set[int]:
    """Settle items as synced, link their records, and release children that wait for them.

    Items whose ERP ID another record has are left as they are.

    :param items: restricts the items, for example to those that still have the claim's fence.
    :param erp_records: item id -> its record in the ERP.
    :param as_sent: whether the ERP has the payload of the items, or different values.
    :param columns: further columns with the same new value for all items.
    :param connection_locked: the caller has locked the connection in this transaction.
    :returns: the ids of the settled items.
    """
    # Whoever links holds this lock, so no other record gets these ERP IDs before the move. One item
    # with a taken ID would violate ``one_record_per_erp_id`` and fail the settlement of all.
    if not connection_locked:
        Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    elsewhere = held_elsewhere(
        connection_id, {pk: erp_record.erp_id for pk, erp_record in erp_records.items()}
    )
    item_columns = {
        pk: {**asdict(erp_record), **NO_ERROR}
        for pk, erp_record in erp_records.items()
        if pk not in elsewhere
    }
    settled = transitions.move(
        event,
        items.filter(pk__in=list(item_columns)),
        by=by,
        why=why,
        values={
            # The constraint ``lease_iff_sending`` allows a lease only while SENDING.
            "lease_until": None,
            "check_after": None,
            "waits_for": None,
            "settled_at": Now(),
            **(columns or {}),
        },
        item_columns=item_columns,
    )
    link_items(settled, by=by, as_sent=as_sent)
    return {item.pk for item in settled}
