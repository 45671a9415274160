"""Waking a worker up for a job. The row is the queue; a lost message costs time until the tick."""

from __future__ import annotations

from celery import current_app
from django.db import transaction

WORK = "erpbridge.jobs.tasks.work"
# A beat of the ticker wakes somebody up for so many; the next one for the others.
MOST_WOKEN = 50


def wake(job_id: int) -> None:
    """Have the job worked on once the caller's transaction has been committed."""
    # A lambda, for Django logs a failed hook by its __qualname__, which a partial does not have.
    transaction.on_commit(lambda: publish(job_id), robust=True)


def publish(job_id: int) -> None:
    """Send the message now. :raises kombu.exceptions.OperationalError: without a broker."""
    current_app.send_task(WORK, args=(job_id,), retry=False)


def wake_due() -> None:
    """Wake somebody up for every job that waits, or whose worker has gone."""
    from erpbridge.jobs.models import Job

    for job_id in Job.objects.due().order_by("pk").values_list("pk", flat=True)[:MOST_WOKEN]:
        publish(job_id)
