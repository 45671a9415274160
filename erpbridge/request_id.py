"""The id of the request being answered: in its headers, log lines and audit events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """The id of the request being answered, empty outside one."""
    return _request_id.get()


@contextmanager
def acting_for(request_id: str) -> Iterator[None]:
    """Answer a request, or do later what it asked for: lines and events carry its id.

    An empty id leaves the present one in place.
    """
    if not request_id:
        yield
        return
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)
