"""Hashing passwords without ever taking all threads of a web process.

A hash takes long on purpose. Of the threads that answer requests only a few may hash, or wait for
their turn; whoever comes beyond is told at once to try again in a moment.
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

AT_ONCE = 1
WAITING = 2
PATIENCE = 5.0
RETRY_AFTER = 3


class NoTurn(Exception):
    """Too many passwords are being hashed in this process right now."""


class Turns:
    """``at_once`` may go on, ``waiting`` more may wait, and not for ever."""

    def __init__(self, at_once: int, waiting: int, patience: float) -> None:
        self._inside = threading.BoundedSemaphore(at_once + waiting)
        self._going_on = threading.BoundedSemaphore(at_once)
        self._patience = patience

    @contextmanager
    def turn(self) -> Iterator[None]:
        """:raises NoTurn: where too many are here, or none of them came to an end in time."""
        if not self._inside.acquire(blocking=False):
            raise NoTurn
        try:
            if not self._going_on.acquire(timeout=self._patience):
                raise NoTurn
            try:
                yield
            finally:
                self._going_on.release()
        finally:
            self._inside.release()


turns = Turns(AT_ONCE, WAITING, PATIENCE)


class TakingTurns(PBKDF2PasswordHasher):
    """Django's own, stored as its own; both checking and storing a password end up here."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """:raises NoTurn: while too many others are at it."""
        with turns.turn():
            return super().encode(password, salt, iterations)


class NoTurnMiddleware:
    """Says that nothing was looked at, and when to come again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Whatever else the request is for."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """503 in place of an error page."""
        if not isinstance(error, NoTurn):
            return None
        typed = carried(request)
        page = _page(typed) if typed else _bare_page()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})


@cache
def _bare_page() -> str:
    """Made once: it has to cost nothing while it is asked for."""
    return _page(())


def _page(typed: tuple[tuple[str, str], ...]) -> str:
    return render_to_string("access/no_turn.html", {"carried": typed})
