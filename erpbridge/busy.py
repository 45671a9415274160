"""A database that has no time right now: what was asked for did not happen, and can be asked again.

SQLite lets one connection write at a time; PostgreSQL ends one of two that wait for each other, and
is away for a moment while it restarts.
"""

from __future__ import annotations

import sqlite3

from django.db import InterfaceError, OperationalError

# After so many seconds it is worth to ask again.
RETRY_AFTER = 5
TEXT = "The database is busy. Nothing was saved. Try again in a few seconds."
# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization failure, deadlock,
# lock not available, too many connections, restarting, shutting down.
POSTGRESQL = frozenset({"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"})
# The first byte of an extended code is the plain one.
SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def is_busy(error: BaseException | None) -> bool:
    """Whether an exception says that the database could not do it now, and may do it later."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE
    # Without a code the connection itself was refused or lost.
    code = getattr(cause, "pgcode", None)
    return code is None or code in POSTGRESQL
