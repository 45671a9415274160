"""The id of the current request, for its headers, log lines and audit events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """Return the id of the current request, empty outside of one."""
    return _request_id.get()


@contextmanager
def acting_for(request_id: str) -> Iterator[None]:
    """Set the id for the block: of a request, or of one whose work is done later.

    An empty id keeps the current one.
    """
    if not request_id:
        yield
        return
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)
