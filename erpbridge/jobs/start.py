"""Start a job; a second start of the same work returns the first job."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import IntegrityError, transaction

from erpbridge.access.policy import Access
from erpbridge.jobs.kinds import kind_of
from erpbridge.jobs.models import Job
from erpbridge.jobs.wakeups import wake
from erpbridge.json_values import Json


def start(
    kind: str,
    *,
    access: Access,
    subject: str,
    title: str,
    back: str,
    args: Mapping[str, Json] | None = None,
    total: int = 0,
) -> tuple[Job, bool]:
    """Queue a job in the scope of ``access``; a worker is woken up on commit.

    :param subject: what is worked on; only one live job per kind and subject exists.
    :param back: the path that the job's page links back to.
    :returns: the job, and whether it is new.
    """
    live = Job.objects.live().filter(
        account=access.account, kind=kind_of(kind).name, subject=subject
    )
    # Tried twice: the first query misses a job that is being committed, and then the constraint
    # fails.
    for _ in range(2):
        existing = live.first()
        if existing is not None:
            return existing, False
        try:
            with transaction.atomic():
                job = Job.objects.create(
                    account=access.account,
                    project=access.project,
                    kind=kind,
                    subject=subject,
                    # The column's limit.
                    title=title[:200],
                    back=back,
                    args=dict(args or {}),
                    total=total,
                    by=access.user,
                )
        except IntegrityError:
            continue
        wake(job.pk)
        return job, True
    return live.get(), False
