"""Queries of jobs: which a person may see, and which a worker should take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from erpbridge.access.policy import Access
from erpbridge.clock.measured import Reading
from erpbridge.jobs.kinds import kinds

if TYPE_CHECKING:
    from erpbridge.jobs.models import Job  # noqa: F401 - named as text below


class JobQuerySet(models.QuerySet["Job"]):
    """Background jobs."""

    def visible_to(self, access: Access) -> JobQuerySet:
        """Return the jobs of the scope whose kinds the person may see there."""
        # A job has no rule of its own: whoever may do its kind of work may see it.
        open_kinds = [kind.name for kind in kinds() if access.can(kind.action)]
        return self.filter(account=access.account, project=access.project, kind__in=open_kinds)

    def live(self) -> JobQuerySet:
        """Return the queued and running jobs."""
        return self.filter(state__in=["queued", "running"])

    def due(self) -> JobQuerySet:
        """Return the jobs that wait for a worker, or whose worker's lease has expired."""
        return self.filter(Q(state="queued") | Q(state="running", lease_until__lte=Reading()))
