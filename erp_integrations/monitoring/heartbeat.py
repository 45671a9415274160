"""Workers saying that they are there, so that health pages know of every process.

By the wall clock, for people: nothing is decided by it.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from django.db.models import Value
from django.db.models.functions import Now

from erp_integrations.export.claim import worker_name
from erp_integrations.models import Worker

# Seconds after the last sign of life until a worker counts as gone, and is forgotten.
GONE_AFTER = 60.0
FORGOTTEN_AFTER = 86_400.0
# Between the statement that reads the clock and the one that reads the workers.
SLACK = timedelta(seconds=5)


def started() -> None:
    """This process begins; one that had its number before it is no longer meant."""
    host = socket.gethostname()[:80]
    Worker.objects.update_or_create(
        name=worker_name(),
        defaults={"host": host, "pid": os.getpid(), "started_at": Now(), "seen_at": Now()},
    )
    forgotten = Now() - Value(timedelta(seconds=FORGOTTEN_AFTER))
    Worker.objects.filter(seen_at__lt=forgotten).delete()


def alive() -> None:
    """This process is still there."""
    if not Worker.objects.filter(name=worker_name()).update(seen_at=Now()):
        started()


def ended() -> None:
    """This process goes in peace, and is missed by nobody."""
    Worker.objects.filter(name=worker_name()).delete()


def seen_lately(wall: datetime) -> list[Worker]:
    """Workers that are not gone, the longest-serving first.

    :param wall: what the database's clock shows. It may have been set back: who is still there
        says so again, and a date from the future tells nothing of the others.
    """
    span = timedelta(seconds=GONE_AFTER)
    seen = Worker.objects.filter(seen_at__range=(wall - span, wall + SLACK))
    return list(seen.order_by("started_at", "name"))
