"""Commits that must survive a power failure, because something outside depends on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def durable() -> Iterator[None]:
    """Make commits inside the block survive a power failure; for the outermost transaction.

    PostgreSQL always does so. SQLite with a write-ahead log may lose its last commits when the
    machine stops, unless the connection is set to synchronous=FULL.
    """
    # SQLite refuses to change the setting inside a transaction.
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    _synchronous("FULL")
    try:
        yield
    finally:
        # The setting of erpbridge.env.sqlite().
        _synchronous("NORMAL")


def _synchronous(mode: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA synchronous = {mode}")
