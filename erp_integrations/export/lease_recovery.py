"""The periodic tick: expire leases, and wake workers for due work whose wake-up was lost."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.clock import Reading, after, now
from erp_integrations.connections.wakeups import publish
from erp_integrations.export.due import due_connections
from erp_integrations.models import Attempt, Connection, Item, Ticker, row_locks
from erp_integrations.models.states import ItemEvent
from erp_integrations.workflow import tracing, transitions
from erpbridge.db.batches import chunks
from erpbridge.db.busy import retried
from erpbridge.jobs.wakeups import LATER, wake_due
from erpbridge.oauth import tokens

logger = logging.getLogger(__name__)

# Seconds between two ticks, over all processes.
PERIOD = 10.0
LONG_AGO = timedelta(days=1)


def tick(*, period: float = PERIOD) -> bool:
    """Expire leases and wake up due work, unless another process did within ``period`` seconds.

    :returns: whether this process did it.
    """
    if not Ticker.objects.exists():
        Ticker.objects.get_or_create(pk=1, defaults={"ran_reading": now() - LONG_AGO})
    # A conditional UPDATE, so that only one of several processes makes this tick.
    due = Ticker.objects.filter(pk=1, ran_reading__lte=after(-period))
    if not due.update(ran_at=Now(), ran_reading=Reading()):
        return False
    expire_leases()
    for connection_id in due_connections():
        publish(connection_id, priority=LATER)
    wake_due()
    tokens.clear_old()
    return True


def expire_leases() -> int:
    """Make items with an expired lease UNCERTAIN: their worker has stopped, perhaps after sending.

    :returns: how many items.
    """
    expired = Item.objects.filter(lease_until__lte=Reading())
    connection_ids = sorted(expired.values_list("connection_id", flat=True).distinct())
    return sum(_expire_leases(connection_id) for connection_id in connection_ids)


@retried
def _expire_leases(connection_id: int) -> int:
    with transaction.atomic():
        # Connections are locked before items, as in a claim (docs/locks.md).
        row_locks.lock_connections(Connection.objects.filter(pk=connection_id))
        expired = Item.objects.filter(connection=connection_id, lease_until__lte=Reading())
        items = transitions.move(
            ItemEvent.LOSE, expired, by=None, values={"lease_until": None, "check_after": Reading()}
        )
        for ids in chunks([item.pk for item in items]):
            attempts = Attempt.objects.filter(item__in=ids, outcome=Attempt.Outcome.OPEN)
            attempts.update(outcome=Attempt.Outcome.LOST)
    tracing.lost(items)
    return len(items)
