"""Name lookup with a timeout set by the caller.

``getaddrinfo`` cannot be interrupted and has its own timeouts of up to minutes. So it runs in a
thread, and a late result is dropped. A dead resolver blocks at most one thread per name, and a
bounded number in total.
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
# As ``getaddrinfo`` returns it: family, type, protocol, name, and the argument of ``connect``.
Address = tuple[int, int, int, str, Any]


class _LookUps:
    """The lookups in progress in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[tuple[str, int], Future[Sequence[Address]]] = {}

    def of(self, host: str, port: int) -> Future[Sequence[Address]]:
        """Return the future of a lookup; callers with the same name share one."""
        with self.lock:
            running = self.running.get((host, port))
            if running is None:
                # Each running lookup occupies a thread.
                if len(self.running) >= MOST_AT_ONCE:
                    raise OSError("too many other names are being looked up")
                running = self.running[host, port] = Future()
                threading.Thread(
                    target=self._look_up, args=(host, port, running), daemon=True
                ).start()
        return running

    def _look_up(self, host: str, port: int, future: Future[Sequence[Address]]) -> None:
        try:
            addresses = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        # UnicodeError: for a label that is not valid in a name.
        except (OSError, UnicodeError) as error:
            self._forget(host, port)
            future.set_exception(error)
        else:
            self._forget(host, port)
            future.set_result(addresses)

    def _forget(self, host: str, port: int) -> None:
        with self.lock:
            del self.running[host, port]


_look_ups = _LookUps()


def _reset_after_fork() -> None:
    """Reset the state after a fork: a child process has none of its parent's threads."""
    global _look_ups  # noqa: PLW0603 - one for the process
    _look_ups = _LookUps()


os.register_at_fork(after_in_child=_reset_after_fork)


def resolve(host: str, port: int, *, seconds: float) -> Sequence[Address]:
    """Return the addresses of a host.

    :raises OSError: when it has none; ``TimeoutError`` when the lookup takes too long.
    """
    try:
        return _look_ups.of(host, port).result(timeout=max(seconds, 0.0))
    except UnicodeError as error:
        raise OSError("this is not a host name") from error
    except TimeoutError as error:
        raise TimeoutError("its name was not resolved in time") from error
