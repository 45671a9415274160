"""Commits that have to outlive a power cut, because something outside follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def durable() -> Iterator[None]:
    """What is committed within is on the disk when it ends; around the outermost transaction.

    PostgreSQL does so always. SQLite with a write-ahead log may lose its last commits when the
    machine stops, but for this connection while it is told otherwise.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    _synchronous("FULL")
    try:
        yield
    finally:
        _synchronous("NORMAL")


def _synchronous(how: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA synchronous = {how}")
