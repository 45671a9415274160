"""Workers saying that they are there, so that health pages know of every process."""

from __future__ import annotations

import os
import socket
from datetime import datetime

from django.db.models.functions import Now

from erp_integrations.claiming import worker_name
from erp_integrations.clock import after
from erp_integrations.models import Worker

# Seconds after the last sign of life until a worker counts as gone, and is forgotten.
GONE_AFTER = 60.0
FORGOTTEN_AFTER = 86_400.0


def started() -> None:
    """This process begins; one that had its number before it is no longer meant."""
    host = socket.gethostname()[:80]
    Worker.objects.update_or_create(
        name=worker_name(),
        defaults={"host": host, "pid": os.getpid(), "started_at": Now(), "seen_at": Now()},
    )
    Worker.objects.filter(seen_at__lt=after(-FORGOTTEN_AFTER)).delete()


def alive() -> None:
    """This process is still there."""
    if not Worker.objects.filter(name=worker_name()).update(seen_at=Now()):
        started()


def ended() -> None:
    """This process goes in peace, and is missed by nobody."""
    Worker.objects.filter(name=worker_name()).delete()


def seen_since(moment: datetime) -> list[Worker]:
    """Workers heard of since then, the longest-serving first."""
    return list(Worker.objects.filter(seen_at__gte=moment).order_by("started_at", "name"))
