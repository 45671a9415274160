"""Who acts next for an item: a worker of ours, the ERP that asks, or a person; and what is due.

A worker sends and polls where the ERP is called. Where the ERP asks, it asks about what nobody
knows too; where a person imports files, a worker only hands over to a person what is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, Q

from erp_integrations.adapters.base import Delivery, Manifest
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.clock import Reading
from erp_integrations.connections import adapter_loading
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State

# Deliveries in which nothing is sent: the ERP asks, or a person makes a file.
FETCHED = frozenset({Delivery.POLLED, Delivery.FILE})


def worker_sends(manifest: Manifest) -> bool:
    """Whether a worker takes accepted items to the ERP."""
    return manifest.delivery not in FETCHED


def worker_looks(manifest: Manifest) -> bool:
    """Whether a worker deals with items of which nobody knows the outcome."""
    return manifest.delivery != Delivery.POLLED or not manifest.can_find


def left_to_others(manifest: Manifest) -> frozenset[State]:
    """The states in which an item waits for the asking ERP, or for whoever imports files."""
    if worker_sends(manifest):
        return frozenset()
    if manifest.delivery == Delivery.FILE:
        return frozenset({State.QUEUED, State.SUBMITTED})
    asked = frozenset({State.QUEUED, State.SENDING})
    return asked if worker_looks(manifest) else asked | {State.UNCERTAIN}


def due_connections() -> list[int]:
    """Connections for which a worker has something to do now."""
    return list(_due())


def others_are_due(connection_id: int) -> bool:
    """Whether a worker has something to do for any other connection."""
    return any(True for _pk in _due(besides=connection_id))


def _due(*, besides: int = 0) -> Iterator[int]:
    mine = Item.objects.filter(connection=OuterRef("pk"))
    time_has_come = Q(not_before=None) | Q(not_before__lte=Reading())
    to_send = mine.filter(time_has_come, state=State.QUEUED, waits_for=None)
    to_ask = mine.filter(check_after__lte=Reading())
    going = Connection.objects.exclude(paused_at__isnull=False, halted_for="")
    rows = (
        going.exclude(pk=besides)
        .exclude(breaker_until__gt=Reading())
        .annotate(
            to_send=Exists(to_send),
            to_look_up=Exists(to_ask.filter(state=State.UNCERTAIN)),
            to_poll=Exists(to_ask.filter(state=State.SUBMITTED)),
        )
    )
    found = rows.filter(Q(to_send=True) | Q(to_look_up=True) | Q(to_poll=True)).order_by("pk")
    return (row.pk for row in found if _worker_can_act(row))


def _worker_can_act(row: Connection) -> bool:
    """``row``: as annotated above."""
    try:
        manifest = adapter_loading.manifest_of(row)
    except AdapterUnavailable:
        return False
    if row.halted_for:
        # Only a worker finds out that it has been mended, and ends the pause.
        return True
    has = vars(row)
    sends = has["to_send"] and worker_sends(manifest)
    looks = has["to_look_up"] and worker_looks(manifest)
    return bool(has["to_poll"] or sends or looks)
