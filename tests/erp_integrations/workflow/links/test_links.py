"""Making and ending links: what the link, the record, its items and its history show then."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from directory.models import Company
from erp_integrations.clock import now
from erp_integrations.models import Connection, Item, Link, erp_records
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import State
from erp_integrations.workflow.links import record_columns
from erp_integrations.workflow.links import services as link_services
from erp_integrations.workflow.links.settlement import ErpRef, settle_synced
from erpbridge.audit.models import Event
from tests.erp_integrations.dying import deaths, locking
from tests.factories import CompanyFactory, ConnectionFactory, ItemFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(connection, ada) -> Callable[..., Item]:
    """An item whose ERP ID is 7."""

    def make_item(**columns: Any) -> Item:
        given = {
            "account": connection.account,
            "connection": connection,
            "state": State.SYNCED,
            "intent": uuid.uuid4(),
            "erp_id": "7",
            "erp_code": "QUARRY01",
            "erp_version": "v1",
            "label": "Quarry",
            "payload": {"name": "Quarry"},
            "digest": "d1",
            "decided_by": ada,
        }
        return ItemFactory.create(**given | columns)

    return make_item


def linked(connection: Connection, record_id: int, **columns: Any) -> Link:
    given = {"entity": "vendor", "record_id": record_id, "erp_id": "7", "label": "Old"}
    return Link.objects.create(connection=connection, **given | columns)


def make_links(connection: Connection, items: list[Item], **how: Any) -> None:
    """Settle items as synced with their ERP IDs, which links their records."""
    rows = Item.objects.filter(pk__in=[item.pk for item in items])
    rows.update(state=State.UNCERTAIN)
    refs = {item.pk: ErpRef(item.erp_id, item.erp_code, item.erp_version) for item in items}
    assert settle_synced(connection, rows, refs, **how) == set(refs)


def held_elsewhere(connection: Connection, erp_ids: dict[int, str]) -> set[int]:
    items = list(Item.objects.filter(pk__in=erp_ids))
    near = link_services.links_near(connection, items, erp_ids)
    return link_services.held_elsewhere(items, near, erp_ids)


def erp_columns(item: Item) -> tuple[str, str, bool]:
    row = Company.objects.get(pk=item.record_id)
    return row.origin_id, row.origin_code, row.drifted


# --- whole, and in order ----------------------------------------------------------------------


def test_linking_and_ending_that_die_leave_nothing_behind(connection, make, ada):
    first = make()
    make_links(connection, [first], by=None)
    item = make(record_id=first.record_id, erp_id="", state=State.UNCERTAIN)
    refs = {item.pk: ErpRef("8", "QUARRY01")}
    assert deaths(lambda: settle_synced(connection, Item.objects.all(), refs, by=ada)) == []
    link = Link.objects.active().get()
    assert deaths(lambda: link_services.end([link], by=ada, why="Wrong.")) == []


def test_links_are_locked_by_their_ids_and_nothing_that_they_name(connection, ada):
    link = linked(connection, 1)
    with locking() as locked:
        link_services.end([link], by=ada, why="Wrong.")
    (lock,) = [lock for lock in locked if lock.model == "Link"]
    assert (lock.order, lock.of) == (("pk",), ("self",))


# --- looking ----------------------------------------------------------------------------------


def test_links_of_records_are_the_active_ones_of_the_connection_and_the_record_type(
    connection, monkeypatch
):
    monkeypatch.setattr("erpbridge.db.batches.CHUNK", 2)
    wanted = [linked(connection, number, erp_id=str(number)) for number in range(5)]
    linked(connection, 5, ended_at=now())
    linked(connection, 6, entity="cost_code")
    linked(ConnectionFactory.create(account=connection.account), 7)
    linked(connection, 8, erp_id="8")
    assert erp_records.active_links(connection, "vendor", range(8)) == {
        link.record_id: link for link in wanted
    }


def test_holder_of_an_id_is_the_record_that_is_linked_to_it_now(connection):
    assert link_services.holder_of(connection, "vendor", "7") is None
    linked(connection, 1, ended_at=now())
    linked(connection, 2, entity="cost_code")
    linked(connection, 3, erp_id="8")
    linked(ConnectionFactory.create(account=connection.account), 4)
    assert link_services.holder_of(connection, "vendor", "7") is None
    link = linked(connection, 5)
    assert link_services.holder_of(connection, "vendor", "7") == link


def test_id_is_held_elsewhere_if_another_record_has_it_or_gets_it_before(connection, make):
    first, same, second, free = make(), make(), make(), make()
    Item.objects.filter(pk=same.pk).update(record_id=first.record_id)
    wanted = {first.pk: "7", same.pk: "7", second.pk: "7", free.pk: "8"}
    assert held_elsewhere(connection, wanted) == {second.pk}
    linked(connection, second.record_id)
    assert held_elsewhere(connection, wanted) == {first.pk, same.pk}


@pytest.mark.parametrize("other", [{"ended_at": "now"}, {"entity": "cost_code"}, {"erp_id": "9"}])
def test_other_links_hold_nothing(connection, make, other):
    item = make()
    given = other | ({"ended_at": now()} if "ended_at" in other else {})
    linked(connection, item.record_id + 1, **given)
    linked(ConnectionFactory.create(account=connection.account), item.record_id + 1)
    assert held_elsewhere(connection, {item.pk: "7"}) == set()


# --- linking ----------------------------------------------------------------------------------


def test_linking_keeps_what_was_sent_and_shows_it_on_the_record(connection, make, ada):
    items = [make(), make(erp_id="8", erp_code="STONE", label="Stone")]
    Company.objects.update(drifted=True)
    make_links(connection, items, by=None)
    link, other = Link.objects.order_by("pk")
    assert (link.connection, link.entity, link.record_id) == (
        connection,
        "vendor",
        items[0].record_id,
    )
    assert (link.erp_id, link.erp_code, link.erp_version) == ("7", "QUARRY01", "v1")
    assert (link.label, link.item, link.told) == ("Quarry", items[0], False)
    assert (link.synced_payload, link.synced_digest) == ({"name": "Quarry"}, "d1")
    assert (link.linked_by, link.ended_at) == (ada, None)
    assert (other.erp_id, other.label) == ("8", "Stone")
    assert [erp_columns(item) for item in items] == [
        ("7", "QUARRY01", False),
        ("8", "STONE", False),
    ]


def test_linking_to_what_the_erp_has_of_its_own_shows_as_a_change_since(connection, make):
    item, pat = make(), UserFactory.create()
    make_links(connection, [item], by=pat, as_sent=False)
    link = Link.objects.get()
    assert (link.synced_payload, link.synced_digest, link.linked_by) == ({}, "", pat)
    assert erp_columns(item) == ("7", "QUARRY01", True)


def test_linking_again_renews_the_link(connection, make, ada):
    first = make()
    make_links(connection, [first], by=None)
    Link.objects.update(told=True)
    item = make(
        record_id=first.record_id,
        erp_code="QUARRY02",
        erp_version="v2",
        label="New",
        payload={"name": "New"},
        digest="d2",
    )
    make_links(connection, [item], by=UserFactory.create())
    link = Link.objects.get()
    assert (link.erp_code, link.erp_version, link.label) == ("QUARRY02", "v2", "New")
    assert (link.item, link.told) == (item, False)
    assert (link.synced_payload, link.synced_digest) == ({"name": "New"}, "d2")
    # The person who linked it first.
    assert link.linked_by == ada
    assert erp_columns(item) == ("7", "QUARRY02", False)


def test_linking_to_another_record_of_the_erp_ends_the_first_link(connection, make, ada):
    first = make()
    make_links(connection, [first], by=None)
    item = make(record_id=first.record_id, erp_id="8")
    make_links(connection, [item], by=ada)
    old, new = Link.objects.order_by("pk")
    assert (old.erp_id, old.ended_by, old.ended_why) == ("7", ada, "Linked to 8 instead")
    assert old.ended_at is not None
    assert (new.erp_id, new.ended_at) == ("8", None)
    first.refresh_from_db()
    assert first.state == State.UNLINKED


@pytest.mark.parametrize("other", [{"entity": "cost_code"}, {"ended_at": "now"}])
def test_linking_leaves_other_links_of_the_number_alone(connection, make, other):
    item = make()
    given = other | ({"ended_at": now()} if "ended_at" in other else {})
    before = [
        linked(connection, item.record_id, **given),
        linked(ConnectionFactory.create(account=connection.account), item.record_id),
        linked(connection, item.record_id + 1, erp_id="9"),
    ]
    make_links(connection, [item], by=None)
    assert Link.objects.count() == 4
    assert {link.label for link in before} == {
        link.label for link in Link.objects.filter(pk__in=[link.pk for link in before])
    }


def test_linking_lets_go_what_waited_for_the_record(connection, make):
    item = make()
    waiting = {"state": State.QUEUED, "erp_id": ""}
    child = make(**waiting, erp_key="A", waits_for=item.record_id)
    others = [
        make(**waiting, erp_key="B", waits_for=item.record_id + 1),
        make(**waiting, erp_key="C", waits_for=item.record_id, entity="cost_code"),
        make(
            **waiting,
            erp_key="D",
            waits_for=item.record_id,
            connection=ConnectionFactory.create(account=connection.account),
        ),
    ]
    make_links(connection, [item], by=None)
    child.refresh_from_db()
    assert child.waits_for is None
    assert not Item.objects.filter(pk__in=[other.pk for other in others], waits_for=None).exists()


def test_record_that_is_linked_counts_as_changed_for_programs(connection, make):
    item = make()
    Company.objects.update(updated_at="2020-01-01T00:00Z")
    make_links(connection, [item], by=None)
    assert Company.objects.get(pk=item.record_id).updated_at.year > 2020


# --- settling as synced -----------------------------------------------------------------------


def test_what_another_record_holds_stays_as_it_is_and_the_others_are_settled(connection, make):
    sending = {"state": State.UNCERTAIN, "erp_id": "", "erp_code": "", "erp_version": ""}
    items = [make(**sending, erp_key=f"KEY{number}") for number in range(3)]
    linked(connection, 0, erp_id="1")
    refs = {item.pk: ErpRef(str(number), "CODE", "v") for number, item in enumerate(items)}
    first_two = Item.objects.exclude(pk=items[2].pk)
    assert settle_synced(connection, first_two, refs) == {items[0].pk}
    states = list(Item.objects.order_by("pk").values_list("state", flat=True))
    assert states == [State.SYNCED, State.UNCERTAIN, State.UNCERTAIN]


def test_answer_of_a_person_is_told_as_theirs_with_what_they_say(connection, make):
    item, pat = make(state=State.NEEDS_ANSWER, erp_id="", waits_for=9), UserFactory.create()
    items = Item.objects.filter(pk=item.pk)
    settled = settle_synced(
        connection,
        items,
        {item.pk: ErpRef("8", "CODE", "v")},
        event="answer_there",
        by=pat,
        why="Looked.",
        as_sent=False,
        columns={"decision_note": "Looked."},
    )
    assert settled == {item.pk}
    item.refresh_from_db()
    assert (item.erp_id, item.erp_code, item.erp_version) == ("8", "CODE", "v")
    assert (item.waits_for, item.decision_note) == (None, "Looked.")
    event = Event.objects.get(verb="answer_there")
    assert (event.actor, event.note) == (pat, "Looked.")
    link = Link.objects.get()
    assert (link.linked_by, link.synced_payload) == (pat, {})
    assert erp_columns(item) == ("8", "CODE", True)


def test_what_waits_for_a_linked_parent_is_let_go_and_nothing_else(connection, make):
    linked(connection, 7)
    linked(connection, 8, ended_at=now(), erp_id="8")
    linked(connection, 9, entity="cost_code", erp_id="9")
    linked(ConnectionFactory.create(account=connection.account), 10, erp_id="10")
    for number in range(7, 12):
        make(state=State.QUEUED, erp_key=f"KEY{number}", waits_for=number, erp_id="")
    erp_records.release_linked(connection)
    waiting = Item.objects.order_by("pk").values_list("waits_for", flat=True)
    assert list(waiting) == [None, 8, 9, 10, 11]


# --- ending -----------------------------------------------------------------------------------


def test_ending_says_who_and_why_and_tells_items_and_history(connection, make, ada):
    item = make()
    make_links(connection, [item], by=None)
    others = [
        make(record_id=item.record_id, erp_id="8"),
        make(),
        make(record_id=item.record_id, entity="cost_code"),
        make(
            record_id=item.record_id,
            connection=ConnectionFactory.create(account=connection.account),
        ),
    ]
    kept = linked(connection, others[1].record_id, erp_id="9")
    link = Link.objects.get(record_id=item.record_id)
    assert link_services.end([link], by=ada, why="Wrong vendor.") == [link]
    link.refresh_from_db()
    assert link.ended_at is not None
    assert (link.ended_by, link.ended_why) == (ada, "Wrong vendor.")
    item.refresh_from_db()
    assert item.state == State.UNLINKED
    assert {other.state for other in Item.objects.exclude(pk=item.pk)} == {State.SYNCED}
    kept.refresh_from_db()
    assert kept.ended_at is None
    event = Event.objects.get(verb="unlink")
    assert (event.account, event.actor, event.note) == (connection.account, ada, "Wrong vendor.")
    assert (event.entity, event.subject_id, event.label) == ("vendor", item.record_id, str(link))
    assert (event.from_state, event.to_state) == ("synced", "unlinked")
    assert event.data == {"erp_id": "7", "item": str(item.public_id)}


def test_link_without_an_item_ends_without_states(connection, ada):
    link = linked(connection, 1)
    link_services.end([link], by=None, why="Gone.")
    event = Event.objects.get(verb="unlink")
    assert (event.from_state, event.to_state, event.data) == ("", "", {"erp_id": "7"})
    assert event.actor is None


def test_what_has_ended_before_is_not_ended_again(connection, ada, monkeypatch):
    monkeypatch.setattr("erpbridge.db.batches.CHUNK", 2)
    open_ = [linked(connection, number, erp_id=str(number)) for number in range(3)]
    over = linked(connection, 9, ended_at=now(), ended_why="Before.")
    assert link_services.end([over, *reversed(open_)], by=ada, why="Now.") == [
        # The ids of one statement after another's, in order among themselves.
        open_[2],
        *open_[:2],
    ]
    over.refresh_from_db()
    assert over.ended_why == "Before."
    assert Event.objects.filter(verb="unlink").count() == 3


def test_ends_of_two_accounts_are_told_to_each(connection, account, other_account, ada):
    other = ConnectionFactory.create(account=other_account)
    link_services.end([linked(connection, 1), linked(other, 1)], by=ada, why="Both.")
    events = Event.objects.filter(verb="unlink").order_by("account")
    assert {event.account_id for event in events} == {account.pk, other_account.pk}


def test_shown_ids_are_those_of_each_record(monkeypatch):
    monkeypatch.setattr("erpbridge.db.batches.CHUNK", 2)
    companies = [CompanyFactory.create() for _ in range(5)]
    others = CompanyFactory.create(origin_id="1", drifted=True)
    record_columns.show_link(
        record_type("vendor"),
        {company.pk: (str(company.pk), f"C{company.pk}") for company in companies},
    )
    for company in companies:
        company.refresh_from_db()
        assert (company.origin_id, company.origin_code, company.drifted) == (
            str(company.pk),
            f"C{company.pk}",
            False,
        )
    others.refresh_from_db()
    assert (others.origin_id, others.drifted) == ("1", True)
