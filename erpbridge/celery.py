"""The Celery application; its tasks only wake the export engine and jobs up."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutting_down
from django.conf import settings

from erpbridge import ticker
from erpbridge.private_files import UMASK

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpbridge.settings")


def keep_our_logging(**_signal: Any) -> None:
    """Celery's signal ``setup_logging``: log as the settings say, in every process of ours."""
    logging.config.dictConfig(settings.LOGGING)


def write_for_ourselves(**_signal: Any) -> None:
    """Celery's signal ``worker_init``: what a worker writes is for its own user."""
    os.umask(UMASK)


app = Celery("erpbridge")
# Without it, threads other than the importing one would publish to a default of Celery's own.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["erp_integrations", "erpbridge.jobs"])
# Celery would otherwise put handlers of its own in place of those of the settings.
setup_logging.connect(keep_our_logging)
worker_init.connect(write_for_ourselves)
worker_ready.connect(ticker.start_with_worker)
worker_shutting_down.connect(ticker.stop_with_worker)
