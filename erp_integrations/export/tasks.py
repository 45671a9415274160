"""Celery tasks: wake-ups for the engine. Losing or doubling one changes latency, nothing else."""

from __future__ import annotations

from celery import shared_task

from erp_integrations.export import engine, lease_recovery


@shared_task
def drain(connection_id: int) -> None:
    """Export what is due on one connection."""
    engine.drain(connection_id)


@shared_task
def tick() -> None:
    """Find what was lost and wake up what is due."""
    lease_recovery.tick()
