"""The end of items that the ERP holds: state, link and the records' ERP ids, in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.models import Connection
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.workflow import transitions
from erp_integrations.workflow.links.services import held_elsewhere, link_items
from erpbridge.access.models import User
from erpbridge.db.busy import retried

NO_ERROR = {"error_class": "", "error_field": "", "error_text": "", "error_advice": ""}


@dataclass(frozen=True)
class Held:
    """What the ERP calls the record that it holds."""

    erp_id: str
    erp_code: str
    erp_version: str = ""


@retried
@transaction.atomic
def settle_synced(
    connection_id: int,
    found: ItemQuerySet,
    held: Mapping[int, Held],
    *,
    event: str = "sync",
    by: User | None = None,
    why: str = "",
    as_sent: bool = True,
    columns: Mapping[str, Any] | None = None,
) -> set[int]:
    """Settle as synced those of ``held``, by item id, that are still in ``found``.

    One ERP record belongs to one record of ours: an item whose ERP id another record holds stays
    as it is. Children that waited for a settled item go on.

    :param as_sent: whether the ERP holds what was sent, or a record of its own.
    :param columns: further columns of the items that get one value each.
    :returns: the ids of the settled items.
    """
    # Everybody who links holds this lock, so nothing is linked between the look and the move.
    Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    taken = held_elsewhere(connection_id, {pk: one.erp_id for pk, one in held.items()})
    each = {pk: {**asdict(one), **NO_ERROR} for pk, one in held.items() if pk not in taken}
    moved = transitions.move(
        event,
        found.filter(pk__in=list(each)),
        by=by,
        why=why,
        values={
            "lease_until": None,
            "check_after": None,
            "waits_for": None,
            "settled_at": Now(),
            **(columns or {}),
        },
        each=each,
    )
    link_items(moved, by=by, as_sent=as_sent)
    return {item.pk for item in moved}
