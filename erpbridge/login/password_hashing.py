"""Password hashing that never occupies all threads of a web process.

Hashing is slow on purpose. Only a few threads may hash or wait for it; further requests are
rejected at once and asked to try again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from erpbridge.ui.resent_form import carried

# Per web process: passwords hashed at the same time, threads waiting, and seconds to wait.
AT_ONCE = 1
WAITING = 2
PATIENCE = 5.0
RETRY_AFTER = 3


class NoTurn(Exception):
    """Too many passwords are being hashed in this process."""


class Turns:
    """A semaphore for ``at_once`` threads with a queue of at most ``waiting`` more.

    ``patience`` is the longest wait in seconds.
    """

    def __init__(self, at_once: int, waiting: int, patience: float) -> None:
        # Running and waiting threads together.
        self._inside = threading.BoundedSemaphore(at_once + waiting)
        self._running = threading.BoundedSemaphore(at_once)
        self._patience = patience

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the places.

        :raises NoTurn: when the queue is full, or no place became free in time.
        """
        # Refused at once: a thread that waits is one less for every other page.
        if not self._inside.acquire(blocking=False):
            raise NoTurn
        try:
            if not self._running.acquire(timeout=self._patience):
                raise NoTurn
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._inside.release()


turns = Turns(AT_ONCE, WAITING, PATIENCE)


class TakingTurns(PBKDF2PasswordHasher):
    """Django's hasher with limited concurrency; used for checking and for storing passwords."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Hash a password.

        :raises NoTurn: when too many others are being hashed.
        """
        with turns.turn():
            return super().encode(password, salt, iterations)


class NoTurnMiddleware:
    """Returns a page that says that nothing was checked, and when to try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return 503 for :class:`NoTurn`."""
        if not isinstance(error, NoTurn):
            return None
        typed = carried(request)
        page = _page(typed) if typed else _bare_page()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})


@cache
def _bare_page() -> str:
    """Render the page only once: it is shown when the process is busy."""
    return _page(())


def _page(typed: tuple[tuple[str, str], ...]) -> str:
    return render_to_string("access/no_turn.html", {"carried": typed})
