"""Two or more people and workers at once, in threads on the real database."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connections as databases

from directory.companies import services as directory
from directory.companies.errors import EditRefused
from directory.models import Company
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import engine, lease_recovery, settle
from erp_integrations.models import Attempt, Connection, Item, Link
from erp_integrations.models.states import OPEN, State, on_record
from erp_integrations.sendable import retrieve, send
from erp_integrations.workflow import transitions
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.links import connection_identity
from erpbridge.access.models import User
from erpbridge.access.policy import Access
from erpbridge.audit.models import Event
from erpbridge.outgoing.uptime import uptime
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act returned; all start at the same moment, in threads of their own."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            barrier.wait(10)
            return act()
        finally:
            databases.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result(60) for future in [pool.submit(run, act) for act in acts]]


@pytest.fixture
def second_approver(account) -> User:
    user = UserFactory.create(name="Quinn Approver")
    MembershipFactory.create(user=user, account=account, approver=True)
    return user


@pytest.fixture
def make_items(connection, account, ada, access_of) -> Callable[[int], list[Item]]:
    def make(count: int) -> list[Item]:
        return steps.send_all(CompanyFactory.create_batch(count, account=account), access_of(ada))

    return make


def decision(item: Item, vendor_id: str) -> Decision:
    return Decision(item.pk, item.digest, {"vendor_type": "SUB", "vendor_id": vendor_id})


def verbs(verb: str) -> int:
    return Event.objects.filter(entity="vendor", verb=verb).count()


def test_of_two_approvers_one_decides_each_item_and_the_other_is_told(
    make_items, pat, second_approver, access_of
):
    items = make_items(20)

    def one_by_one(user: User, order: Sequence[Item]) -> list[Any]:
        access = access_of(user)
        return [
            accept_services.accept(
                [decision(item, f"ID-{item.pk}")], entity="vendor", access=access
            )
            for item in order
        ]

    both = at_once(lambda: one_by_one(pat, items), lambda: one_by_one(second_approver, items))
    done = [click for clicks in both for click in clicks]
    assert sum(click.done for click in done) == 20
    messages = [message for click in done for message in steps.reasons(click)]
    assert len(messages) == 20
    assert all("Already decided by" in message for message in messages)
    assert verbs("accept") == 20


def test_two_bulk_accepts_decide_each_item_once(make_items, pat, second_approver, access_of):
    items = make_items(20)
    clicks = at_once(
        lambda: steps.decide(list(items), access_of(pat)),
        lambda: steps.decide(list(reversed(items)), access_of(second_approver)),
    )
    assert sorted(click.done for click in clicks) == [0, 20]
    assert verbs("accept") == 20


def test_one_id_for_two_items_is_given_to_one(make_items, pat, second_approver, access_of):
    for number in range(5):
        first, second = make_items(2)
        clicks = at_once(
            lambda a=first, n=number: accept_services.accept(
                [decision(a, f"SAME{n}")], entity="vendor", access=access_of(pat)
            ),
            lambda b=second, n=number: accept_services.accept(
                [decision(b, f"SAME{n}")], entity="vendor", access=access_of(second_approver)
            ),
        )
        assert sum(click.done for click in clicks) == 1
        assert "is taken by" in next(m for click in clicks for m in steps.reasons(click))


def test_four_senders_make_one_item_and_three_are_told_who_was_first(
    connection, company, ada, access_of
):
    clicks = at_once(
        *[lambda: send("vendor", [company.pk], access=access_of(ada)) for _ in range(4)]
    )
    assert sorted(click.done for click in clicks) == [0, 0, 0, 1]
    assert sum("Already sent by Ada Admin" in m for c in clicks for m in steps.reasons(c)) == 3
    assert Item.objects.count() == 1


def test_record_is_either_retrieved_or_accepted(make_items, ada, pat, access_of):
    items = make_items(20)
    records = [item.record_id for item in items]
    taken, accepted = at_once(
        lambda: retrieve("vendor", records, access=access_of(ada)),
        lambda: [
            accept_services.accept(
                [decision(i, f"ID-{i.pk}")], entity="vendor", access=access_of(pat)
            )
            for i in reversed(items)
        ],
    )
    assert taken.done + sum(click.done for click in accepted) == 20
    assert verbs("retrieve") == taken.done
    states = dict(Company.objects.values_list("pk", "erp_state"))
    assert all(states[item.record_id] == item.state for item in Item.objects.all())


def test_company_is_sent_as_it_was_edited_or_not_edited_at_all(connection, account, ada, access_of):
    for _ in range(10):
        company = CompanyFactory.create(account=account, name="Before")

        def edit(company: Company = company) -> bool:
            try:
                directory.edit(company, values={"name": "After"}, seen=1, by=ada)
            except EditRefused:
                return False
            return True

        edited, click = at_once(
            edit, lambda pk=company.pk: send("vendor", [pk], access=access_of(ada))
        )
        assert click.done == 1
        item = Item.objects.get(record_id=company.pk)
        expected = ("After", 2) if edited else ("Before", 1)
        assert (item.payload["name"], item.revision) == expected


def test_four_workers_export_every_item_once(connection, make_items, pat, access_of):
    items = make_items(60)
    assert steps.decide(items, access_of(pat)).done == 60
    at_once(*[lambda: engine.drain(connection.pk) for _ in range(4)])
    engine.drain(connection.pk)
    assert Item.objects.filter(state=State.SYNCED).count() == 60
    effects = [effect.intent for effect in steps.ledger_of(connection).effects()]
    assert sorted(effects) == sorted(str(item.intent) for item in Item.objects.all())
    assert Link.objects.count() == 60
    assert Attempt.objects.exclude(outcome="applied").count() == 0


def test_two_workers_never_claim_the_same_item(connection, make_items, pat, access_of):
    steps.decide(make_items(30), access_of(pat))
    Connection.objects.update(max_in_flight=20)
    claimed = at_once(
        *[lambda: engine.claim(connection, manifest_of(connection)) for _ in range(4)]
    )
    ids = [claim.item.pk for claims in claimed for claim in claims]
    assert len(ids) == len(set(ids)) == 20  # as many as may be in flight


def test_lost_item_is_settled_by_one_of_the_late_worker_and_the_recovery(
    connection, make_items, pat, access_of
):
    steps.decide(make_items(10), access_of(pat))
    claims = engine.claim(connection, manifest_of(connection))
    adapter = adapter_loading.adapter_of(connection)
    assert steps.look(adapter, manifest_of(connection), claims, since=uptime()) == []
    outcomes = adapter.submit([claim.command for claim in claims])
    steps.let_pass(81)
    at_once(
        lambda: settle.settle(
            connection, manifest_of(connection), settle.answers_of(claims, outcomes)
        ),
        lease_recovery.expire_leases,
        lambda: engine.drain(connection.pk),
    )
    engine.drain(connection.pk)
    assert Item.objects.filter(state=State.SYNCED).count() == 10
    assert verbs("sync") == 10
    assert steps.ledger_of(connection).count() == 10


def test_everybody_at_once_never_deadlocks(connection, account, ada, pat, access_of):
    records = [company.pk for company in CompanyFactory.create_batch(40, account=account)]

    def shuffled(seed: int) -> list[int]:
        return random.Random(seed).sample(records, len(records))

    def approve() -> None:
        for _ in range(3):
            steps.decide(Item.objects.filter(state=State.READY).order_by("-pk"), access_of(pat))

    def refuse() -> None:
        for _ in range(3):
            items = Item.objects.filter(state=State.READY, record_id__in=shuffled(3)[:10])
            accept_services.reject(items, entity="vendor", reason="No", access=access_of(pat))

    def resend(seed: int) -> None:
        for _ in range(3):
            send("vendor", shuffled(seed), access=access_of(ada))
            retrieve("vendor", shuffled(seed)[:10], access=access_of(ada))

    def work() -> None:
        for _ in range(3):
            engine.drain(connection.pk)
            lease_recovery.expire_leases()

    at_once(approve, refuse, lambda: resend(1), lambda: resend(2), work, work)
    states = dict(Company.objects.values_list("pk", "erp_state"))
    latest = {item.record_id: item.state for item in Item.objects.order_by("pk")}
    assert all(states[pk] == latest.get(pk, "") for pk in records)


def act_on(verb: str, items: Sequence[Item], access: Access) -> None:
    """One click of one person on some items or their records."""
    records = [item.record_id for item in items]
    if verb == "accept":
        wanted = [decision(item, f"ID-{item.pk}") for item in items]
        accept_services.accept(wanted, entity="vendor", access=access)
    elif verb == "reject":
        rejected = Item.objects.filter(pk__in=[item.pk for item in items])
        accept_services.reject(rejected, entity="vendor", reason="No", access=access)
    else:
        {"retrieve": retrieve, "send": send}[verb]("vendor", records, access=access)


def test_a_hundred_approvers_and_senders_decide_each_item_once(make_items, account, access_of):
    people = UserFactory.create_batch(100)
    for user in people:
        MembershipFactory.create(
            user=user, account=account, account_admin=True, can_push_to_accounting=True
        )
    items = make_items(20)
    lots = random.Random(7)
    verbs = ["accept", "reject", "retrieve", "send"]
    clicks = [(lots.choice(verbs), lots.sample(items, 6), access_of(user)) for user in people]

    def click(choice: tuple[str, Sequence[Item], Access]) -> None:
        try:
            act_on(*choice)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(click, clicks, timeout=120))

    decided = Event.objects.filter(verb__in=["accept", "reject", "retrieve"])
    assert set(Counter(event.data["item"] for event in decided).values()) == {1}
    for item in items:
        items_of_record = Item.objects.filter(record_id=item.record_id)
        assert items_of_record.filter(state__in=sorted(OPEN)).count() <= 1
        latest = items_of_record.order_by("-pk")[0]
        assert Company.objects.get(pk=item.record_id).erp_state == on_record(latest.state)


def test_a_send_comes_before_the_connection_leads_elsewhere_or_after(
    connection, company, ada, access_of, monkeypatch
):
    """The change begins when the send has looked at everything, and not stored it yet."""
    store, changes = transitions.open_items, []

    def lead() -> str:
        try:
            config = {"ledger": f"other-{connection.public_id.hex}"}
            connection_identity.lead_elsewhere(Connection.objects.get(), config=config, by=ada)
        except ValidationError as error:
            return " ".join(error.messages)
        finally:
            databases.close_all()
        return "changed"

    def slowly(*args: Any, **kwargs: Any) -> None:
        changes.append(rival.submit(lead))
        wait(changes, timeout=1)
        store(*args, **kwargs)

    monkeypatch.setattr(transitions, "open_items", slowly)
    with ThreadPoolExecutor(1) as rival:
        assert send("vendor", [company.pk], access=access_of(ada)).done == 1
        assert "1 company is still open" in changes[0].result(60)
