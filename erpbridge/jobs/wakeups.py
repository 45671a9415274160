"""Wake up a worker for a job. The row is the queue; a lost message only delays it to the tick."""

from __future__ import annotations

from celery import current_app
from django.db import transaction

WORK = "erpbridge.jobs.tasks.work"
# Of Celery's messages with priorities, Redis gives out the lowest number first. What a click has
# started goes before the next turn of long work, of which each connection and job may have one.
FIRST, LATER = 0, 6
# Messages per tick; the next tick sends more.
MOST_WOKEN = 50


def wake(job_id: int) -> None:
    """Wake up a worker once the caller's transaction has been committed."""
    # A lambda, because Django logs a failed hook by its __qualname__, which a partial does not
    # have.
    transaction.on_commit(lambda: publish(job_id), robust=True)


def publish(job_id: int, *, priority: int = FIRST) -> None:
    """Send the message now.

    :raises kombu.exceptions.OperationalError: without a broker.
    """
    # By name: the module of the task imports ``run``, which imports this one.
    current_app.send_task(WORK, args=(job_id,), retry=False, priority=priority)


def wake_due() -> None:
    """Wake up a worker for every job that is due."""
    from erpbridge.jobs.models import Job

    for job_id in Job.objects.due().order_by("pk").values_list("pk", flat=True)[:MOST_WOKEN]:
        publish(job_id, priority=LATER)
