"""The Celery task, which is only a wake-up: a lost or duplicated message changes latency only."""

from __future__ import annotations

from celery import shared_task

from erpbridge.jobs import run as working


@shared_task
def work(job_id: int) -> None:
    """Work on a job for one turn."""
    working.work(job_id)
