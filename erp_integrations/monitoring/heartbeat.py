"""Heartbeat rows of the worker processes, for the health page.

They use the wall clock, because only people read them and nothing is decided by them.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from django.db.models import Value
from django.db.models.functions import Now

from erp_integrations.export.claim import worker_name
from erp_integrations.models import Worker

# Seconds after its last heartbeat until a worker counts as stopped, and until its row is deleted.
GONE_AFTER = 60.0
FORGOTTEN_AFTER = 86_400.0
# Time between reading the clock and reading the workers, in which a heartbeat may come.
SLACK = timedelta(seconds=5)


def started() -> None:
    """Write the heartbeat row of a worker that starts, and delete rows of long stopped workers.

    A row of an earlier process with the same host and pid is reused.
    """
    host = socket.gethostname()[:80]
    Worker.objects.update_or_create(
        name=worker_name(),
        defaults={"host": host, "pid": os.getpid(), "started_at": Now(), "seen_at": Now()},
    )
    forgotten = Now() - Value(timedelta(seconds=FORGOTTEN_AFTER))
    Worker.objects.filter(seen_at__lt=forgotten).delete()


def alive() -> None:
    """Update this worker's heartbeat."""
    if not Worker.objects.filter(name=worker_name()).update(seen_at=Now()):
        started()


def ended() -> None:
    """Delete this worker's heartbeat row on clean shutdown."""
    Worker.objects.filter(name=worker_name()).delete()


def seen_lately(wall: datetime) -> list[Worker]:
    """Running workers, the longest-running first.

    :param wall: the database's time. If the clock was set back, heartbeats from before are in the
        future and are ignored; running workers soon write a new one.
    """
    span = timedelta(seconds=GONE_AFTER)
    workers = Worker.objects.filter(seen_at__range=(wall - span, wall + SLACK))
    return list(workers.order_by("started_at", "name"))
