"""Which connections have work for a worker now, and which steps a worker does per delivery.

With sync and queued delivery a worker sends, polls and looks up. With polled delivery the ERP
fetches commands and lookups itself. With file delivery a user exports and imports files; a worker
only asks the user about items whose outcome is unknown.
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

# Deliveries in which no worker sends: the ERP polls, or a user makes a file.
FETCHED = frozenset({Delivery.POLLED, Delivery.FILE})


def worker_sends(manifest: Manifest) -> bool:
    """Whether a worker sends the accepted items."""
    return manifest.delivery not in FETCHED


def worker_looks(manifest: Manifest) -> bool:
    """Whether a worker handles items whose outcome is unknown."""
    return manifest.delivery != Delivery.POLLED or not manifest.can_find


def left_to_others(manifest: Manifest) -> frozenset[State]:
    """The states in which an item waits for the polling ERP, or for a user who imports files."""
    if worker_sends(manifest):
        return frozenset()
    if manifest.delivery == Delivery.FILE:
        return frozenset({State.QUEUED, State.SUBMITTED})
    sent = frozenset({State.QUEUED, State.SENDING})
    return sent if worker_looks(manifest) else sent | {State.UNCERTAIN}


def checks_are_due(connection: Connection) -> bool:
    """Whether the ERP has to be asked now for the outcome of any item of the connection."""
    asked = [State.SUBMITTED, State.UNCERTAIN]
    return connection.items.filter(state__in=asked, check_after__lte=Reading()).exists()


def due_connections() -> list[int]:
    """Connections for which a worker has something to do now."""
    return list(_due())


def others_are_due(connection_id: int) -> bool:
    """Whether a worker has something to do for any other connection."""
    return any(True for _pk in _due(besides=connection_id))


def _due(*, besides: int = 0) -> Iterator[int]:
    items = Item.objects.filter(connection=OuterRef("pk"))
    may_be_sent = Q(not_before=None) | Q(not_before__lte=Reading())
    to_send = items.filter(may_be_sent, state=State.QUEUED, waits_for=None)
    to_ask = items.filter(check_after__lte=Reading())
    # A connection that the engine has halted is included, because a worker has to probe it.
    running = Connection.objects.exclude(paused_at__isnull=False, halted_for="")
    rows = (
        running.exclude(pk=besides)
        .exclude(breaker_until__gt=Reading())
        .annotate(
            to_send=Exists(to_send),
            to_look_up=Exists(to_ask.filter(state=State.UNCERTAIN)),
            to_poll=Exists(to_ask.filter(state=State.SUBMITTED)),
        )
    )
    connections = rows.filter(Q(to_send=True) | Q(to_look_up=True) | Q(to_poll=True)).order_by("pk")
    return (row.pk for row in connections if _worker_can_act(row))


def _worker_can_act(row: Connection) -> bool:
    """:param row: annotated by :func:`_due`."""
    try:
        manifest = adapter_loading.manifest_of(row)
    except AdapterUnavailable:
        return False
    if row.halted_for:
        # A worker probes whether the problem is fixed, and resumes the connection.
        return True
    work = vars(row)
    sends = work["to_send"] and worker_sends(manifest)
    looks = work["to_look_up"] and worker_looks(manifest)
    return bool(work["to_poll"] or sends or looks)
