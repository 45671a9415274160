"""How many commands may be sent to a connection now, by its limits and its ERP's."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from django.db.models import Count, Subquery

from erp_integrations.adapters.base import Delivery, Manifest, Operation
from erp_integrations.models import Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import State

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Locked(TypedDict):
        """The current reading, of the query that locks the connection."""

        now: datetime

    LockedConnection = WithAnnotations[Connection, Locked]


def with_in_flight(connection: Connection, items: ItemQuerySet) -> ItemQuerySet:
    """Annotate items with ``in_flight`` and ``open_calls`` of the connection, for :func:`room`."""
    sending = Item.objects.filter(connection=connection, state=State.SENDING)
    alike = sending.order_by().values("connection")
    return items.annotate(
        in_flight=Subquery(alike.annotate(n=Count("pk")).values("n")),
        open_calls=Subquery(alike.annotate(n=Count("call", distinct=True)).values("n")),
    )


def most_at_once(connection: Connection, manifest: Manifest, most: int | None) -> int:
    """An upper bound of :func:`room`, before it is known which items are due."""
    # A file is made by a user, not sent at a rate.
    if manifest.delivery == Delivery.FILE:
        return most or 0
    batches = [
        entity.batches.of(operation)
        for entity in manifest.entities.values()
        for operation in Operation
    ]
    limits = [max(batches, default=1), connection.max_in_flight, most]
    return 1 if connection.breaker_failures else min(limit for limit in limits if limit is not None)


def room(connection: LockedConnection, manifest: Manifest, first: Item, most: int | None) -> int:
    """How many items may be claimed now, by batch size, items in flight and rate limit.

    :param first: the first one, annotated by :func:`with_in_flight`.
    """
    if manifest.delivery == Delivery.FILE:
        return most or 0
    in_flight, open_calls = vars(first)["in_flight"] or 0, vars(first)["open_calls"] or 0
    # A polling ERP makes the calls itself, and gets no more than it asked for.
    called = manifest.delivery in (Delivery.SYNC, Delivery.QUEUED)
    if called and open_calls >= manifest.concurrency:
        return 0
    batch = _batch(manifest, connection, first)
    free = slots(
        connection.now,
        connection.next_slot_at,
        per_minute=_per_minute(connection, manifest),
        burst=batch,
    )
    wanted = batch if most is None else most
    most_in_flight = connection.max_in_flight or math.inf
    return int(max(0, min(batch, wanted, most_in_flight - in_flight, free)))


def _per_minute(connection: Connection, manifest: Manifest) -> int | None:
    return connection.rate_per_minute or manifest.rate.per_minute


def use_slots(connection: LockedConnection, manifest: Manifest, used: int) -> None:
    """Count ``used`` commands against the rate limit of the connection, whose row is locked."""
    per_minute = _per_minute(connection, manifest)
    if per_minute and used:
        next_slot_at = next_slot(
            connection.now, connection.next_slot_at, per_minute=per_minute, used=used
        )
        Connection.objects.filter(pk=connection.pk).update(next_slot_at=next_slot_at)


def _batch(manifest: Manifest, connection: Connection, first: Item) -> int:
    """Batch size; 1 after a failure, so that a bad item cannot fail the others of its batch."""
    if first.attempts or connection.breaker_failures:
        return 1
    entity = manifest.entities.get(first.entity)
    return entity.batches.of(Operation(first.operation)) if entity else 1


def slots(
    now: datetime, next_slot_at: datetime | None, *, per_minute: int | None, burst: int
) -> int:
    """How many commands the rate limit allows now (generic cell rate algorithm, one timestamp).

    :param next_slot_at: when the next command is due at the steady rate; if it is in the past,
        ``burst`` commands may go at once.
    """
    if next_slot_at is None or next_slot_at <= now:
        return burst
    # Without a rate, a time in the future comes from a Retry-After of the ERP.
    if per_minute is None:
        return 0
    ahead = (next_slot_at - now).total_seconds() * per_minute / 60
    return max(0, burst - math.ceil(ahead))


def next_slot(
    now: datetime, next_slot_at: datetime | None, *, per_minute: int, used: int
) -> datetime:
    """The new ``next_slot_at`` after ``used`` commands."""
    start = max(now, next_slot_at or now)
    return start + timedelta(seconds=60 / per_minute * used)
