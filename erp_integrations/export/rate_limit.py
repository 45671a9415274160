"""How many commands a connection may be given now, by the limits of its ERP."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from erp_integrations.adapters.base import Delivery, Manifest
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State


def _room(held: Any, manifest: Manifest, first: Item, most: int | None) -> int:
    """How many may be claimed now: batch, items in flight, and the ERP's rate decide."""
    if manifest.delivery == Delivery.FILE:
        return most or 0
    at_once: int = min(held.max_in_flight, manifest.rate.at_once or held.max_in_flight)
    in_flight: int = held.items.filter(state=State.SENDING).count()
    batch = _batch(manifest, held, first)
    free = slots(held.now, held.next_slot_at, per_minute=_per_minute(held, manifest), burst=batch)
    asked = batch if most is None else most
    return max(0, min(batch, asked, at_once - in_flight, free))


def _per_minute(held: Connection, manifest: Manifest) -> int | None:
    return held.rate_per_minute or manifest.rate.per_minute


def _use_slots(held: Any, manifest: Manifest, used: int) -> None:
    per_minute = _per_minute(held, manifest)
    if per_minute and used:
        taken = next_slot(held.now, held.next_slot_at, per_minute=per_minute, used=used)
        Connection.objects.filter(pk=held.pk).update(next_slot_at=taken)


def _batch(manifest: Manifest, held: Connection, first: Item) -> int:
    """How many at once; after a failure one, so that a bad item takes no other down with it."""
    if first.attempts or held.breaker_failures:
        return 1
    found = manifest.entities.get(first.entity)
    return found.batch if found else 1


def slots(
    now: datetime, next_slot_at: datetime | None, *, per_minute: int | None, burst: int
) -> int:
    """How many commands a rate allows now (the generic cell rate algorithm: one timestamp).

    After a rest up to ``burst`` go at once; a time in the future holds back what it stands for.
    """
    if next_slot_at is None or next_slot_at <= now:
        return burst
    if per_minute is None:
        return 0
    ahead = (next_slot_at - now).total_seconds() * per_minute / 60
    return max(0, burst - math.ceil(ahead))


def next_slot(
    now: datetime, next_slot_at: datetime | None, *, per_minute: int, used: int
) -> datetime:
    """The timestamp after ``used`` commands."""
    start = max(now, next_slot_at or now)
    return start + timedelta(seconds=60 / per_minute * used)
