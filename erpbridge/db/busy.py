"""Temporary database failures: what was requested did not happen and can be retried.

SQLite allows one writer at a time; PostgreSQL ends one of two transactions in a deadlock, and is
unavailable while it restarts. On both, the disk can be full.
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
    """A temporary failure: its reason, when to retry, and what the operator has to do."""

    heading: str
    reason: str
    when: str
    # Seconds until a retry makes sense, for Retry-After.
    retry_after: int
    to_do: str = ""

    @property
    def text(self) -> str:
        """The message for the person or program that made the request."""
        return f"{self.reason} Nothing was saved. Try again {self.when}."


BUSY = Trouble("Busy for a moment", "The database is busy.", "in a few seconds", 5)
DISK = Trouble(
    "No room on the disk",
    "The server's disk is full or cannot be written; tell the operator.",
    "once there is room",
    60,
    "Nothing can be stored until the disk of the database takes more: free room on it, or make it "
    "larger, and see that it is mounted for writing.",
)
SHORT = Trouble(
    "The database is out of resources",
    "The database has run out of memory or reached a limit; tell the operator.",
    "in a few minutes",
    60,
    "PostgreSQL has run out of a resource: see what its log names, and give it more memory, or "
    "raise that limit of its configuration.",
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization failure, deadlock,
# lock not available, too many connections, restarting, shutting down.
POSTGRESQL = frozenset({"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"})
# Of these, the ones caused by a conflicting transaction. This transaction was rolled back for
# certain, and an immediate retry can succeed.
CONFLICTS = frozenset({"40001", "40P01", "55P03"})
# Most attempts of a transaction.
TRIES = 5
# Seconds before the second attempt; doubled, with random jitter, before each further one.
FIRST_REST = 0.03
COUNTED = {"retried": "erpbridge.db.busy.retried", "given_up": "erpbridge.db.busy.given_up"}
# The low byte of an extended result code is the primary code.
SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
SQLITE_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY})
# For example, a quota is exceeded, or the index of the write-ahead log cannot grow.
SQLITE_WRITES = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
POSTGRESQL_DISK = "53100"
POSTGRESQL_SHORT = "53"
# For uploaded files, for example.
FILES_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def trouble_of(error: BaseException | None) -> Trouble | None:
    """Return the kind of temporary failure, or None for any other exception.

    Also logs what the operator has to do, if anything.
    """
    trouble = BUSY if is_busy(error) else _resource_trouble(error)
    # A busy database is over in a moment; only what an operator has to end is an error in the log.
    if trouble is not None and trouble.to_do:
        logger.error("%s (%s)", trouble.to_do, str(error).strip())
    return trouble


def _resource_trouble(error: BaseException | None) -> Trouble | None:
    # Before the database: an upload fails with an error of the file system.
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
    """Whether the exception means that the database is unavailable only for the moment."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE
    # Without a code, the connection itself was refused or lost.
    code = getattr(cause, "pgcode", None)
    return code is None or code in POSTGRESQL


def is_conflict(error: BaseException | None) -> bool:
    """Whether the database rolled a transaction back because of another one."""
    if not isinstance(error, OperationalError):
        return False
    return getattr(error.__cause__, "pgcode", None) in CONFLICTS


def in_transaction() -> bool:
    """Whether a transaction is open, apart from the one around a test."""
    blocks: list[Any] = connection.atomic_blocks
    return bool(blocks) and not blocks[-1]._from_testcase


def again(attempt: int, error: BaseException, label: str) -> bool:
    """Whether to retry what failed ``attempt`` times; waits before returning True."""
    if not is_conflict(error):
        return False
    kind = "retried" if attempt < TRIES else "given_up"
    code = getattr(error.__cause__, "pgcode", "")
    logger.warning("%s: try %s of %s ended in a conflict (%s)", label, attempt, TRIES, code)
    _count(kind)
    if kind == "given_up":
        return False
    time.sleep(FIRST_REST * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
    return True


def retried(do: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that is one transaction: it is retried after a conflict.

    Inside a transaction of the caller it runs once, since the whole transaction has to be retried.
    It must reset its in-memory state from the database in each attempt.
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
    """Count for a day; counts are informational, so errors are ignored."""
    with suppress(Exception):
        cache.add(COUNTED[kind], 0, 86_400)
        cache.incr(COUNTED[kind])


def counted() -> dict[str, int]:
    """Return how many transactions were retried and given up in about the last day."""
    with suppress(Exception):
        return {kind: int(cache.get(name) or 0) for kind, name in COUNTED.items()}
    return {}
