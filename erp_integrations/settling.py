"""The end of an item that the ERP holds: state, link and the record's ERP id, in one step."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations import moves
from erp_integrations.links import link_items
from erp_integrations.models import Item
from erp_integrations.queries import ItemQuerySet
from erpbridge.access.models import User

NO_ERROR = {"error_class": "", "error_field": "", "error_text": "", "error_advice": ""}


@transaction.atomic
def settle_synced(
    held: ItemQuerySet,
    item: Item,
    *,
    erp_id: str,
    erp_code: str,
    erp_version: str = "",
    event: str = "sync",
    by: User | None = None,
    why: str = "",
    as_sent: bool = True,
) -> bool:
    """Settle ``item`` as synced if it is still in ``held``; its waiting children go on.

    :param as_sent: whether the ERP holds what was sent, or a record of its own.
    :returns: False where another caller moved the item first.
    """
    known = {"erp_id": erp_id, "erp_code": erp_code, "erp_version": erp_version}
    moved = moves.move(
        event,
        held.filter(pk=item.pk),
        by=by,
        why=why,
        values={"lease_until": None, "check_after": None, "settled_at": Now()},
        each={item.pk: {**known, **NO_ERROR}},
    )
    link_items(moved, by=by or item.decided_by, as_sent=as_sent)
    Item.objects.filter(blocked_by__in=[one.pk for one in moved]).update(blocked_by=None)
    return bool(moved)
