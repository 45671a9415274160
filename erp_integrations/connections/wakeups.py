"""Waking a worker up. The row is the queue, so a lost message only costs time until the tick."""

from __future__ import annotations

from celery import current_app
from django.db import transaction

DRAIN = "erp_integrations.export.tasks.drain"


def wake(connection_id: int) -> None:
    """Have the connection drained once the caller's transaction has been committed.

    A broker that is away must not turn an accepted item into an error page.
    """
    # A lambda, for Django logs a failed hook by its __qualname__, which a partial does not have.
    transaction.on_commit(lambda: publish(connection_id), robust=True)


def publish(connection_id: int) -> None:
    """Send the message now. :raises kombu.exceptions.OperationalError: without a broker."""
    current_app.send_task(DRAIN, args=(connection_id,), retry=False)
