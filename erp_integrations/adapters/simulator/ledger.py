"""The "ERP server" of the simulator: vendors and cost codes in an SQLite file of its own.

It trusts nobody: every message is checked here again, whatever its client promised, and the
uniqueness of vendor IDs and codes is the database's. Any number of processes may use one file at
once.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

BUSY_SECONDS = 5.0
SCHEMA_VERSION = 3
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
# Ledgers of version 2 kept vendors only, and what was done to them in a table of another shape.
MOVED = (
    """INSERT INTO applied (intent, entity, record, key, message, at)
        SELECT intent, 'vendor', vendor, vendor_id, message, at
        FROM effect JOIN vendor ON vendor.id = effect.vendor ORDER BY effect.id""",
    "DROP TABLE effect",
)


class LedgerDown(Exception):
    """The ledger cannot be reached; ``uncertain`` when it broke while committing."""

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


@dataclass(frozen=True)
class Effect:
    """One thing that was really done to the ledger, with the message that asked for it."""

    intent: str
    entity: str
    key: str
    message: str
    at: float


class Ledger:
    """One ledger file. Its methods raise :class:`LedgerDown` when the file cannot be used."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.sqlite3"
        self._kept = threading.local()

    def post(self, intent: str, text: str) -> Record:
        """Carry a message out once, however often it comes. :raises Refused:"""
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
        """Keep a message for later; the ledger works it off by itself once ``wait`` is over.

        :returns: the handle to ask with. The same intent again joins the one that waits.
        :raises Refused: where the intent was used for something else.
        """
        with self.transaction() as db:
            db.execute(
                "INSERT INTO waiting (intent, message, due) VALUES (?, ?, ?)"
                " ON CONFLICT (intent) DO NOTHING",
                (intent, text, time.time() + wait),
            )
            row = db.execute("SELECT * FROM waiting WHERE intent = ?", (intent,)).fetchone()
            if row["message"] != text:
                raise Refused("E1009", f"Request {intent} was used before for something else.")
            return str(row["id"])

    def work(self, *, at_once: bool = False) -> None:
        """Carry out the waiting messages that are due, or all of them."""
        with self.connection() as db:
            found = db.execute(
                "SELECT * FROM waiting WHERE done = 0 AND (? OR due <= ?) ORDER BY id",
                (at_once, time.time()),
            ).fetchall()
        for row in found:
            code = said = column = ""
            try:
                self.post(row["intent"], row["message"])
            except Refused as refused:
                code, said, column = refused.code, refused.message, refused.column
            with self.transaction() as db:
                db.execute(
                    "UPDATE waiting SET done = 1, code = ?, said = ?, field = ? WHERE id = ?",
                    (code, said, column, row["id"]),
                )

    def result(self, handle: str) -> Record | None:
        """What became of a message that was to wait; None while it does. :raises Refused:"""
        self.work()
        with self.connection() as db:
            row = db.execute("SELECT * FROM waiting WHERE id = ?", (row_number(handle),)).fetchone()
            if row is None:
                raise Refused("E1012", f"There is no message number {handle}.")
            if row["code"]:
                raise Refused(row["code"], row["said"], row["field"])
            return _earlier(db, row["intent"], row["message"]) if row["done"] else None

    def vendor(self, vendor_id: str) -> Record | None:
        """The vendor with this ID, in whatever case it is written."""
        return self.record(VENDOR, vendor_id)

    def cost_code(self, code: str) -> Record | None:
        """The cost code with this full code, in whatever case it is written."""
        return self.record(COST_CODE, code)

    def cost_codes(self) -> list[Record]:
        """All cost codes in the order they came in; ``parent`` is the number of another."""
        return self.page(COST_CODE, 0, -1)

    def record(self, entity: str, key: str) -> Record | None:
        """The record with this key, in whatever case it is written."""
        self.work()
        with self.connection() as db:
            return entries.by_key(db, TABLES[entity], key)

    def page(self, entity: str, after: int, size: int) -> list[Record]:
        """Records in the order they came in, after the given number; a negative size is all."""
        self.work()
        with self.connection() as db:
            return entries.after(db, TABLES[entity], after, size)

    def choices(self, kind: str) -> Mapping[str, str]:
        """One of the ledger's lists, by code. :raises KeyError: for one that it does not keep."""
        with self.connection():
            return LISTS[kind]

    def count(self, entity: str = VENDOR) -> int:
        """How many records there are."""
        query = f"SELECT count(*) FROM {TABLES[entity].name}"  # noqa: S608  # nosec B608
        with self.connection() as db:
            return int(db.execute(query).fetchone()[0])

    def effects(self) -> list[Effect]:
        """Everything ever done to the ledger, in order."""
        with self.connection() as db:
            rows = db.execute(
                "SELECT intent, entity, key, message, at FROM applied ORDER BY id"
            ).fetchall()
        return [Effect(*row) for row in rows]

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """What this thread does in the block shares a connection; to close the last one is slow."""
        with self.connection() as db:
            self._kept.db = db
            try:
                yield
            finally:
                del self._kept.db

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """An open connection; creates the file at the first use."""
        kept: sqlite3.Connection | None = getattr(self._kept, "db", None)
        if kept is not None:
            yield kept
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            with closing(opened) as db:
                db.row_factory = sqlite3.Row
                # What is committed outlives this process, though not a power cut.
                db.execute("PRAGMA synchronous = NORMAL")
                _prepare(db)
                yield db
        except (OSError, sqlite3.Error) as error:
            raise LedgerDown(f"The ledger file cannot be used: {error}.") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection that holds the write lock; all or nothing."""
        with self.connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            try:
                db.commit()
            except sqlite3.Error as error:
                why = f"The ledger broke while saving: {error}."
                raise LedgerDown(why, uncertain=True) from error


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables. The switch to write-ahead logging ignores the busy timeout: try again."""
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


def _parsed(text: str) -> tuple[Table, dict[str, Any]]:
    try:
        text.encode()
        message = json.loads(text)
        (table,) = (one for name, one in TABLES.items() if name in message)
        unknown = set(message[table.name]) - set(table.limits)
        known = message["operation"] in {"create", "update"} and not unknown
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("E1010", "The message cannot be read.") from error
    if not known:
        raise Refused("E1010", "The message asks for something this ledger does not know.")
    return table, dict(message)


def _earlier(db: sqlite3.Connection, intent: str, text: str) -> Record | None:
    """What became of this intent before; the same number for something else is refused."""
    row = db.execute(
        "SELECT entity, record, message FROM applied WHERE intent = ?", (intent,)
    ).fetchone()
    if row is None:
        return None
    if row["message"] != text:
        raise Refused("E1009", f"Request {intent} was used before for something else.")
    return entries.by_number(db, TABLES[row["entity"]], row["record"])
