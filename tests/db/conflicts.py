"""Conflicts that PostgreSQL itself raises: a deadlock in a statement that the test chooses.

A trigger on every table of the product raises it, so it is the real error through the real stack.
It counts with a sequence, which no rollback resets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection, transaction

from erpbridge.db import busy
from tests.db import transactions

FUNCTION = """
CREATE SEQUENCE written;
CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  number bigint := nextval('written');
BEGIN
  IF number BETWEEN current_setting('test.conflict_from')::bigint
     AND current_setting('test.conflict_to')::bigint THEN
    RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
  END IF;
  RETURN NULL;
END $$;
"""
# Values that differ between two runs of the same call: times, and random values.
BY_CHANCE = (
    "digest",
    "intent",
    "trace",
    "token",
    "secret",
    "session",
    "hash",
    "password",
    "key",
    "request_id",
)
RANDOM = re.compile(r"[\w-]{40,}")
PLAIN = ("text", "character varying", "boolean", "smallint")


def names() -> list[str]:
    """Every table but that of sessions, whose row a request writes in a statement of its own."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    tables.discard(Session._meta.db_table)
    return sorted(tables & set(connection.introspection.table_names()))


@contextmanager
def conflicts() -> Iterator[None]:
    """Add the triggers; they are removed with the transaction of the test."""
    with connection.cursor() as cursor:
        cursor.execute(FUNCTION)
        for name in names():
            cursor.execute(
                f'CREATE TRIGGER conflict AFTER INSERT OR UPDATE OR DELETE ON "{name}"'
                " FOR EACH STATEMENT EXECUTE FUNCTION conflict()"
            )
    yield


def arm(first: int, last: int) -> None:
    """The statements of these numbers, counted from now, end in a deadlock; 0 for none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('written', 1, false)")
        cursor.execute("SELECT set_config('test.conflict_from', %s, false)", [str(first)])
        cursor.execute("SELECT set_config('test.conflict_to', %s, false)", [str(last)])


def written() -> int:
    """How many statements have written since."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM written")
        return int(cursor.fetchone()[0])


@contextmanager
def taken_back() -> Iterator[None]:
    """Roll back what is done inside; for the code under test no transaction is open."""
    with (
        transactions.taken_back(),
        connection.execute_wrapper(_by_itself),
        _outermost_with_savepoint(),
    ):
        yield


@contextmanager
def _outermost_with_savepoint() -> Iterator[None]:
    """Let a transaction of the code under test be rolled back separately."""
    enter = transaction.Atomic.__enter__

    def entered(self: Any) -> None:
        self.savepoint = self.savepoint or not busy.in_transaction()
        enter(self)

    mark = transaction.mark_for_rollback_on_error

    def marked(using: str | None = None) -> Any:
        return mark(using) if busy.in_transaction() else nullcontext()

    with (
        patch.object(transaction.Atomic, "__enter__", entered),
        patch.object(transaction, "mark_for_rollback_on_error", marked),
    ):
        yield


def _by_itself(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """A failed statement outside of a transaction affects no other."""
    if busy.in_transaction() or not sql.startswith(("INSERT", "UPDATE", "DELETE")):
        return execute(sql, params, many, context)
    with transaction.atomic():
        return execute(sql, params, many, context)


def columns() -> dict[str, list[str]]:
    """The columns of each table that two runs of the same call have in common: no ids and times."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type = ANY(%s)",
            [list(PLAIN)],
        )
        by_table: dict[str, list[str]] = {name: [] for name in names()}
        for table, column in cursor.fetchall():
            if table in by_table and not any(word in column for word in BY_CHANCE):
                by_table[table].append(column)
    return by_table


def contents(columns_by_table: dict[str, list[str]]) -> dict[str, Counter[Any]]:
    """How often each row is in each table."""
    counts = {}
    with connection.cursor() as cursor:
        for table, table_columns in columns_by_table.items():
            listed = ", ".join(f'"{column}"' for column in table_columns) or "1"
            cursor.execute(f'SELECT {listed} FROM "{table}"')
            rows = cursor.fetchall()
            counts[table] = Counter(tuple(map(_without_random, row)) for row in rows)
    return counts


def _without_random(value: Any) -> Any:
    return RANDOM.sub("*", value) if isinstance(value, str) else value


def differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """The tables in which they differ, and how."""
    return [
        f"{table}: only first {list((first[table] - second[table]).items())[:2]}, "
        f"only second {list((second[table] - first[table]).items())[:2]}"
        for table in first
        if first[table] != second[table]
    ]
