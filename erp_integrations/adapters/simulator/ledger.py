"""The ledger, the simulator's "ERP server": vendors and cost codes in an SQLite file.

Like a real ERP it validates every message itself. Unique constraints of the database keep vendor
IDs and codes unique. Several processes may use one file at the same time.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from erp_integrations.adapters.simulator import entries
from erp_integrations.adapters.simulator.entries import Record
from erp_integrations.adapters.simulator.tables import (
    COST_CODE,
    LISTS,
    TABLES,
    VENDOR,
    Refused,
    Table,
    row_number,
)

# How long a call waits while another process writes to the file.
BUSY_SECONDS = 5.0
SCHEMA_VERSION = 4
STATEMENTS = (
    *(
        f"""CREATE TABLE IF NOT EXISTS {table.name} (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        version INTEGER NOT NULL DEFAULT 1,
        {", ".join(f"{column} TEXT NOT NULL DEFAULT ''" for column in table.limits)},
        UNIQUE ({table.key} COLLATE NOCASE))"""
        for table in TABLES.values()
    ),
    """CREATE TABLE IF NOT EXISTS applied (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        intent TEXT NOT NULL UNIQUE,
        entity TEXT NOT NULL,
        record INTEGER NOT NULL,
        key TEXT NOT NULL,
        message TEXT NOT NULL,
        at REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS fault (
        kind TEXT NOT NULL, times INTEGER NOT NULL, match TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        entity TEXT NOT NULL,
        record INTEGER NOT NULL,
        deleted INTEGER NOT NULL)""",
    # By triggers, so that changes made with another program are told too.
    *(
        f"""CREATE TRIGGER IF NOT EXISTS {table.name}_{act} AFTER {act} ON {table.name} BEGIN
        INSERT INTO change (entity, record, deleted)
        VALUES ('{table.name}', {row}.id, {int(act == "DELETE")}); END"""  # noqa: S608  # nosec B608
        for table in TABLES.values()
        for act, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
    ),
    "CREATE TABLE IF NOT EXISTS faulty_call (number INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS waiting (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        intent TEXT NOT NULL UNIQUE,
        message TEXT NOT NULL,
        due REAL NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        code TEXT NOT NULL DEFAULT '',
        said TEXT NOT NULL DEFAULT '',
        field TEXT NOT NULL DEFAULT '')""",
)
# Migration from version 2, which had only vendors, and the table ``effect`` instead of ``applied``.
MOVED = (
    """INSERT INTO applied (intent, entity, record, key, message, at)
        SELECT intent, 'vendor', vendor, vendor_id, message, at
        FROM effect JOIN vendor ON vendor.id = effect.vendor ORDER BY effect.id""",
    "DROP TABLE effect",
)


class LedgerDown(Exception):
    """The ledger file cannot be used; ``uncertain`` if a commit failed."""

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


@dataclass(frozen=True)
class Effect:
    """One applied message; ``at`` is Unix time."""

    intent: str
    entity: str
    key: str
    message: str
    at: float


class Ledger:
    """One ledger file. All methods raise :class:`LedgerDown` if the file cannot be used."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.sqlite3"
        # SQLite connections must not be shared between threads.
        self._kept = threading.local()

    def post(self, intent: str, text: str) -> Record:
        """Apply a message; a repeated intent returns the record of the first time.

        :raises Refused: for an invalid message.
        """
        table, message = _parsed(text)
        with self.transaction() as db:
            earlier = _earlier(db, intent, text)
            if earlier is not None:
                return earlier
            act = entries.create if message["operation"] == "create" else entries.update
            done = act(db, table, message)
            db.execute(
                "INSERT INTO applied (intent, entity, record, key, message, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (intent, table.name, done.id, done.key, text, time.time()),
            )
            return done

    def enqueue(self, intent: str, text: str, *, wait: float) -> str:
        """Queue a message; the ledger applies it after ``wait`` seconds.

        :returns: the handle to poll with; a repeated intent returns the same handle.
        :raises Refused: if the intent was used for another message.
        """
        with self.transaction() as db:
            db.execute(
                "INSERT INTO waiting (intent, message, due) VALUES (?, ?, ?)"
                " ON CONFLICT (intent) DO NOTHING",
                (intent, text, time.time() + wait),
            )
            # Read back, because with a repeated intent the insert above did nothing.
            row = db.execute("SELECT * FROM waiting WHERE intent = ?", (intent,)).fetchone()
            if row["message"] != text:
                raise Refused("E1009", f"Request {intent} was already used for another record.")
            return str(row["id"])

    def work(self, *, at_once: bool = False) -> None:
        """Apply the queued messages that are due, or with ``at_once`` all of them."""
        with self.connection() as db:
            rows = db.execute(
                # Read without the write lock, because most calls find nothing that is due.
                "SELECT * FROM waiting WHERE done = 0 AND (? OR due <= ?) ORDER BY id",
                (at_once, time.time()),
            ).fetchall()
        for row in rows:
            code = message = column = ""
            try:
                self.post(row["intent"], row["message"])
            except Refused as refused:
                code, message, column = refused.code, refused.message, refused.column
            # Not in the transaction of the post. After a crash in between the message is posted
            # again, which the intent makes harmless.
            with self.transaction() as db:
                db.execute(
                    "UPDATE waiting SET done = 1, code = ?, said = ?, field = ? WHERE id = ?",
                    (code, message, column, row["id"]),
                )

    def result(self, handle: str) -> Record | None:
        """The record of a queued message; None while it waits.

        :raises Refused: if the message was refused, or for an unknown handle.
        """
        # The ledger has no process of its own: whoever reads it carries out what is due.
        self.work()
        with self.connection() as db:
            row = db.execute("SELECT * FROM waiting WHERE id = ?", (row_number(handle),)).fetchone()
            if row is None:
                raise Refused("E1012", f"There is no message number {handle}.")
            if row["code"]:
                raise Refused(row["code"], row["said"], row["field"])
            return _earlier(db, row["intent"], row["message"]) if row["done"] else None

    def vendor(self, vendor_id: str) -> Record | None:
        """The vendor with this ID, ignoring case."""
        return self.record(VENDOR, vendor_id)

    def cost_code(self, code: str) -> Record | None:
        """The cost code with this full code, ignoring case."""
        return self.record(COST_CODE, code)

    def cost_codes(self) -> list[Record]:
        """All cost codes in order of their numbers; ``parent`` is the number of the parent."""
        return self.page(COST_CODE, 0, -1)

    def record(self, entity: str, key: str) -> Record | None:
        """The record with this key, ignoring case."""
        return self.records(entity, [key])[0]

    def records(self, entity: str, keys: Sequence[str]) -> list[Record | None]:
        """The records with these keys, ignoring case; one result per key, in order."""
        self.work()
        with self.connection() as db:
            return [entries.by_key(db, TABLES[entity], key) for key in keys]

    def last_change(self) -> int:
        """Number of the last change of a record; 0 if there is none."""
        self.work()
        with self.connection() as db:
            row = db.execute("SELECT coalesce(max(id), 0) FROM change").fetchone()
        return int(row[0])

    def changed(self, entity: str, since: int, after: int, size: int) -> list[Record]:
        """Like :meth:`page`, but only records that were changed after change ``since``."""
        with self.connection() as db:
            return entries.changed(db, TABLES[entity], since, after, size)

    def deleted(self, entity: str, since: int) -> list[int]:
        """Numbers of the records that were deleted after change ``since``."""
        query = "SELECT record FROM change WHERE entity = ? AND id > ? AND deleted ORDER BY id"
        with self.connection() as db:
            return [row["record"] for row in db.execute(query, (entity, since)).fetchall()]

    def page(self, entity: str, after: int, size: int) -> list[Record]:
        """Up to ``size`` records after a number, in order; a negative size is all."""
        self.work()
        with self.connection() as db:
            return entries.after(db, TABLES[entity], after, size)

    def choices(self, kind: str) -> Mapping[str, str]:
        """One of the ledger's lists: code -> label.

        :raises KeyError: for an unknown list.
        """
        with self.connection():
            return LISTS[kind]

    def count(self, entity: str = VENDOR) -> int:
        """Number of records."""
        query = f"SELECT count(*) FROM {TABLES[entity].name}"  # noqa: S608  # nosec B608
        with self.connection() as db:
            return int(db.execute(query).fetchone()[0])

    def effects(self) -> list[Effect]:
        """All messages ever applied, in order."""
        with self.connection() as db:
            rows = db.execute(
                "SELECT intent, entity, key, message, at FROM applied ORDER BY id"
            ).fetchall()
        return [Effect(*row) for row in rows]

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Share one connection in the block; closing the last connection of a file is slow."""
        with self.connection() as db:
            self._kept.db = db
            try:
                yield
            finally:
                del self._kept.db

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """An open connection; creates the file on first use."""
        shared: sqlite3.Connection | None = getattr(self._kept, "db", None)
        if shared is not None:
            yield shared
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # No isolation level: transactions begin and end explicitly.
            opened = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            with closing(opened) as db:
                db.row_factory = sqlite3.Row
                # Commits survive a crash of the process, but perhaps not a power failure.
                db.execute("PRAGMA synchronous = NORMAL")
                _prepare(db)
                yield db
        except (OSError, sqlite3.Error) as error:
            raise LedgerDown(f"The ledger file cannot be used: {error}.") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection with the write lock; commits at the end of the block."""
        with self.connection() as db:
            # A transaction that read first could not get the write lock once another process has
            # written.
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            try:
                db.commit()
            except sqlite3.Error as error:
                # The commit may have reached the disk all the same, so the effect is uncertain.
                why = f"The ledger could not be saved: {error}."
                raise LedgerDown(why, uncertain=True) from error


def _prepare(db: sqlite3.Connection) -> None:
    """Create the tables. Retries, because the switch to WAL mode ignores the busy timeout."""
    give_up = time.monotonic() + BUSY_SECONDS
    while db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            for statement in STATEMENTS:
                db.execute(statement)
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'effect'").fetchone():
                for statement in MOVED:
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.commit()
        except sqlite3.OperationalError:
            db.rollback()
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def _parsed(text: str) -> tuple[Table, dict[str, object]]:
    try:
        # Lone surrogates cannot be stored.
        text.encode()
        message = json.loads(text)
        (table,) = (table for name, table in TABLES.items() if name in message)
        unknown = set(message[table.name]) - set(table.limits)
        supported = message["operation"] in {"create", "update"} and not unknown
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("E1010", "The message cannot be read.") from error
    if not supported:
        raise Refused("E1010", "This ledger does not support what the message asks for.")
    return table, dict(message)


def _earlier(db: sqlite3.Connection, intent: str, text: str) -> Record | None:
    """The record of an earlier message with this intent; refused if the message was another."""
    row = db.execute(
        "SELECT entity, record, message FROM applied WHERE intent = ?", (intent,)
    ).fetchone()
    if row is None:
        return None
    if row["message"] != text:
        raise Refused("E1009", f"Request {intent} was already used for another record.")
    return entries.by_number(db, TABLES[row["entity"]], row["record"])
