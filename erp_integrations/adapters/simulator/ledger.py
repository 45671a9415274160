"""The "ERP server" of the simulator: a vendor ledger in an SQLite file of its own.

It trusts nobody: every message is checked here again, whatever its client promised, and the
uniqueness of vendor IDs is the database's. Any number of processes may use one file at once.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stdnum.us import ein

BUSY_SECONDS = 5.0
SCHEMA_VERSION = 2
VENDOR_TYPES = {
    "SUB": "Subcontractor",
    "MAT": "Material supplier",
    "EQP": "Equipment rental",
    "PRO": "Professional services",
    "OTH": "Other",
}
LIMITS = {
    "vendor_name": 30,
    "short_name": 10,
    "trade_name": 60,
    "street": 60,
    "city": 30,
    "state": 3,
    "zip": 10,
    "country": 2,
    "phone": 30,
    "mobile": 30,
    "fax": 30,
    "email": 100,
    "web": 100,
    "license_no": 30,
    "tax_id": 20,
    "vendor_id": 10,
    "vendor_type": 3,
}
TABLES = (
    f"""CREATE TABLE IF NOT EXISTS vendor (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        version INTEGER NOT NULL DEFAULT 1,
        {", ".join(f"{column} TEXT NOT NULL DEFAULT ''" for column in LIMITS)},
        UNIQUE (vendor_id COLLATE NOCASE))""",
    """CREATE TABLE IF NOT EXISTS effect (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        intent TEXT NOT NULL UNIQUE,
        vendor INTEGER NOT NULL REFERENCES vendor (id),
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


class Refused(Exception):
    """The ledger does not take a message; nothing was written."""

    def __init__(self, code: str, message: str, column: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.column = column


class LedgerDown(Exception):
    """The ledger cannot be reached; ``uncertain`` when it broke while committing."""

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


@dataclass(frozen=True)
class Vendor:
    """A vendor as the ledger holds it."""

    id: int
    version: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class Effect:
    """One thing that was really done to the ledger, with the message that asked for it."""

    intent: str
    vendor_id: str
    message: str
    at: float


class Ledger:
    """One ledger file. Its methods raise :class:`LedgerDown` when the file cannot be used."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.sqlite3"

    def post(self, intent: str, text: str) -> Vendor:
        """Carry a message out once, however often it comes. :raises Refused:"""
        message = _parsed(text)
        with self.transaction() as db:
            earlier = _earlier(db, intent, text)
            if earlier is not None:
                return earlier
            act = _create if message["operation"] == "create" else _update
            done = act(db, message)
            db.execute(
                "INSERT INTO effect (intent, vendor, message, at) VALUES (?, ?, ?, ?)",
                (intent, done.id, text, time.time()),
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

    def result(self, handle: str) -> Vendor | None:
        """What became of a message that was to wait; None while it does. :raises Refused:"""
        self.work()
        with self.connection() as db:
            row = db.execute("SELECT * FROM waiting WHERE id = ?", (row_number(handle),)).fetchone()
            if row is None:
                raise Refused("E1012", f"There is no message number {handle}.")
            if row["code"]:
                raise Refused(row["code"], row["said"], row["field"])
            return _earlier(db, row["intent"], row["message"]) if row["done"] else None

    def vendor(self, vendor_id: str) -> Vendor | None:
        """The vendor with this ID, in whatever case it is written."""
        self.work()
        with self.connection() as db:
            row = db.execute("SELECT * FROM vendor WHERE vendor_id = ?", (vendor_id.upper(),))
            return _vendor(row.fetchone())

    def page(self, after: int, size: int) -> list[Vendor]:
        """Vendors in the order they came in, after the given number."""
        self.work()
        with self.connection() as db:
            rows = db.execute(
                "SELECT * FROM vendor WHERE id > ? ORDER BY id LIMIT ?", (after, size)
            ).fetchall()
        return [one for one in map(_vendor, rows) if one is not None]

    def vendor_types(self) -> Mapping[str, str]:
        """The kinds of vendor that there are, by code."""
        with self.connection():
            return VENDOR_TYPES

    def count(self) -> int:
        """How many vendors there are."""
        with self.connection() as db:
            return int(db.execute("SELECT count(*) FROM vendor").fetchone()[0])

    def effects(self) -> list[Effect]:
        """Everything ever done to the ledger, in order."""
        with self.connection() as db:
            rows = db.execute(
                "SELECT intent, vendor_id, message, at FROM effect"
                " JOIN vendor ON vendor.id = effect.vendor ORDER BY effect.id"
            ).fetchall()
        return [Effect(*row) for row in rows]

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """An open connection; creates the file at the first use."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            with closing(opened) as db:
                db.row_factory = sqlite3.Row
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
            for statement in TABLES:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.commit()
        except sqlite3.OperationalError:
            db.rollback()
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def _parsed(text: str) -> dict[str, Any]:
    try:
        text.encode()
        message = json.loads(text)
        unknown = set(message["vendor"]) - set(LIMITS)
        known = message["operation"] in {"create", "update"} and not unknown
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("E1010", "The message cannot be read.") from error
    if not known:
        raise Refused("E1010", "The message asks for something this ledger does not know.")
    return dict(message)


def _earlier(db: sqlite3.Connection, intent: str, text: str) -> Vendor | None:
    """What became of this intent before; the same number for something else is refused."""
    row = db.execute(
        "SELECT effect.message, vendor.* FROM effect JOIN vendor ON vendor.id = effect.vendor"
        " WHERE intent = ?",
        (intent,),
    ).fetchone()
    if row is not None and row["message"] != text:
        raise Refused("E1009", f"Request {intent} was used before for something else.")
    return _vendor(row)


def _create(db: sqlite3.Connection, message: Mapping[str, Any]) -> Vendor:
    values = dict.fromkeys(LIMITS, "") | message["vendor"]
    _check(values)
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    try:
        row = db.execute(
            f"INSERT INTO vendor ({names}) VALUES ({marks}) RETURNING *",  # noqa: S608  # nosec B608
            tuple(values.values()),
        ).fetchone()
    except sqlite3.IntegrityError as error:
        taken = f"Vendor ID {values['vendor_id']} already exists."
        raise Refused("E1001", taken, "vendor_id") from error
    return _made(row)


def _update(db: sqlite3.Connection, message: Mapping[str, Any]) -> Vendor:
    number = row_number(message.get("id"))
    held = _vendor(db.execute("SELECT * FROM vendor WHERE id = ?", (number,)).fetchone())
    if held is None:
        raise Refused("E1008", f"There is no vendor number {message.get('id')}.")
    if str(message.get("version")) != str(held.version):
        raise Refused("E1007", f"Vendor {held.values['vendor_id']} was changed by somebody else.")
    values = {**held.values, **message["vendor"]}
    if values["vendor_id"] != held.values["vendor_id"]:
        raise Refused("E1011", "The ID of an existing vendor cannot be changed.", "vendor_id")
    _check(values)
    sets = ", ".join(f"{column} = ?" for column in values)
    row = db.execute(
        f"UPDATE vendor SET {sets}, version = version + 1"  # noqa: S608  # nosec B608
        " WHERE id = ? RETURNING *",
        (*values.values(), number),
    ).fetchone()
    return _made(row)


def _check(values: Mapping[str, Any]) -> None:
    for column, value in values.items():
        if not isinstance(value, str):
            raise Refused("E1010", f"{column} must be text.", column)
        if len(value) > LIMITS[column]:
            raise Refused("E1002", f"{column} holds at most {LIMITS[column]} characters.", column)
    if not values["vendor_name"].strip():
        raise Refused("E1003", "vendor_name is required.", "vendor_name")
    if not re.fullmatch(r"[A-Z0-9-]+", values["vendor_id"]):
        raise Refused("E1006", "vendor_id takes A-Z, 0-9 and the hyphen.", "vendor_id")
    if values["vendor_type"] not in VENDOR_TYPES:
        raise Refused("E1005", f"Vendor type “{values['vendor_type']}” is unknown.", "vendor_type")
    if values["tax_id"] and not ein.is_valid(values["tax_id"]):
        raise Refused("E1004", f"{values['tax_id']} is not a valid US tax ID.", "tax_id")


def row_number(text: object) -> int:
    """A vendor number or cursor as the database's integer; 0, which no vendor has, for nonsense."""
    digits = str(text)
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else 0


def _vendor(row: sqlite3.Row | None) -> Vendor | None:
    return None if row is None else _made(row)


def _made(row: sqlite3.Row) -> Vendor:
    return Vendor(row["id"], row["version"], {column: row[column] for column in LIMITS})
