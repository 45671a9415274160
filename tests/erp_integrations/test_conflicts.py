"""What the database takes back for the sake of another is done again, without anybody asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connection as database

from erp_integrations import engine, inbound, pending, recovery
from erp_integrations.adapters.base import Found, Outcome
from erp_integrations.connections import adapter_of, manifest_of
from erp_integrations.models import Item
from erp_integrations.settling import Held, settle_synced
from erp_integrations.states import State
from erpbridge import busy
from tests.erp_integrations import steps
from tests.erp_integrations.test_all_or_nothing import OF_CONNECTION, Act, Scene, expiring

pytestmark = pytest.mark.django_db
WRITES = ("INSERT", "UPDATE", "DELETE")


class Deadlock(Exception):
    """As psycopg says it."""

    pgcode = "40P01"


@contextmanager
def one_deadlock() -> Iterator[list[str]]:
    """The database ends the transaction of the first statement that writes; which that was."""
    struck: list[str] = []

    def execute(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(WRITES) and not struck:
            struck.append(sql)
            raise OperationalError("deadlock detected") from Deadlock()
        return execute(sql, *rest)

    with database.execute_wrapper(execute):
        yield struck


def looking_up(found: Callable[[Item], Found | None]) -> Callable[[Scene], Act]:
    def of(scene: Scene) -> Act:
        item = scene.accepted_item
        Item.objects.update(state=State.UNCERTAIN, operation="update")
        item.refresh_from_db()
        connection = scene.connection
        adapter = adapter_of(connection)
        return lambda: recovery.decide(connection, adapter, item, found(item), settled=True)

    return of


def linking(scene: Scene) -> Act:
    claims, held = scene.claims(), Held("7", "QUARRY01")
    item = claims[0].item
    found = Item.objects.filter(pk=item.pk)
    return lambda: settle_synced(scene.connection.pk, found, {item.pk: held})


def polling(scene: Scene) -> Act:
    claims, manifest = scene.claims(), manifest_of(scene.connection)
    engine.settle(scene.connection, manifest, [(claims[0], Outcome(handle="H", check_after=1.0))])
    steps.let_pass(10)
    return lambda: pending.take_pending(scene.connection, manifest)


def handing_over(scene: Scene) -> Act:
    claims, manifest = scene.claims(), manifest_of(scene.connection)
    steps.let_pass(1)
    return lambda: inbound._handed(scene.connection, manifest, claims[0])


WORKERS = {"claim", *(act for act in OF_CONNECTION if act.startswith("settle"))}
ACTS = {name: act for name, act in OF_CONNECTION.items() if name in WORKERS} | {
    "expire leases": expiring,
    "ask a person": looking_up(lambda item: None),
    "link": linking,
    "poll": polling,
    "hand over": handing_over,
}


@pytest.mark.parametrize("act", ACTS)
def test_deadlock_of_what_a_worker_or_an_asking_erp_does_is_seen_by_nobody(
    act, request, monkeypatch
):
    monkeypatch.setattr(busy, "FIRST_REST", 0.0)
    carry_out = ACTS[act](Scene(request))
    before = Item.objects.values().get()
    with one_deadlock() as struck:
        carry_out()
    assert struck
    assert Item.objects.values().get() != before
