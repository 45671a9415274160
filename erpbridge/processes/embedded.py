"""One-process mode: a worker thread and a ticker thread in the web server's process.

The worker runs Celery's tasks, but needs no broker: a request puts its wake-up into the worker's
inbox, and the thread wakes at once. The rows of the export queue are authoritative; a wake-up from
another process, which this inbox does not get, is made up for by the next tick.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections

from erpbridge.celery import app
from erpbridge.processes.ticker import Ticker

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
SELF_TEST_SECONDS = 15.0
STOP_SECONDS = 5.0
# Name and arguments of a task.
Message = tuple[str, tuple[Any, ...]]

_heard = threading.Event()


@app.task(name="erpbridge.processes.embedded.self_test")
def self_test() -> None:
    """Prove that the worker thread runs tasks; otherwise a misconfiguration would go unnoticed."""
    _heard.set()


class Inbox:
    """Messages by priority, the lowest number first, then in the order of their arrival.

    One that waits already is not added again.
    """

    def __init__(self) -> None:
        # Message -> its priority.
        self._messages: dict[Message, int] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, name: str, args: tuple[Any, ...], priority: int = 0) -> None:
        """Add a message and wake up who waits for one."""
        with self._changed:
            waiting = self._messages.get((name, args), priority)
            self._messages[name, args] = min(waiting, priority)
            self._changed.notify()

    def take(self) -> Message | None:
        """Wait for the next message and remove it; None once the inbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._messages)
            if self._closed:
                return None
            message = min(self._messages, key=self._messages.__getitem__)
            del self._messages[message]
            return message

    def close(self) -> None:
        """End the waiting; messages that were not taken are left to the next start's tick."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class EmbeddedWorker:
    """Starts and stops the two threads."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._inbox = Inbox()
        self._worker = threading.Thread(target=self._work, name="worker", daemon=True)
        self._ticker = Ticker(TICK_SECONDS)

    def start(self) -> None:
        """Start both threads and wait until a task has run.

        :raises RuntimeError: when the worker runs no task in time.
        """
        _heard.clear()
        app.loader.import_default_modules()
        app.hand_over = self._inbox.put
        self._worker.start()
        self._ticker.start()
        app.send_task(self_test.name)
        if not _heard.wait(SELF_TEST_SECONDS):
            self.stop()
            raise RuntimeError("The embedded worker does not run tasks.")

    def stop(self) -> None:
        """End both threads, after waiting a few seconds for the current task."""
        self._stopping.set()
        app.hand_over = None
        self._inbox.close()
        self._worker.join(STOP_SECONDS)
        self._ticker.stop(wait=STOP_SECONDS)

    def _work(self) -> None:
        try:
            while message := self._inbox.take():
                _run(*message)
        finally:
            connections.close_all()
            if not self._stopping.is_set():
                logger.critical("The embedded worker ended; the web process restarts.")
                # Gunicorn then starts a new process, with a new worker thread.
                os.kill(os.getpid(), signal.SIGTERM)


def _run(name: str, args: tuple[Any, ...]) -> None:
    """Run a task; an exception is logged, because the rows say what is still to be done."""
    close_old_connections()
    try:
        app.tasks[name](*args)
    except Exception:
        logger.exception("The task %s%r failed; the next tick tries again.", name, args)
    finally:
        close_old_connections()


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
