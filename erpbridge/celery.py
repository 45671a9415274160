"""The Celery application; its tasks only wake the export engine and jobs up."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_ready,
    worker_shutting_down,
)
from django.conf import settings

from erpbridge.processes import ticker
from erpbridge.processes.private_files import UMASK

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpbridge.settings")


def keep_our_logging(**_signal: Any) -> None:
    """Celery's signal ``setup_logging``: log as the settings say, in every process of ours."""
    logging.config.dictConfig(settings.LOGGING)


def write_for_ourselves(**_signal: Any) -> None:
    """Celery's signal ``worker_init``: what a worker writes is for its own user."""
    os.umask(UMASK)


def drop_dead_connections(**_signal: Any) -> None:
    """Celery's signals around a task: a connection that the database has ended is not used again.

    Celery is meant to do so by itself, and was seen not to: every later task failed.
    """
    from django.db import close_old_connections

    close_old_connections()


app = Celery("erpbridge")
# Without it, threads other than the importing one would publish to a default of Celery's own.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["erp_integrations.export", "erpbridge.jobs"])
# Celery would otherwise put handlers of its own in place of those of the settings.
setup_logging.connect(keep_our_logging)
worker_init.connect(write_for_ourselves)
task_prerun.connect(drop_dead_connections)
task_postrun.connect(drop_dead_connections)
worker_ready.connect(ticker.start_with_worker)
worker_shutting_down.connect(ticker.stop_with_worker)
