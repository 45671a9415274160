"""The Celery application; its tasks only wake up the export engine and background jobs."""

import gc
import logging.config
import os
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_before_create_process,
    worker_init,
    worker_ready,
    worker_shutting_down,
)
from django.conf import settings

from erpbridge.processes import ticker
from erpbridge.processes.private_files import UMASK

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpbridge.settings")
# Celery would run Django's checks in every worker and drop what they find. They load all pages and
# the REST API, 30 MB, of which a worker needs nothing.
os.environ.setdefault("CELERY_SKIP_CHECKS", "yes")


def keep_our_logging(**_signal: object) -> None:
    """Receiver of ``setup_logging``: use the logging of the settings in every process."""
    logging.config.dictConfig(settings.LOGGING)


def write_for_ourselves(**_signal: object) -> None:
    """Receiver of ``worker_init``: files that a worker writes are private to its user."""
    os.umask(UMASK)


def share_memory(**_signal: object) -> None:
    """Receiver of ``worker_before_create_process``: what is loaded stays shared with the child.

    A collection writes to every object that it visits, and so copies its memory page.
    """
    gc.collect()
    gc.freeze()


def drop_dead_connections(**_signal: object) -> None:
    """Receiver of the signals around a task: drop connections that the database closed.

    Celery should do this itself, but was seen not to: every later task failed.
    """
    from django.db import close_old_connections

    close_old_connections()


class WakeUps(Celery):
    """Celery's application; in a process with an embedded worker, messages go straight to it."""

    # The embedded worker of this process takes the name and the arguments of a task.
    hand_over: Callable[[str, tuple[Any, ...], int], None] | None = None

    def send_task(  # type: ignore[override]  # takes what our wake-ups give
        self, name: str, args: tuple[Any, ...] | None = None, *more: Any, **options: Any
    ) -> Any:
        """Send a message, to the embedded worker or over the broker."""
        if self.hand_over is not None:
            return self.hand_over(name, args or (), options.get("priority", 0))
        return super().send_task(name, args, *more, **options)


app = WakeUps("erpbridge")
# Otherwise threads other than the importing one would publish to Celery's default application.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["erp_integrations.export", "erpbridge.jobs"])
# Otherwise Celery would replace the log handlers of the settings.
setup_logging.connect(keep_our_logging)
worker_init.connect(write_for_ourselves)
worker_before_create_process.connect(share_memory)
task_prerun.connect(drop_dead_connections)
task_postrun.connect(drop_dead_connections)
worker_ready.connect(ticker.start_with_worker)
worker_shutting_down.connect(ticker.stop_with_worker)
