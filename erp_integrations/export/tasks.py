"""Celery tasks that wake up the engine. A lost or duplicate message only affects latency."""

from __future__ import annotations

from celery import shared_task

from erp_integrations.export import engine, lease_recovery


# Sent by name from connections/wakeups.py, which therefore does not import the engine.
@shared_task
def drain(connection_id: int) -> None:
    """Export the due items of one connection."""
    engine.drain(connection_id)


@shared_task
def tick() -> None:
    """Expire leases and wake up the connections that have work."""
    lease_recovery.tick()
