"""Whatever is done is stored whole or not at all, and with its rows locked in one order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from erp_integrations.adapters.base import Effect, ErpError, ErrorClass, Outcome
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.export import engine, lease_recovery, settle, uncertain_lookup
from erp_integrations.export.delivery import polled, queued
from erp_integrations.models import Item
from erp_integrations.models.states import State
from erp_integrations.sendable import retrieve, send
from erp_integrations.workflow.accept import manual_resolution
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.links.settlement import ErpRef, settle_synced
from erp_integrations.workflow.links.unlink import unlink
from tests.erp_integrations import steps
from tests.erp_integrations.dying import deaths, locking

pytestmark = pytest.mark.django_db
Act = Callable[[], Any]


@dataclass
class Scene:
    """What an act needs of the fixtures."""

    ask: pytest.FixtureRequest

    def __getattr__(self, name: str) -> Any:
        return self.ask.getfixturevalue(name)

    def claims(self) -> list[Any]:
        """The company's item, claimed by a worker."""
        assert self.accepted_item
        return steps.claim(self.connection, manifest_of(self.connection))

    def failed(self) -> Item:
        item = self.accepted_item
        Item.objects.filter(pk=item.pk).update(state=State.FAILED)
        item.refresh_from_db()
        return item


def settling(**outcome: Any) -> Callable[[Scene], Act]:
    def of(scene: Scene) -> Act:
        claims = scene.claims()
        answers = [settle.Answer(claim, Outcome(**outcome)) for claim in claims]
        return lambda: settle.settle(scene.connection, manifest_of(scene.connection), answers)

    return of


def error(cls: ErrorClass, effect: Effect) -> ErpError:
    return ErpError(cls, effect, "No.")


def claiming(scene: Scene) -> Act:
    assert scene.accepted_item
    return lambda: engine.claim(scene.connection, manifest_of(scene.connection))


def expiring(scene: Scene) -> Act:
    assert scene.claims()
    steps.let_pass(200)
    return lease_recovery.expire_leases


def accepting(scene: Scene) -> Act:
    item = scene.sent_item
    wanted = Decision(item.pk, item.digest, {"vendor_type": "SUB", "vendor_id": "QUARRY01"})
    access = scene.access_of(scene.pat)
    return lambda: accept_services.accept([wanted], entity="vendor", access=access)


def retrying(scene: Scene) -> Act:
    item = scene.failed()
    access = scene.access_of(scene.pat)
    return lambda: steps.retry(item, access)


def rejecting(scene: Scene) -> Act:
    items = Item.objects.filter(pk=scene.sent_item.pk)
    access = scene.access_of(scene.pat)
    return lambda: accept_services.reject(items, entity="vendor", reason="No", access=access)


def retrieving(scene: Scene) -> Act:
    ids, access = [scene.sent_item.record_id], scene.access_of(scene.ada)
    return lambda: retrieve("vendor", ids, access=access)


def sending(scene: Scene) -> Act:
    assert scene.connection
    ids, access = [scene.company.pk], scene.access_of(scene.ada)
    return lambda: send("vendor", ids, access=access)


def withdrawing(scene: Scene) -> Act:
    item, by = scene.accepted_item, scene.pat
    return lambda: accept_services.withdraw(item, reason="Wait", by=by)


def unlinking(scene: Scene) -> Act:
    company, by = scene.synced_company, scene.ada
    return lambda: unlink(company.account_id, "vendor", [company.pk], by=by, why="Wrong")


def answering(scene: Scene) -> Act:
    item, by = scene.accepted_item, scene.pat
    Item.objects.filter(pk=item.pk).update(state=State.NEEDS_ANSWER)
    item.refresh_from_db()
    return lambda: manual_resolution.it_is_not_there(item, by=by, why="I looked")


def asking(scene: Scene) -> Act:
    item, connection = scene.accepted_item, scene.connection
    Item.objects.update(state=State.UNCERTAIN, operation="update")
    item.refresh_from_db()
    adapter = adapter_of(connection)
    return lambda: uncertain_lookup.decide(connection, adapter, item, None, settled=True)


def linking(scene: Scene) -> Act:
    claims, erp_ref = scene.claims(), ErpRef("7", "QUARRY01")
    item = claims[0].item
    items = Item.objects.filter(pk=item.pk)
    return lambda: settle_synced(scene.connection, items, {item.pk: erp_ref})


def polling(scene: Scene) -> Act:
    claims, manifest = scene.claims(), manifest_of(scene.connection)
    settle.settle(
        scene.connection, manifest, [settle.Answer(claims[0], Outcome(handle="H", check_after=1.0))]
    )
    steps.let_pass(10)
    return lambda: queued.take_pending(scene.connection, manifest)


def handing_over(scene: Scene) -> Act:
    claims, manifest = scene.claims(), manifest_of(scene.connection)
    steps.let_pass(1)
    return lambda: polled._renew_lease(scene.connection, manifest, claims[0])


# Those of the engine, and of persons who stop it; and those of persons.
OF_CONNECTION: dict[str, Callable[[Scene], Act]] = {
    "claim": claiming,
    "settle what was applied": settling(erp_id="7", erp_code="QUARRY01"),
    "settle what was refused": settling(error=error(ErrorClass.INVALID, Effect.NOT_APPLIED)),
    "settle what comes later": settling(error=error(ErrorClass.THROTTLED, Effect.NOT_APPLIED)),
    "settle what nobody knows": settling(error=error(ErrorClass.TRANSIENT, Effect.UNCERTAIN)),
    "settle what was handed over": settling(handle="H-1", check_after=5.0),
    "withdraw": withdrawing,
    "accept": accepting,
    "retry": retrying,
    "unlink": unlinking,
}
ACTS = OF_CONNECTION | {
    "expire leases": expiring,
    "ask a person": asking,
    "link": linking,
    "poll": polling,
    "hand over": handing_over,
    "reject": rejecting,
    "retrieve": retrieving,
    "send": sending,
    "answer that it is not there": answering,
}


@pytest.mark.parametrize("act", ACTS)
def test_what_dies_at_any_statement_leaves_nothing_behind(act, request):
    assert deaths(ACTS[act](Scene(request))) == []


LOCK_NO_ITEM = {"send", "unlink", "poll", "hand over"}
ORDER = {"Connection": 0, "Item": 1, "Company": 2}


@pytest.mark.parametrize("act", ACTS)
def test_rows_are_locked_in_one_order(act, request):
    carry_out = ACTS[act](Scene(request))
    with locking() as locked:
        carry_out()
    locks = [lock for lock in locked if lock.model in ORDER]
    assert all(lock.leaves_keys for lock in locks), locks
    places = [ORDER[lock.model] for lock in locks]
    assert places == sorted(places), locks
    # Of the rows of one table, by id; a single connection needs no order.
    assert {lock.order for lock in locks if lock.model != "Connection"} <= {("pk",), ("id",)}
    assert "Item" in {lock.model for lock in locks} or act in LOCK_NO_ITEM


@pytest.mark.parametrize("act", [*OF_CONNECTION, "expire leases", "reject", "link", "poll"])
def test_the_connection_is_locked_before_anything_of_it_is_read(act, request):
    carry_out = ACTS[act](Scene(request))
    with locking() as locked:
        carry_out()
    assert (locked[0].model, locked[0].any_row) == ("Connection", True)
