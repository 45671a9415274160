"""A database that fails at some statement, what it contains, and which rows are locked how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from django.apps import apps
from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db.models.lookups import Exact
from django.db.models.sql.compiler import SQLCompiler

OURS = ("access", "audit", "jobs", "directory", "admin_wbs", "erp_integrations")
# What the transaction itself asks of the database.
TRANSACTION = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")


class Died(Exception):
    """The connection to the database is lost."""


@contextmanager
def dying_at(number: int) -> Iterator[None]:
    """Carry out neither the statement of this number, counted from 1, nor any after it."""
    seen = 0

    def execute(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal seen
        seen += not sql.startswith(TRANSACTION)
        if seen >= number and not sql.startswith(TRANSACTION):
            raise Died(sql)
        return execute(sql, *rest)

    with database.execute_wrapper(execute):
        yield


def holdings() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of ours."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models()
        if model._meta.app_label in OURS
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The tables that are no longer as they were."""
    return sorted(name for name in before if before[name] != after[name])


def deaths(act: Callable[[], object]) -> list[str]:
    """What is stored after a failure at each statement in turn, until the act is carried out."""
    before, left = holdings(), []
    for number in range(1, 500):
        try:
            with dying_at(number):
                act()
        except Died as error:
            left += [f"{name}, dead at {error}" for name in changed(before, holdings())]
        else:
            return left
    raise AssertionError("the act asks more than any of ours")


@dataclass(frozen=True)
class Locked:
    """One SELECT .. FOR UPDATE: whose rows, ordered by what, whether rows may refer to them, and
    which of the joined tables.
    """

    model: str
    order: tuple[str, ...]
    leaves_keys: bool
    of: tuple[str, ...]
    # Where no row meets the condition nothing is locked.
    any_row: bool
    # The row is named by its id.
    single: bool = False

    @property
    def in_order(self) -> bool:
        """Whether it takes one row, or rows in the order of their ids (docs/locks.md)."""
        return self.single or self.order[:1] in (("pk",), ("id",))


@contextmanager
def locking() -> Iterator[list[Locked]]:
    """The locks that queries ask for, also on SQLite, which locks the whole database instead."""
    locks: list[Locked] = []
    execute = SQLCompiler.execute_sql

    def noting(self: SQLCompiler, *args: Any, **options: Any) -> Any:
        query, rows = self.query, execute(self, *args, **options)
        if getattr(query, "select_for_update", False) and _asks(self):
            order = tuple(str(column) for column in query.order_by)
            leaves_keys, of = query.select_for_no_key_update, query.select_for_update_of
            any_row = rows is not None and (not isinstance(rows, list) or any(rows))
            single = any(_names_row(condition) for condition in query.where.children)
            locks.append(Locked(query.model.__name__, order, leaves_keys, of, any_row, single))
        return rows

    with mock.patch.object(SQLCompiler, "execute_sql", noting):
        yield locks


def _names_row(condition: Any) -> bool:
    return isinstance(condition, Exact) and condition.lhs.target.primary_key


def _asks(compiler: SQLCompiler) -> bool:
    """Whether a query is sent at all: Django sends none if its condition cannot be met."""
    try:
        compiler.as_sql()
    except EmptyResultSet:
        return False
    return True
