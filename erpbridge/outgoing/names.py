"""Addresses of a host's name, within a time that the caller sets.

``getaddrinfo`` has limits of its own, which may be minutes, and cannot be interrupted: it runs in
a thread, and an answer that comes late is dropped. A resolver that is dead holds no more than a
bounded number of threads, and one for each name.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from urllib3.util.connection import allowed_gai_family

MOST_AT_ONCE = 32
# As ``getaddrinfo`` gives it: family, type, protocol, name, and what ``connect`` takes.
Address = tuple[int, int, int, str, Any]


class _LookUps:
    """The names that are being looked up in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[tuple[str, int], Future[Sequence[Address]]] = {}

    def of(self, host: str, port: int) -> Future[Sequence[Address]]:
        """The answer to come. Who asks for a name that is being looked up waits with the others."""
        with self.lock:
            running = self.running.get((host, port))
            if running is None:
                if len(self.running) >= MOST_AT_ONCE:
                    raise OSError("too many other names are being looked up")
                running = self.running[host, port] = Future()
                threading.Thread(
                    target=self._look_up, args=(host, port, running), daemon=True
                ).start()
        return running

    def _look_up(self, host: str, port: int, answer: Future[Sequence[Address]]) -> None:
        try:
            found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        # UnicodeError: for a label that no name can have.
        except (OSError, UnicodeError) as error:
            self._forget(host, port)
            answer.set_exception(error)
        else:
            self._forget(host, port)
            answer.set_result(found)

    def _forget(self, host: str, port: int) -> None:
        with self.lock:
            del self.running[host, port]


_look_ups = _LookUps()


def _begin_anew() -> None:
    """A child process has none of its parent's threads."""
    global _look_ups  # noqa: PLW0603 - one for the process
    _look_ups = _LookUps()


os.register_at_fork(after_in_child=_begin_anew)


def resolve(host: str, port: int, *, seconds: float) -> Sequence[Address]:
    """Where a host can be reached.

    :raises OSError: where it has no address; ``TimeoutError`` where the answer takes longer.
    """
    try:
        return _look_ups.of(host, port).result(timeout=max(seconds, 0.0))
    except UnicodeError as error:
        raise OSError("this is no name of a host") from error
    except TimeoutError as error:
        raise TimeoutError("its name was not resolved in time") from error
