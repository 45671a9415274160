"""One-process mode: a Celery worker thread and a ticker thread in the web server's process.

The broker is ``memory://``, so only the worker thread of the same process sees the wake-ups of a
request. The rows of the export queue are authoritative; a lost wake-up delays work by at most one
tick.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from celery.worker import WorkController
from celery.worker import state as worker_state
from django.conf import settings
from django.db import connections

from erpbridge.celery import app
from erpbridge.processes.ticker import Ticker

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
SELF_TEST_SECONDS = 15.0
STOP_SECONDS = 5.0

_heard = threading.Event()


@app.task(name="erpbridge.processes.embedded.self_test")
def self_test() -> None:
    """Prove that the worker thread runs tasks; otherwise a misconfiguration would go unnoticed."""
    _heard.set()


class EmbeddedWorker:
    """Starts and stops the two threads."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, name="celery-worker", daemon=True)
        self._ticker = Ticker(TICK_SECONDS)

    def start(self) -> None:
        """Start both threads and wait until a task has run.

        :raises RuntimeError: when the worker runs no task in time.
        """
        _heard.clear()
        worker_state.should_stop = None
        self._worker.start()
        self._ticker.start()
        self_test.delay()
        if not _heard.wait(SELF_TEST_SECONDS):
            self.stop()
            raise RuntimeError("The embedded Celery worker does not run tasks.")

    def stop(self) -> None:
        """End both threads, after waiting a few seconds for the current task."""
        self._stopping.set()
        worker_state.should_stop = os.EX_OK  # type: ignore[assignment]  # typed by its start value
        # The worker polls for up to two seconds, and once more while it stops; each task ends one
        # poll.
        for _ in range(2):
            self_test.delay()
        self._worker.join(STOP_SECONDS)
        self._ticker.stop(wait=STOP_SECONDS)
        worker_state.should_stop = None

    def _work(self) -> None:
        # In a thread, a worker receives tasks but never runs them unless the application is
        # finalized and made current and default in that thread.
        app.finalize()
        app.set_current()
        app.set_default()
        try:
            WorkController(
                app=app,
                pool_cls="solo",
                concurrency=1,
                loglevel=logging.WARNING,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            ).start()
        finally:
            connections.close_all()
            if not self._stopping.is_set():
                logger.critical("The embedded Celery worker ended; the web process restarts.")
                # Gunicorn then starts a new process, with a new worker thread.
                os.kill(os.getpid(), signal.SIGTERM)


def start() -> EmbeddedWorker:
    """Start an embedded worker, with the libraries' log level at WARNING."""
    for name in ("celery", "kombu"):
        logging.getLogger(name).setLevel(logging.WARNING)
    worker = EmbeddedWorker()
    worker.start()
    return worker


def post_worker_init(server_process: Any) -> None:
    """Gunicorn hook: start the worker in the process that serves requests."""
    if not settings.REDIS_URL:
        server_process.embedded_worker = start()


def worker_exit(_arbiter: object, server_process: object) -> None:
    """Gunicorn hook: stop the worker before the serving process ends."""
    embedded_worker = getattr(server_process, "embedded_worker", None)
    if embedded_worker is not None:
        embedded_worker.stop()
