"""The table of moves, and that states change in no other way."""

from __future__ import annotations

import re
import uuid
from dataclasses import astuple
from itertools import product
from pathlib import Path

import pytest
from django.db import connection as database
from django.db.models import Value
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

import erp_integrations
from directory.models import Company
from erp_integrations.clock import after
from erp_integrations.models import Connection, Item, Request, row_locks
from erp_integrations.models.states import BEFORE_ACCEPTANCE, IN_AIR, MOVING, OPEN, STATES, State
from erp_integrations.workflow import transitions
from erp_integrations.workflow.badges import (
    BADGES,
    DRIFTED,
    EVENT_WORDS,
    LINKED,
    NOT_SENT,
    SENDER_BADGES,
    UNLINKED,
    UPDATE_BACK,
)
from erp_integrations.workflow.transitions import MOVES
from erpbridge.audit.models import Event
from erpbridge.db import batches
from tests.erp_integrations.dying import locking
from tests.factories import CompanyFactory

S = State
# Written from docs/design/erp-integrations-states.md, "Moves", not from the table in the code.
DRAWN = {
    S.READY: {S.QUEUED, S.RETRIEVED, S.REJECTED, S.SYNCED},
    S.QUEUED: {S.SENDING, S.READY},
    S.SENDING: {S.SYNCED, S.QUEUED, S.FAILED, S.SUBMITTED, S.UNCERTAIN},
    S.SUBMITTED: {S.SYNCED, S.FAILED, S.UNCERTAIN},
    S.UNCERTAIN: {S.SYNCED, S.QUEUED, S.NEEDS_ANSWER},
    S.NEEDS_ANSWER: {S.SYNCED, S.QUEUED, S.REJECTED},
    S.FAILED: {S.QUEUED, S.REJECTED, S.SYNCED},
    S.SYNCED: {S.UNLINKED},
    S.UNLINKED: set(),
    S.RETRIEVED: set(),
    S.REJECTED: set(),
}


# The same by event: which of them leads where, and from where. A literal copy, so that a change of
# the one has to be a change of the other.
TABLE = {
    "accept": ({S.READY}, S.QUEUED),
    "retrieve": ({S.READY}, S.RETRIEVED),
    "reject": ({S.READY, S.FAILED, S.NEEDS_ANSWER}, S.REJECTED),
    "claim": ({S.QUEUED}, S.SENDING),
    "withdraw": ({S.QUEUED}, S.READY),
    "sync": ({S.SENDING, S.SUBMITTED, S.UNCERTAIN}, S.SYNCED),
    "postpone": ({S.SENDING}, S.QUEUED),
    "fail": ({S.SENDING, S.SUBMITTED}, S.FAILED),
    "submit": ({S.SENDING}, S.SUBMITTED),
    "lose": ({S.SENDING, S.SUBMITTED}, S.UNCERTAIN),
    "resend": ({S.UNCERTAIN}, S.QUEUED),
    "ask": ({S.UNCERTAIN}, S.NEEDS_ANSWER),
    "answer_there": ({S.NEEDS_ANSWER}, S.SYNCED),
    "answer_absent": ({S.NEEDS_ANSWER}, S.QUEUED),
    "retry": ({S.FAILED}, S.QUEUED),
    "link_instead": ({S.READY, S.FAILED}, S.SYNCED),
    "unlink": ({S.SYNCED}, S.UNLINKED),
}
# What a state is called in lists; and how a record shows it: key, words, color and icon of its
# badge. See docs/design/erp-integrations-states.md, "Badges".
WORDS = {
    S.READY: "Ready to export",
    S.QUEUED: "Exporting",
    S.SENDING: "Exporting",
    S.SUBMITTED: "Exporting",
    S.UNCERTAIN: "Exporting",
    S.NEEDS_ANSWER: "Needs an answer",
    S.FAILED: "Failed to export",
    S.SYNCED: "Synced",
    S.UNLINKED: "Unlinked",
    S.RETRIEVED: "Retrieved",
    S.REJECTED: "Rejected",
}
EXPORTING = ("exporting", "Exporting", "blue", "arrow-path")
SHOWN = {
    S.READY: ("ready", "Ready to export", "blue", "clock"),
    S.QUEUED: EXPORTING,
    S.SENDING: EXPORTING,
    S.SUBMITTED: EXPORTING,
    S.UNCERTAIN: EXPORTING,
    S.NEEDS_ANSWER: ("needs_answer", "Needs an answer", "red", "question-mark-circle"),
    S.FAILED: ("failed", "Failed to export", "red", "exclamation-triangle"),
    S.SYNCED: ("synced", "Synced", "green", "check-circle"),
    S.UNLINKED: ("unlinked", "Unlinked", "gray", "link-slash"),
    S.RETRIEVED: ("retrieved", "Retrieved", "yellow", "arrow-uturn-left"),
    S.REJECTED: ("rejected", "Rejected", "yellow", "no-symbol"),
}
SHOWN_OF_UPDATES = {
    S.RETRIEVED: ("retrieved", "Synced, update retrieved", "green", "check-circle"),
    S.REJECTED: ("rejected", "Synced, update rejected", "green", "check-circle"),
}
SHOWN_OTHERWISE = [
    ("none", "Not in ERP", "gray", "minus-circle"),
    ("synced", "Synced", "green", "check-circle"),
    ("unlinked", "Unlinked", "gray", "link-slash"),
    ("drifted", "Changed since sync", "yellow", "pencil-square"),
]
# What only the sender reads; Procore's status, and the list of the tool.
FOR_SENDERS = {S.READY: "Waiting for accounting"}
REST_AND_TAB = {
    S.READY: ("ready_to_export", "ready"),
    S.QUEUED: ("exporting", "exporting"),
    S.SENDING: ("exporting", "exporting"),
    S.SUBMITTED: ("exporting", "exporting"),
    S.UNCERTAIN: ("exporting", "exporting"),
    S.NEEDS_ANSWER: ("failed_to_export", "failed"),
    S.FAILED: ("failed_to_export", "failed"),
    S.SYNCED: ("synced", "synced"),
    S.UNLINKED: ("not_in_erp", None),
    S.RETRIEVED: ("not_in_erp", "returned"),
    S.REJECTED: ("rejected", "returned"),
}
# Events that are stored but move no item themselves.
WITHOUT_A_MOVE = {"send", "link", "use_anyway"}


@pytest.fixture
def make_item(account, ada):
    connection = Connection.objects.create(account=account, name="Any", adapter="simulator")

    def make(state: State) -> Item:
        return Item.objects.create(
            account=account,
            connection=connection,
            entity="vendor",
            record_id=CompanyFactory.create(account=account).pk,
            label="Quarry",
            operation="create",
            revision=1,
            payload={},
            digest="d",
            erp_id="7",
            intent=uuid.uuid4(),
            state=state,
            lease_until=after(60) if state == State.SENDING else None,
            sent_by=ada,
        )

    return make


def test_table_of_moves_is_the_drawing():
    arrows = {(source, target) for sources, target in MOVES.values() for source in sources}
    assert arrows == {(source, target) for source, targets in DRAWN.items() for target in targets}


def test_table_of_moves_is_this_table():
    assert dict(MOVES) == TABLE


def test_every_event_has_its_words():
    assert set(EVENT_WORDS) == set(TABLE) | WITHOUT_A_MOVE


def test_every_state_is_shown_as_drawn():
    assert {state: state.label for state in State} == WORDS
    assert {state: astuple(badge) for state, badge in BADGES.items()} == SHOWN
    assert {state: astuple(badge) for state, badge in UPDATE_BACK.items()} == SHOWN_OF_UPDATES
    assert [astuple(badge) for badge in (NOT_SENT, LINKED, UNLINKED, DRIFTED)] == SHOWN_OTHERWISE
    for_senders = {state: badge.label for state, badge in SENDER_BADGES.items()}
    assert for_senders == WORDS | FOR_SENDERS
    assert {state: (words.rest, words.tab) for state, words in STATES.items()} == REST_AND_TAB
    assert all(words.meaning.endswith(".") for words in STATES.values())


@pytest.mark.parametrize(("state", "event"), list(product(State, TABLE)))
def test_each_event_moves_items_only_from_where_the_table_says(make_item, ada, state, event):
    item = make_item(state)
    sources, target = TABLE[event]
    values = {"lease_until": Now() if target == State.SENDING else None}
    moved = transitions.move(event, Item.objects.filter(pk=item.pk), by=ada, values=values)
    item.refresh_from_db()
    noted = Event.objects.filter(entity="vendor", subject_id=item.record_id, verb=event)
    if state in sources:
        assert [row.pk for row in moved] == [item.pk]
        assert item.state == target
        assert noted.values_list("from_state", "to_state").get() == (state, target)
    else:
        assert moved == []
        assert item.state == state
        assert not noted.exists()


def test_record_shows_the_state_of_its_item(make_item, ada):
    item = make_item(State.READY)
    transitions.move("reject", Item.objects.filter(pk=item.pk), by=ada)
    company = CompanyFactory._meta.model.objects.get(pk=item.record_id)
    assert company.erp_state == State.REJECTED


def test_open_states_lock_and_states_in_the_air_own_their_key():
    assert set(State) - OPEN == {S.SYNCED, S.UNLINKED, S.RETRIEVED, S.REJECTED}
    assert {S.READY, S.FAILED} == OPEN - IN_AIR
    assert {S.NEEDS_ANSWER} == IN_AIR - MOVING
    assert {S.QUEUED, S.SENDING, S.SUBMITTED, S.UNCERTAIN} == MOVING
    assert {S.READY, S.RETRIEVED, S.REJECTED} == BEFORE_ACCEPTANCE
    assert set(BADGES) == set(State)


def test_no_module_but_transitions_sets_a_state():
    package = Path(erp_integrations.__file__).parent
    sets = re.compile(r"\.state\s*=(?!=)|update\([^)]*\bstate\s*=|bulk_update\([^)]*\"state\"")
    offenders = [
        path.name
        for path in package.rglob("*.py")
        if path.name != "transitions.py" and "migrations" not in path.parts
        if sets.search(path.read_text())
    ]
    assert offenders == []


def test_values_and_columns_of_their_own_are_stored_with_the_move(make_item, ada):
    first, second = make_item(State.READY), make_item(State.READY)
    transitions.move(
        "reject",
        Item.objects.all(),
        by=ada,
        values={"decision_note": Value("no")},
        item_columns={first.pk: {"error_text": "one"}, second.pk: {"error_text": "two"}},
    )
    stored = Item.objects.order_by("pk").values_list("state", "decision_note", "error_text")
    assert list(stored) == [("rejected", "no", "one"), ("rejected", "no", "two")]


# --- what a move tells, and leaves alone --------------------------------------------------------

ERROR_IS_TOLD = {"fail", "postpone", "lose", "ask"}


@pytest.mark.parametrize("event", TABLE)
def test_event_tells_what_became_of_the_item(make_item, ada, event):
    sources, target = TABLE[event]
    item = make_item(min(sources))
    Item.objects.update(error_text="e" * 501, digest="d1", revision=7)
    values = {"lease_until": Now() if target == State.SENDING else None}
    transitions.move(event, Item.objects.all(), by=ada, why="Because.", values=values)
    audit_event = Event.objects.get(entity="vendor")
    assert (audit_event.account, audit_event.actor, audit_event.note) == (
        item.account,
        ada,
        "Because.",
    )
    assert (audit_event.verb, audit_event.label, audit_event.subject_id) == (
        event,
        "Quarry",
        item.record_id,
    )
    data = {"item": str(item.public_id), "revision": 7, "digest": "d1"}
    if target == State.SYNCED:
        data["erp_id"] = "7"
    if event in ERROR_IS_TOLD:
        data["error"] = "e" * 500
    assert audit_event.data == data


def test_item_without_an_error_tells_none(make_item):
    make_item(State.SENDING)
    transitions.move("fail", Item.objects.all(), by=None, values={"lease_until": None})
    event = Event.objects.get(entity="vendor")
    assert "error" not in event.data
    assert event.actor is None


@pytest.mark.parametrize(("by_engine", "request_id"), [(True, "trace-1"), (False, "")])
def test_what_the_engine_does_it_does_for_whoever_decided(
    make_item, account, ada, by_engine, request_id
):
    make_item(State.QUEUED)
    make_item(State.QUEUED)
    click = Request.objects.create(
        account=account, entity="vendor", verb="accept", by=ada, trace_id="trace-1"
    )
    first = Item.objects.order_by("pk").first()
    Item.objects.filter(pk=first.pk).update(request=click)
    transitions.move("withdraw", Item.objects.all(), by=None if by_engine else ada)
    events = Event.objects.filter(entity="vendor").order_by("pk")
    assert list(events.values_list("request_id", flat=True)) == [request_id, ""]


def test_new_items_are_told_as_sent_and_shown_on_their_records(make_item, account, ada):
    made = make_item(State.READY)
    new = Item.objects.get(pk=made.pk)
    Item.objects.all().delete()
    new.pk, new._state.adding = None, True
    transitions.open_items([new], by=ada, why="Please.")
    event = Event.objects.get(entity="vendor")
    assert (event.verb, event.from_state, event.to_state) == ("send", "", "ready")
    assert (event.actor, event.note) == (ada, "Please.")
    assert Item.objects.get().state == State.READY
    assert Company.objects.get(pk=new.record_id).erp_state == State.READY


def test_move_shows_the_state_on_the_records_of_its_items_and_no_others(
    make_item, ada, monkeypatch
):
    monkeypatch.setattr(batches, "CHUNK", 2)
    moved = [make_item(State.READY) for _ in range(5)]
    other = make_item(State.QUEUED)
    returned = transitions.move("reject", Item.objects.all(), by=ada)
    assert [item.pk for item in returned] == [item.pk for item in moved]
    assert {item.state for item in returned} == {State.REJECTED}
    companies = Company.objects.filter(erp_state=State.REJECTED).order_by("pk")
    assert list(companies.values_list("pk", flat=True)) == [item.record_id for item in moved]
    assert Company.objects.get(pk=other.record_id).erp_state == ""


def test_parting_is_told_by_the_link_and_not_by_the_item(make_item):
    synced, other = make_item(State.SYNCED), make_item(State.FAILED)
    transitions.part(Item.objects.all())
    synced.refresh_from_db()
    other.refresh_from_db()
    assert (synced.state, other.state) == (State.UNLINKED, State.FAILED)
    assert not Event.objects.filter(entity="vendor").exists()
    assert Company.objects.get(pk=synced.record_id).erp_state == ""


def test_ids_come_in_pieces_of_one_statement(monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 2)
    assert [list(chunk) for chunk in batches.chunks([5, 6, 7, 8, 9])] == [[5, 6], [7, 8], [9]]
    assert list(batches.chunks([])) == []


def test_locks_are_taken_in_the_order_of_ids_and_leave_keys_alone(make_item, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 2)
    items = [make_item(State.READY) for _ in range(3)]
    with locking() as locked, CaptureQueriesContext(database) as asked:
        row_locks.lock_connections_of(Item.objects.all())
        row_locks.lock_records("vendor", [item.record_id for item in reversed(items)])
    assert [(lock.model, lock.order, lock.leaves_keys) for lock in locked] == [
        ("Connection", ("pk",), True),
        ("Company", ("pk",), True),
        ("Company", ("pk",), True),
    ]
    # Each once, and those of the items.
    ids = [item.record_id for item in items]
    assert f"IN ({items[0].connection_id})" in asked[1]["sql"]
    assert f"IN ({ids[0]}, {ids[1]})" in asked[2]["sql"]
    assert f"IN ({ids[2]})" in asked[3]["sql"]


def test_items_are_locked_by_id_alone_without_what_they_name(make_item, ada):
    make_item(State.READY)
    with locking() as locked:
        transitions.move("reject", Item.objects.all(), by=ada)
    assert [(lock.model, lock.order, lock.leaves_keys, lock.of) for lock in locked] == [
        ("Item", ("pk",), True, ("self",)),
    ]


@pytest.mark.shared
def test_records_are_locked_by_id_in_the_update_itself(make_item, ada):
    items = [make_item(State.READY), make_item(State.READY)]
    with CaptureQueriesContext(database) as queries:
        transitions.move("reject", Item.objects.all(), by=ada)
    (update,) = [
        query["sql"]
        for query in queries
        if query["sql"].startswith('UPDATE "directory_company" SET "erp_state"')
    ]
    records = ",".join(str(item.record_id) for item in items)
    assert update.count(f"'{{{records}}}'") == 2
    assert update.endswith("ORDER BY 1 ASC FOR NO KEY UPDATE))")
