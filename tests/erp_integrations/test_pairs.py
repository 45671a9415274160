"""Every two bulk operations on the same rows at the same moment: nobody is told of a deadlock.

``PAIRS_ROWS=1200 PAIRS_ROUNDS=4`` makes it the long form: every pair, and the pieces of an
operation as large as the product makes them. ``-s`` shows how often the database was asked again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import pytest
from django.db import OperationalError, transaction
from django.db import connections as databases
from django.db.models import Q
from django.utils import timezone

from admin_wbs.models import CodeList, CostCode
from erp_integrations import approval, engine, moves, recovery
from erp_integrations.clock import ago
from erp_integrations.models import Attempt, Connection, ErpRecord, Item, Link
from erp_integrations.origins import Origin, link
from erp_integrations.queries import ItemQuerySet
from erp_integrations.sendable import Done, note_edits, retrieve, send
from erp_integrations.states import State
from erp_integrations.unlinking import unlink
from erpbridge import bulk, busy
from erpbridge.access.policy import Access
from erpbridge.bulk import write_rows
from tests.admin_wbs import steps as wbs
from tests.erp_integrations import steps
from tests.factories import CostCodeFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.shared]

ROWS = int(os.environ.get("PAIRS_ROWS", "60"))
ROUNDS = int(os.environ.get("PAIRS_ROUNDS", "2"))
LONG = ROWS >= 1_000
PIECE = 500 if LONG else 10


@dataclass
class Scene:
    """Cost codes, ten to a group, of which a third waits for a decision, a third is accepted, most
    of it waiting for its group, and a third is linked.
    """

    connection: Connection
    sender: Access
    approver: Access
    ids: list[int]

    def set_up(self) -> None:
        """The same again, whatever a round has made of it."""
        for model in (Attempt, Link, Item, ErpRecord):
            model.objects.all().delete()
        gone = {"origin_id": "", "origin_code": "", "erp_state": "", "drifted": False}
        CostCode._base_manager.update(**gone)
        third = len(self.ids) // 30 * 10
        assert self.send(self.ids[: 2 * third]).refused == ()
        items = Item.objects.filter(record_id__in=self.ids[third : 2 * third])
        assert self.accept(items).refused == ()
        wanted = {pk: Origin(id=f"E{pk}") for pk in self.ids[2 * third :]}
        assert link(ENTITY, wanted, access=self.sender) == {}
        steps.ledger_of(self.connection).path.unlink(missing_ok=True)

    # --- what people, programs and workers do to all of them ---------------------------------

    def send(self, ids: list[int] | None = None) -> Done:
        return send(ENTITY, ids or self.ids, access=self.sender)

    def retrieve(self) -> Done:
        return retrieve(ENTITY, self.ids, access=self.sender)

    def accept(self, items: ItemQuerySet | None = None) -> Done:
        found = items or Item.objects.filter(state=State.READY).order_by("-pk")
        return wbs.accept(found, self.approver)

    def reject(self) -> Done:
        waiting = Q(state=State.QUEUED, waits_for__isnull=False)
        items = Item.objects.filter(Q(state=State.READY) | waiting)
        each = {pk: f"Reason {pk % 3}" for pk in items.values_list("pk", flat=True)}
        return approval.reject(items, entity=ENTITY, reason="", reasons=each, access=self.approver)

    def unlink(self) -> None:
        account, by = self.connection.account_id, self.sender.user
        unlink(account, ENTITY, list(reversed(self.ids)), by=by, why="Wrong")

    def link(self) -> None:
        wanted = {pk: Origin(id=f"N{pk}") for pk in reversed(self.ids)}
        link(ENTITY, wanted, access=self.sender)

    def rename(self) -> None:
        """In the order in which a file or a sync names them."""
        with transaction.atomic():
            rows = list(CostCode.objects.filter(pk__in=self.ids).order_by("-pk"))
            for row in rows:
                row.description = f"Called otherwise at {timezone.now():%f}"
            write_rows(rows, ["description"])
            note_edits(ENTITY, self.connection.account_id, self.ids)

    def export(self) -> None:
        engine.drain(self.connection.pk)

    def expire(self) -> None:
        Item.objects.filter(state=State.SENDING).update(lease_until=ago(3_600))
        recovery.expire_leases()


ENTITY = "cost_code"
ACTS = ("send", "retrieve", "accept", "reject", "unlink", "link", "rename", "export", "expire")
ALL = [*itertools.combinations(ACTS, 2), *((one, one) for one in ("reject", "accept", "send"))]
# Those that ended in a deadlock, or lock most; the long form has all.
SHORT = [
    ("send", "reject"),
    ("send", "rename"),
    ("retrieve", "rename"),
    ("reject", "link"),
    ("accept", "unlink"),
    ("export", "expire"),
]
PAIRS = ALL if LONG else SHORT


@pytest.fixture
def scene(connection, account, ada, pat, access_of, monkeypatch) -> Scene:
    monkeypatch.setattr(moves, "CHUNK", PIECE)
    monkeypatch.setattr(bulk, "AT_ONCE", PIECE)
    found = CodeList.objects.get(connection_id=connection.pk)
    ids: list[int] = []
    parent = None
    for number in range(ROWS):
        group, place = divmod(number, 10)
        code = f"{place}" if place else f"{group:03}"
        made = CostCodeFactory.create(list=found, parent=parent if place else None, code=code)
        parent = made if not place else parent
        ids.append(made.pk)
    return Scene(connection, access_of(ada), access_of(pat), ids)


def collide(*acts: Callable[[], Done | None]) -> list[str]:
    """What the database said to any of them, and clicks of which a part was refused for it."""
    start = Barrier(len(acts))

    def run(act: Callable[[], Done | None]) -> str:
        try:
            start.wait(10)
            done = act()
            refused = done.refused if done else ()
            if any(one.rule == "busy" for refusal in refused for one in refusal.problems):
                return "refused as busy"
        except OperationalError as error:
            return str(getattr(error.__cause__, "pgcode", error))
        finally:
            databases.close_all()
        return ""

    with ThreadPoolExecutor(len(acts)) as pool:
        return [one for one in pool.map(run, acts) if one]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_at_once_are_both_answered(scene, first, second):
    errors: list[str] = []
    before = busy.counted()
    for _ in range(ROUNDS):
        scene.set_up()
        errors += collide(getattr(scene, first), getattr(scene, second))
    print(f"PAIR {first} x {second}: {len(errors)} errors {errors}", end=" ")
    after = busy.counted()
    print({kind: after[kind] - before[kind] for kind in after})
    assert errors == []
