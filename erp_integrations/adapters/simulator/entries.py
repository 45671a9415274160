"""Read, create and update records of the simulator's ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from erp_integrations.adapters.simulator.tables import TABLES, Refused, Table, row_number


@dataclass(frozen=True)
class Record:
    """A record of the ledger; ``entity`` is the name of its table."""

    entity: str
    id: int
    version: int
    values: Mapping[str, str]

    @property
    def key(self) -> str:
        """The value of the table's key column."""
        return self.values[TABLES[self.entity].key]


def made(table: Table, row: sqlite3.Row) -> Record:
    """A row as a record."""
    values = {column: row[column] for column in table.limits}
    return Record(table.name, row["id"], row["version"], values)


def by_number(db: sqlite3.Connection, table: Table, number: int) -> Record | None:
    """The record with this number."""
    query = f"SELECT * FROM {table.name} WHERE id = ?"  # noqa: S608  # nosec B608
    row = db.execute(query, (number,)).fetchone()
    return None if row is None else made(table, row)


def by_key(db: sqlite3.Connection, table: Table, key: str) -> Record | None:
    """The record with this key, ignoring case."""
    query = f"SELECT * FROM {table.name} WHERE {table.key} = ? COLLATE NOCASE"  # noqa: S608  # nosec B608
    row = db.execute(query, (key,)).fetchone()
    return None if row is None else made(table, row)


def after(db: sqlite3.Connection, table: Table, number: int, size: int) -> list[Record]:
    """Up to ``size`` records after a number, in order of their numbers; a negative size is all."""
    query = f"SELECT * FROM {table.name} WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608  # nosec B608
    return [made(table, row) for row in db.execute(query, (number, size)).fetchall()]


def changed(
    db: sqlite3.Connection, table: Table, since: int, number: int, size: int
) -> list[Record]:
    """Like :func:`after`, but only records that were changed after change ``since``."""
    query = (
        f"SELECT * FROM {table.name} WHERE id > ? AND id IN"  # noqa: S608  # nosec B608
        " (SELECT record FROM change WHERE entity = ? AND id > ?) ORDER BY id LIMIT ?"
    )
    parameters = (number, table.name, since, size)
    return [made(table, row) for row in db.execute(query, parameters).fetchall()]


def create(db: sqlite3.Connection, table: Table, message: Mapping[str, Any]) -> Record:
    """Create a record.

    :raises Refused: if a value is invalid or the key is taken.
    """
    values = dict.fromkeys(table.limits, "") | message[table.name]
    _check(db, table, 0, values)
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    query = f"INSERT INTO {table.name} ({names}) VALUES ({marks}) RETURNING *"  # noqa: S608  # nosec B608
    return _written(db, table, query, values, tuple(values.values()))


def update(db: sqlite3.Connection, table: Table, message: Mapping[str, Any]) -> Record:
    """Update a record.

    :raises Refused: if there is no such record, its version has changed, or a value is invalid.
    """
    number = row_number(message.get("id"))
    current = by_number(db, table, number)
    if current is None:
        raise Refused("E1008", f"There is no {table.noun} number {message.get('id')}.")
    # Optimistic locking, as in ERPs with record versions.
    if str(message.get("version")) != str(current.version):
        conflict = f"{table.noun.capitalize()} {current.key} was changed by somebody else."
        raise Refused("E1007", conflict)
    values = {**current.values, **message[table.name]}
    if table.fixed and values[table.key] != current.key:
        raise Refused("E1011", f"The ID of an existing {table.noun} cannot be changed.", table.key)
    _check(db, table, number, values)
    sets = ", ".join(f"{column} = ?" for column in values)
    query = f"UPDATE {table.name} SET {sets}, version = version + 1 WHERE id = ? RETURNING *"  # noqa: S608  # nosec B608
    return _written(db, table, query, values, (*values.values(), number))


def _written(
    db: sqlite3.Connection,
    table: Table,
    query: str,
    values: Mapping[str, str],
    parameters: tuple[object, ...],
) -> Record:
    try:
        return made(table, db.execute(query, parameters).fetchone())
    # Only the constraint can decide: another process may have taken the key a moment ago.
    except sqlite3.IntegrityError as error:
        message = f"{table.key_label} {values[table.key]} already exists."
        raise Refused("E1001", message, table.key) from error


def _check(db: sqlite3.Connection, table: Table, number: int, values: Mapping[str, str]) -> None:
    for column, value in values.items():
        if not isinstance(value, str):  # the message comes from outside
            raise Refused("E1010", f"{column} must be text.", column)
        most = table.limits[column]
        if len(value) > most:
            raise Refused("E1002", f"{column} holds at most {most} characters.", column)
    table.check(db, number, values)
