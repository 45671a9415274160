"""A database that cannot do it now: what was asked for did not happen, and can be asked again.

SQLite lets one connection write at a time; PostgreSQL ends one of two that wait for each other, and
is away for a moment while it restarts. Either may have no room left, until somebody makes some.
"""

from __future__ import annotations

import errno
import logging
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.core.cache import cache
from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trouble:
    """Why the database did not do it. ``when`` it may, and what the operator has to do for that."""

    heading: str
    reason: str
    when: str
    # After so many seconds it is worth to ask again.
    retry_after: int
    to_do: str = ""

    @property
    def text(self) -> str:
        """For whoever asked for it."""
        return f"{self.reason} Nothing was saved. Try again {self.when}."


BUSY = Trouble("Busy for a Moment", "The database is busy.", "in a few seconds", 5)
DISK = Trouble(
    "No Room on the Disk",
    "The server's disk is full or cannot be written; tell whoever runs the server.",
    "once there is room",
    60,
    "Nothing can be stored until the disk of the database takes more: free room on it, or make it "
    "larger, and see that it is mounted for writing.",
)
SHORT = Trouble(
    "The Database Has Run Short",
    "The database has run out of memory or reached a limit; tell whoever runs the server.",
    "in a few minutes",
    60,
    "PostgreSQL has run out of a resource: see what its log names, and give it more memory, or "
    "raise that limit of its configuration.",
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization failure, deadlock,
# lock not available, too many connections, restarting, shutting down.
POSTGRESQL = frozenset({"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"})
# Of these: another transaction stood in the way, and this one is taken back for certain. Done again
# at once, it can succeed.
CONFLICTS = frozenset({"40001", "40P01", "55P03"})
# How often a transaction is done in all before it is given up.
TRIES = 5
# Seconds before the second try; twice as long, and by chance, before each further one.
FIRST_REST = 0.03
COUNTED = {"retried": "erpbridge.db.busy.retried", "given_up": "erpbridge.db.busy.given_up"}
# The first byte of an extended code is the plain one.
SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
SQLITE_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY})
# Where a quota is used up, and where the file of a write-ahead log's index cannot grow.
SQLITE_WRITES = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
POSTGRESQL_DISK = "53100"
POSTGRESQL_SHORT = "53"
# Of a file that was sent, for example.
FILES_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def trouble_of(error: BaseException | None) -> Trouble | None:
    """What kept it from being done, also written into the log where an operator has to mend it;
    None for anything else.
    """
    found = BUSY if is_busy(error) else _lacks(error)
    if found is not None and found.to_do:
        logger.error("%s (%s)", found.to_do, str(error).strip())
    return found


def _lacks(error: BaseException | None) -> Trouble | None:
    if isinstance(error, OSError):
        return DISK if error.errno in FILES_DISK else None
    if not isinstance(error, OperationalError):
        return None
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0)
        return DISK if code & 0xFF in SQLITE_DISK or code in SQLITE_WRITES else None
    code = getattr(cause, "pgcode", None) or ""
    if code == POSTGRESQL_DISK:
        return DISK
    return SHORT if code.startswith(POSTGRESQL_SHORT) else None


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


def is_conflict(error: BaseException | None) -> bool:
    """Whether the database took a transaction back for another's sake."""
    if not isinstance(error, OperationalError):
        return False
    return getattr(error.__cause__, "pgcode", None) in CONFLICTS


def in_transaction() -> bool:
    """Whether a transaction has been opened; that of a test around everything does not count."""
    blocks: list[Any] = connection.atomic_blocks
    return bool(blocks) and not blocks[-1]._from_testcase


def again(attempt: int, error: BaseException, what: str) -> bool:
    """Whether to do once more what has failed ``attempt`` times; waits a moment before that."""
    if not is_conflict(error):
        return False
    kind = "retried" if attempt < TRIES else "given_up"
    code = getattr(error.__cause__, "pgcode", "")
    logger.warning("%s: try %s of %s ended in a conflict (%s)", what, attempt, TRIES, code)
    _count(kind)
    if kind == "given_up":
        return False
    time.sleep(FIRST_REST * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
    return True


def retried(do: Callable[P, T]) -> Callable[P, T]:
    """``do`` is one transaction, and is done again where it was taken back for another's sake.

    Inside a transaction of the caller it is done once: that one is to be done again as a whole.
    What it changes in memory it has to set anew from the database in each try.
    """

    @wraps(do)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        attempt = 1
        while True:
            try:
                return do(*args, **kwargs)
            except OperationalError as error:
                if in_transaction() or not again(attempt, error, do.__qualname__):
                    raise
                attempt += 1

    return wrapped


def _count(kind: str) -> None:
    """Kept for a day; a lost count loses nothing else."""
    with suppress(Exception):
        cache.add(COUNTED[kind], 0, 86_400)
        cache.incr(COUNTED[kind])


def counted() -> dict[str, int]:
    """How many transactions were done again, and given up, in the last day or so."""
    with suppress(Exception):
        return {kind: int(cache.get(name) or 0) for kind, name in COUNTED.items()}
    return {}
