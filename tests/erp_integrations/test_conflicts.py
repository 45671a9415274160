"""A transaction that the database aborts in favor of another one is repeated automatically."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connection as database

from erp_integrations.models import Item
from erpbridge.db import busy
from tests.erp_integrations.test_all_or_nothing import ACTS, Scene

pytestmark = pytest.mark.django_db
WRITES = ("INSERT", "UPDATE", "DELETE")


class Deadlock(Exception):
    """A deadlock as psycopg reports it."""

    pgcode = "40P01"


@contextmanager
def deadlock_at_first_write() -> Iterator[list[str]]:
    """Abort the first statement that writes with a deadlock; the list then contains its SQL."""
    struck: list[str] = []

    def execute(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(WRITES) and not struck:
            struck.append(sql)
            raise OperationalError("deadlock detected") from Deadlock()
        return execute(sql, *rest)

    with database.execute_wrapper(execute):
        yield struck


BY_WORKERS = [
    *(act for act in ACTS if act.startswith("settle")),
    *("claim", "expire leases", "ask a person", "link", "poll", "hand over"),
]


@pytest.mark.parametrize("act", BY_WORKERS)
def test_deadlock_of_what_a_worker_or_an_asking_erp_does_is_seen_by_nobody(
    act, request, monkeypatch
):
    monkeypatch.setattr(busy, "FIRST_REST", 0.0)
    carry_out = ACTS[act](Scene(request))
    before = Item.objects.values().get()
    with deadlock_at_first_write() as struck:
        carry_out()
    assert struck
    assert Item.objects.values().get() != before
