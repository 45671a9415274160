"""The Celery task: a wake-up. Losing or doubling one changes latency, nothing else."""

from __future__ import annotations

from celery import shared_task

from erpbridge.jobs import run as working


@shared_task
def work(job_id: int) -> None:
    """Go on with a job for one turn."""
    working.work(job_id)
