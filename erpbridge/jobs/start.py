"""Starting a job; of two people who start the same, the second is shown the first one's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from erpbridge.access.policy import Access
from erpbridge.jobs.kinds import kind_of
from erpbridge.jobs.models import Job
from erpbridge.jobs.wakeups import wake


def start(
    kind: str,
    *,
    access: Access,
    subject: str,
    title: str,
    back: str,
    args: Mapping[str, Any] | None = None,
    total: int = 0,
) -> tuple[Job, bool]:
    """Queue a job in the scope of ``access``; its worker is woken up on commit.

    :param subject: what is worked on; while a job of the kind works on it there is no second.
    :param back: the address that the job's page leads back to.
    :returns: the job, and whether it is new.
    """
    live = Job.objects.live().filter(
        account=access.account, kind=kind_of(kind).name, subject=subject
    )
    # The first look misses a job that commits at this moment; the constraint then says so.
    for _ in range(2):
        found = live.first()
        if found is not None:
            return found, False
        try:
            with transaction.atomic():
                made = Job.objects.create(
                    account=access.account,
                    project=access.project,
                    kind=kind,
                    subject=subject,
                    title=title[:200],
                    back=back,
                    args=dict(args or {}),
                    total=total,
                    by=access.user,
                )
        except IntegrityError:
            continue
        wake(made.pk)
        return made, True
    return live.get(), False
