"""Wake up a worker. The items are queued in the database: a lost message only costs time."""

from __future__ import annotations

from celery import current_app
from django.db import transaction

from erpbridge.jobs.wakeups import FIRST

DRAIN = "erp_integrations.export.tasks.drain"


def wake(connection_id: int) -> None:
    """Wake up a worker for the connection when the caller's transaction commits.

    ``robust``: an unreachable broker must not turn an accepted item into an error page.
    """
    # A lambda, because Django logs a failed hook by its __qualname__, which a partial has not.
    transaction.on_commit(lambda: publish(connection_id), robust=True)


def publish(connection_id: int, *, priority: int = FIRST) -> None:
    """Send the message now.

    :raises kombu.exceptions.OperationalError: if the broker cannot be reached.
    """
    current_app.send_task(DRAIN, args=(connection_id,), retry=False, priority=priority)
