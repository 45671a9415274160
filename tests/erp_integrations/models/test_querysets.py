"""Which items and links a list contains, how many they are, and what is shown beside them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from directory.models import Company
from erp_integrations.models import Connection, Item, Link, querysets
from erp_integrations.models.querysets import capped, search, tab_counts
from erp_integrations.models.states import BEFORE_ACCEPTANCE, ItemTab, State, states_of_tab
from tests.factories import (
    AccountFactory,
    CompanyFactory,
    ConnectionFactory,
    ItemFactory,
    ProjectFactory,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def connection(account) -> Connection:
    return ConnectionFactory.create(account=account)


@pytest.fixture
def make(connection):
    """An item of the connection, in some state."""

    def make_item(state: State = State.READY, **columns: Any) -> Item:
        given = {"account": connection.account, "connection": connection, "state": state}
        if state not in BEFORE_ACCEPTANCE:
            given["intent"] = uuid.uuid4()
        if state == State.SENDING:
            given["lease_until"] = NOON
        if state == State.SYNCED:
            given["erp_id"] = "7"
        return ItemFactory.create(**given | columns)

    return make_item


def link(connection: Connection, number: int, **columns: Any) -> Link:
    given = {"entity": "cost_code", "record_id": number, "erp_id": str(number)}
    return Link.objects.create(connection=connection, **given | columns)


# --- the lists of the tool --------------------------------------------------------------------


def test_lists_are_these_in_this_order():
    assert [(tab.value, tab.label, set(states_of_tab(tab))) for tab in ItemTab] == [
        ("ready", "Ready to export", {"ready"}),
        ("exporting", "Exporting", {"queued", "sending", "submitted", "uncertain"}),
        ("failed", "Failed to export", {"failed", "needs_answer"}),
        ("synced", "Synced", {"synced"}),
        ("returned", "Rejected & retrieved", {"rejected", "retrieved"}),
    ]


def returned(item: Item, **record: Any) -> bool:
    """Whether the item is among the returned ones, and its record shows that."""
    Company.objects.filter(pk=item.record_id).update(**{"erp_state": item.state} | record)
    return Item.objects.tab("returned").filter(pk=item.pk).exists()


@pytest.mark.parametrize("state", [State.REJECTED, State.RETRIEVED])
def test_what_was_handed_back_is_listed_while_it_stands_so(make, state):
    assert returned(make(state))
    # Linked otherwise since; the same of an update, which is of a record that is linked.
    assert not returned(make(state), origin_id="7")
    assert returned(make(state, operation="update"), origin_id="7")
    # Decided otherwise since, or deleted.
    assert not returned(make(state), erp_state=State.READY)
    assert not returned(make(state, operation="update"), erp_state=State.READY, origin_id="7")
    deleted = make(state)
    Company.objects.filter(pk=deleted.record_id).delete()
    assert not returned(deleted)


def test_what_was_handed_back_is_listed_once_by_its_last_item(make):
    first = make(State.REJECTED)
    again = make(State.REJECTED, record_id=first.record_id)
    assert returned(again)
    assert not returned(first)
    # Neither another record of the number nor another record sent later takes it away.
    make(State.READY, entity="cost_code", record_id=again.record_id)
    make(State.READY)
    assert returned(again)


def test_a_record_of_another_type_does_not_stand_for_it(make):
    company = CompanyFactory.create(erp_state=State.REJECTED)
    make(State.REJECTED, entity="cost_code", record_id=company.pk)
    assert not Item.objects.tab("returned").exists()


def test_open_items_are_those_that_lock_their_record(make):
    for state in State:
        make(state)
    closed = {State.SYNCED, State.UNLINKED, State.RETRIEVED, State.REJECTED}
    assert set(Item.objects.open().values_list("state", flat=True)) == set(State) - closed


# --- parents ----------------------------------------------------------------------------------


def test_what_an_item_waits_for_is_told_by_the_last_item_of_its_parent(make, account):
    make(State.REJECTED, entity="cost_code", record_id=5, label="Old", error_text="old")
    make(State.FAILED, entity="cost_code", record_id=5, label="03 Concrete", error_text="No.")
    make(entity="vendor", record_id=5, label="Not this")
    make(entity="cost_code", record_id=6, label="Nor this")
    other = ConnectionFactory.create(account=AccountFactory.create())
    ItemFactory.create(
        account=other.account, connection=other, entity="cost_code", record_id=5, label="Nor this"
    )
    child = make(entity="cost_code", record_id=7, waits_for=5)
    loaded = Item.objects.with_parent().get(pk=child.pk)
    parent_columns = (loaded.parent_label, loaded.parent_state, loaded.parent_error)
    assert parent_columns == ("03 Concrete", State.FAILED, "No.")
    # An index happens to give the last one first.
    assert str(Item.objects.with_parent().query).count('"id" DESC LIMIT 1') == 3


# --- divisions --------------------------------------------------------------------------------


def test_divisions_of_items_are_the_codes_of_the_first_tier(make):
    for path in (["03", "300"], ["01", "100"], ["03", "100"], ["9"]):
        make(entity="cost_code", record_id=Item.objects.count() + 1, payload={"path": path})
    make()
    assert Item.objects.order_by("-pk").divisions() == ["01", "03", "9"]
    assert Item.objects.in_division("03").count() == 2


def test_divisions_of_links_are_those_that_were_taken_or_else_sent(make, connection):
    sent = make(State.SYNCED, entity="cost_code", record_id=4, payload={"path": ["04", "100"]})
    link(connection, 1, synced_payload={"path": ["03", "300"]})
    link(connection, 2, synced_payload={"path": ["01"]})
    # Linked to what the ERP held, by an item of another code than it was synced with, and by hand.
    link(connection, 3, item=sent)
    link(connection, 4, item=sent, synced_payload={"path": ["03", "100"]})
    link(connection, 5)
    assert Link.objects.order_by("-pk").divisions() == ["01", "03", "04"]
    assert in_division("03") == [1, 4]
    assert in_division("04") == [3]
    assert in_division("01") == [2]


def in_division(code: str) -> list[int]:
    links = Link.objects.in_division(code).order_by("record_id")
    return list(links.values_list("record_id", flat=True))


# --- counts, and words ------------------------------------------------------------------------


def test_counts_stop_one_past_the_cap(make, connection, monkeypatch):
    monkeypatch.setattr(querysets, "MOST_COUNTED", 2)
    for number in range(6):
        assert Item.objects.capped_count() == min(number, 3)
        assert Link.objects.capped_count() == min(number, 3)
        make()
        link(connection, number)


def test_counted_past_the_cap_is_shown_so():
    assert [capped(count) for count in (0, 999, 1_000, 1_001)] == ["0", "999", "1,000", "1,000+"]


def test_lists_are_counted_by_items_but_synced_by_links(make, connection):
    for state in State:
        item = make(state)
        Company.objects.filter(pk=item.record_id).update(erp_state=state)
    for number in range(5):
        link(connection, number, ended_at=NOON if number > 2 else None)
    assert tab_counts(Item.objects.all(), Link.objects.all()) == {
        "ready": 1,
        "exporting": 4,
        "failed": 2,
        "synced": 3,
        "returned": 2,
    }


def test_every_word_of_a_search_must_occur(make):
    quarry, _other = make(label="Quarry & Sons"), make(label="Sons of Stone")
    assert list(search(Item.objects.all(), "sons QUARRY")) == [quarry]
    assert not search(Item.objects.all(), "quarry stone").exists()


# --- who sees them ----------------------------------------------------------------------------


@pytest.fixture
def in_two_projects(make, connection, account, project):
    """Items sent from the account and from two projects, and an active link of each."""
    elsewhere = ProjectFactory.create(account=account)
    for number, sent_from in enumerate((None, project, elsewhere)):
        item = make(State.SYNCED, entity="cost_code", record_id=number, project=sent_from)
        link(connection, number, item=item)
    other = ConnectionFactory.create(account=AccountFactory.create())
    ItemFactory.create(account=other.account, connection=other, record_id=9)
    link(other, 9)
    # Neither the same number of another type, nor another record, was sent from the project.
    make(State.SYNCED, entity="vendor", record_id=0, project=project)


def seen_by(access) -> tuple[list[int], list[int]]:
    items = Item.objects.filter(entity="cost_code").visible_to(access).order_by("record_id")
    links = Link.objects.visible_to(access).order_by("record_id")
    return (
        list(items.values_list("record_id", flat=True)),
        list(links.values_list("record_id", flat=True)),
    )


def test_items_and_links_are_seen_in_the_account_and_in_a_project_those_of_the_project(
    in_two_projects, access_of, ada, project
):
    assert seen_by(access_of(ada)) == ([0, 1, 2], [0, 1, 2])
    assert seen_by(access_of(ada, project)) == ([1], [1])


def test_without_the_tool_nothing_is_seen(in_two_projects, access_of, sam):
    access = access_of(sam)
    assert not access.can("items.view")
    assert seen_by(access) == ([], [])
