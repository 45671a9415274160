"""Which jobs are shown to whom, and which ones a worker is to take; reads only."""

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
        """Jobs of the scope, of the kinds whose rule is open to the person there."""
        open_kinds = [one.name for one in kinds() if access.can(one.action)]
        return self.filter(account=access.account, project=access.project, kind__in=open_kinds)

    def live(self) -> JobQuerySet:
        """Those that wait or are being worked on."""
        return self.filter(state__in=["queued", "running"])

    def due(self) -> JobQuerySet:
        """Those that wait for a worker, or whose worker has gone."""
        return self.filter(Q(state="queued") | Q(state="running", lease_until__lte=Reading()))
