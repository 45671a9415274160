"""What a lookup in the ERP decides about an item whose outcome is unknown."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from erp_integrations.adapters.base import (
    AdapterError,
    Ambiguous,
    Command,
    Delivery,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Manifest,
    Wire,
    WireField,
)
from erp_integrations.clock import after, ago, now
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import backoff, lease_recovery, uncertain_lookup
from erp_integrations.models import Attempt, Connection, Item, Link
from erp_integrations.models.states import State
from erpbridge.outgoing.uptime import uptime
from tests.factories import CompanyFactory, ConnectionFactory, ItemFactory

FENCE = 3


@dataclass
class Erp:
    """An adapter that would write these fields, and answers every lookup with ``answer``."""

    wire: dict[str, Any] = field(default_factory=lambda: {"name": "Quarry", "phone": "555"})
    answer: Any = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def preview(self, command: Command) -> Wire:
        written = [WireField(name, value, name) for name, value in self.wire.items()]
        return Wire((*written, WireField("Created by", "erpbridge")), "")

    def find(self, entity: str, key: str) -> Any:
        self.asked.append((entity, key))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def erp() -> Erp:
    return Erp()


def holds(**data: Any) -> Found:
    return Found("7", "QUARRY01", "v1", data)


OURS = holds(name="Quarry", phone="555", parent="1")


@pytest.fixture
def make(connection) -> Callable[..., Item]:
    def make_item(**columns: Any) -> Item:
        given = {
            "account": connection.account,
            "connection": connection,
            "state": State.UNCERTAIN,
            "intent": uuid.uuid4(),
            "erp_key": f"KEY{Item.objects.count()}",
            "fence": FENCE,
            "decided_fence": 1,
            "looks": 2,
            "check_after": ago(1),
            "not_before": ago(1),
        }
        return ItemFactory.create(**given | columns)

    return make_item


@pytest.fixture
def item(make) -> Item:
    """A create whose last look before sending found nothing there."""
    created = make()
    tried(created, first_look="absent")
    return created


def tried(item: Item, fence: int = FENCE, **columns: Any) -> Attempt:
    given = {"fence": fence, "worker": "w", "opened_reading": now()}
    return Attempt.objects.create(item=item, **given | columns)


def linked(item: Item, **columns: Any) -> Link:
    given = {"entity": item.entity, "record_id": item.record_id, "erp_id": "7"}
    return Link.objects.create(connection=item.connection, **given | columns)


@pytest.fixture
def decide(connection, erp) -> Callable[..., str]:
    """What became of the item."""

    def decide_by(item: Item, record: Any, *, settled: bool = True) -> str:
        uncertain_lookup.decide(connection, erp, item, record, settled=settled)
        item.refresh_from_db()
        return item.state

    return decide_by


# --- it is there ------------------------------------------------------------------------------


def test_what_was_not_there_before_and_is_as_we_sent_it_is_ours(item, decide):
    assert decide(item, OURS) == State.SYNCED
    assert (item.erp_id, item.erp_code, item.erp_version) == ("7", "QUARRY01", "v1")
    assert item.check_after is None
    link = Link.objects.get()
    assert (link.record_id, link.erp_id, link.erp_version) == (item.record_id, "7", "v1")


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ({"name": "Quarry", "phone": None}, {"name": "Quarry", "phone": ""}),
        ({"name": "Quarry", "phone": ""}, {"name": "Quarry", "phone": None}),
        ({"number": 7}, {"number": "7"}),
        ({"name": "Quarry", "phone": "555"}, {"name": "Quarry"}),
    ],
)
def test_values_are_compared_as_text_as_far_as_the_erp_tells_them(
    item, decide, erp, written, there
):
    erp.wire = written
    assert decide(item, holds(**there)) == State.SYNCED


@pytest.mark.parametrize(
    "there",
    [
        {"name": "Quarry", "phone": "556"},
        {"name": "Other", "phone": "555"},
        {"name": "Quarry", "phone": None},
        # Nothing to compare.
        {},
        {"parent": "1"},
    ],
)
def test_another_record_under_the_key_is_for_a_person_to_look_at(item, decide, there):
    assert decide(item, holds(**there)) == State.NEEDS_ANSWER
    assert (
        item.error_text == f"The ERP holds another record under {item.erp_key}, or more than one."
    )
    assert (item.error_class, item.check_after) == ("conflict", None)


def test_two_records_are_for_a_person_to_look_at(item, decide):
    assert decide(item, Ambiguous(("7", "8"))) == State.NEEDS_ANSWER
    assert "or more than one" in item.error_text


LOOKS: list[tuple[list[tuple[int, str]], str]] = [
    ([(2, "absent")], State.SYNCED),
    ([(2, "present")], State.NEEDS_ANSWER),
    ([(2, "")], State.NEEDS_ANSWER),
    ([], State.NEEDS_ANSWER),
    # The first look since the decision counts; later ones may have seen what we had sent.
    ([(2, "absent"), (3, "present")], State.SYNCED),
    ([(2, "present"), (3, "absent")], State.NEEDS_ANSWER),
    ([(2, ""), (3, "absent")], State.SYNCED),
    # That of an earlier decision was about another key, or another intent.
    ([(1, "present"), (2, "absent")], State.SYNCED),
    ([(1, "absent")], State.NEEDS_ANSWER),
]


@pytest.mark.parametrize(("looks", "state"), LOOKS)
def test_create_is_ours_only_if_nothing_was_there_before(make, decide, looks, state):
    item = make()
    for fence, said in reversed(looks):
        tried(item, fence, first_look=said)
    assert decide(item, OURS) == state


def test_what_another_record_holds_is_not_ours(item, decide, connection):
    other = linked(item, record_id=CompanyFactory.create(account=connection.account).pk)
    assert decide(item, OURS) == State.NEEDS_ANSWER
    Link.objects.update(ended_at=now())
    again = Item.objects.get()
    Item.objects.update(state=State.UNCERTAIN)
    assert decide(again, OURS) == State.SYNCED
    assert Link.objects.exclude(pk=other.pk).get().record_id == item.record_id


def test_what_a_record_of_another_type_or_connection_holds_takes_nothing_away(item, decide):
    linked(item, entity="cost_code", record_id=item.record_id + 1)
    elsewhere = ConnectionFactory.create(account=item.account)
    Link.objects.create(
        connection=elsewhere, entity="vendor", record_id=item.record_id + 1, erp_id="7"
    )
    assert decide(item, OURS) == State.SYNCED


def test_update_that_arrived_is_ours_without_a_look_before(make, decide):
    item = make(operation="update")
    linked(item, erp_version="v0")
    assert decide(item, OURS) == State.SYNCED
    assert Link.objects.get().erp_version == "v1"


# --- it is not there --------------------------------------------------------------------------


def test_absence_is_believed_once_nothing_can_take_effect_any_more(item, decide):
    intent = item.intent
    assert decide(item, None, settled=False) == State.UNCERTAIN
    # Looked too early, which does not count.
    assert item.looks == 1
    assert (item.check_after - now()).total_seconds() == 1
    assert decide(item, None) == State.QUEUED
    assert (item.check_after, item.not_before, item.looks) == (None, None, 0)
    assert item.intent == intent


def test_update_of_what_is_gone_is_for_a_person_to_look_at(make, decide):
    item = make(operation="update")
    assert decide(item, None, settled=False) == State.NEEDS_ANSWER
    assert item.error_text == f"{item.erp_key} is no longer in the ERP."


VERSIONS = [
    ("v1", State.QUEUED),
    ("v0", State.NEEDS_ANSWER),
    # An ERP that tells no version may have applied it.
    ("", State.NEEDS_ANSWER),
]


@pytest.mark.parametrize(("before", "state"), VERSIONS)
def test_update_that_left_the_version_as_it_was_is_sent_again(make, decide, before, state):
    item = make(operation="update")
    linked(item, erp_version=before)
    linked(item, erp_version="v1", record_id=item.record_id + 1, erp_id="8")
    assert decide(item, holds(name="Old")) == state


def test_update_of_what_tells_no_version_is_not_sent_again(make, decide):
    item = make(operation="update")
    linked(item, erp_version="")
    assert decide(item, replace(holds(name="Old"), erp_version="")) == State.NEEDS_ANSWER


@pytest.mark.parametrize("since", [{"looks": 5}, {"fence": 9}, {"state": State.SUBMITTED}])
@pytest.mark.parametrize("record", [OURS, None, holds(name="Other")])
@pytest.mark.parametrize("settled", [True, False])
def test_look_at_what_has_moved_on_since_decides_nothing(item, decide, since, record, settled):
    Item.objects.update(**since)
    before = Item.objects.values().get()
    decide(item, record, settled=settled)
    assert Item.objects.values().get() == before


# --- when it is believed ----------------------------------------------------------------------


def manifest(connection: Connection, **columns: Any) -> Manifest:
    given = {"call_deadline": 20.0, "settles_within": 7.0, "silent_after": 300.0}
    return replace(manifest_of(connection), **given | columns)


# Delivery -> seconds after which an answered try, and one that nobody answered, has settled.
SETTLES = {Delivery.SYNC: (27, 42), Delivery.POLLED: (27, 42), Delivery.QUEUED: (307, 322)}


@pytest.mark.parametrize("delivery", SETTLES)
@pytest.mark.parametrize("answered", [True, False])
def test_what_was_sent_has_settled_after_its_time_and_not_before(
    connection, item, settings, delivery, answered
):
    settings.ERPBRIDGE_LEASE_MARGIN = 30
    given = manifest(connection, delivery=delivery)
    seconds = SETTLES[delivery][0 if answered else 1]
    column = "answered_reading" if answered else "opened_reading"
    for age, settled in [(seconds - 1, False), (seconds, True)]:
        Attempt.objects.update(opened_reading=ago(10_000))
        Attempt.objects.update(**{column: ago(age)})
        assert uncertain_lookup.has_settled(item, given) is settled


def test_every_try_of_the_item_has_to_have_settled_and_no_other(connection, item, make):
    Attempt.objects.update(opened_reading=ago(10_000))
    tried(make())
    assert uncertain_lookup.has_settled(item, manifest(connection))
    tried(item, fence=4)
    assert not uncertain_lookup.has_settled(item, manifest(connection))


# --- looking ----------------------------------------------------------------------------------


def resolve(connection: Connection, erp: Erp, *, seconds: float = 60.0, **columns: Any) -> None:
    given = manifest(connection, **columns)
    uncertain_lookup.resolve_uncertain(connection, erp, given, until=uptime() + seconds)


def test_every_item_whose_time_has_come_is_looked_up_in_the_order_of_sending(connection, make, erp):
    items = [make() for _ in range(12)]
    Item.objects.filter(pk=items[1].pk).update(check_after=after(5))
    Item.objects.filter(pk=items[2].pk).update(state=State.SUBMITTED)
    elsewhere = ConnectionFactory.create(account=connection.account)
    make(connection=elsewhere)
    resolve(connection, erp)
    assert erp.asked == [("vendor", item.erp_key) for item in (items[0], *items[3:])]
    assert items[0].connection.items.filter(state=State.QUEUED).count() == 10


def test_nothing_is_looked_up_when_the_turn_is_over_or_the_connection_rests(
    connection, item, erp, ada
):
    resolve(connection, erp, seconds=0)
    Connection.objects.update(breaker_until=after(60))
    resolve(connection, erp)
    assert erp.asked == []


def test_erp_that_cannot_be_asked_leaves_all_of_them_to_a_person(connection, make, erp):
    items = [make(), make()]
    resolve(connection, erp, can_find=False)
    assert erp.asked == []
    for item in items:
        item.refresh_from_db()
        assert item.state == State.NEEDS_ANSWER
        assert (
            item.error_text == "This ERP has no lookup, so it is unknown whether it has the record."
        )


def test_look_that_fails_is_tried_again_later_and_ends_the_turn(connection, make, erp):
    items = [make(looks=2), make()]
    erp.answer = AdapterError(ErpError(ErrorClass.TRANSIENT, Effect.NOT_APPLIED, "Down."))
    resolve(connection, erp)
    assert len(erp.asked) == 1
    items[0].refresh_from_db()
    assert (items[0].state, items[0].looks) == (State.UNCERTAIN, 3)
    wait = (items[0].check_after - now()).total_seconds()
    assert wait == backoff.back_off(3, chance=1)
    connection.refresh_from_db()
    assert connection.breaker_failures == 1


def test_look_that_has_failed_too_often_is_left_to_a_person(connection, make, erp):
    items = [
        make(looks=uncertain_lookup.MOST_LOOKS - 2),
        make(looks=uncertain_lookup.MOST_LOOKS - 1),
    ]
    erp.answer = AdapterError(ErpError(ErrorClass.TRANSIENT, Effect.NOT_APPLIED, "Down."))
    resolve(connection, erp)
    resolve(connection, erp)
    states = [Item.objects.get(pk=item.pk).state for item in items]
    assert states == [State.UNCERTAIN, State.NEEDS_ANSWER]
    assert Item.objects.get(pk=items[1].pk).error_text == "The lookup in the ERP failed: Down."


def test_answered_look_ends_the_row_of_failures(connection, item, erp):
    Connection.objects.update(breaker_failures=3)
    resolve(connection, erp)
    connection.refresh_from_db()
    assert connection.breaker_failures == 0


def test_item_being_looked_up_is_kept_from_others_as_long_as_a_look_may_take(connection, make):
    items = [make(), make()]
    given = manifest(connection)
    first = uncertain_lookup.reserve_lookup(connection, given)
    assert (first, first.looks) == (items[0], 3)
    items[0].refresh_from_db()
    assert items[0].looks == 3
    assert (items[0].check_after - now()).total_seconds() == 20
    assert uncertain_lookup.reserve_lookup(connection, given) == items[1]
    assert uncertain_lookup.reserve_lookup(connection, given) is None


def test_connection_that_was_changed_meanwhile_is_asked_nothing(connection, item, erp):
    Connection.objects.update(config={"ledger": "another"})
    resolve(connection, erp)
    assert erp.asked == []


# --- a worker that has ended ------------------------------------------------------------------


def test_leases_expire_one_by_one_for_every_connection(connection, make):
    sending = {"state": State.SENDING, "check_after": None}
    other = ConnectionFactory.create(account=connection.account)
    expired = [
        make(**sending, lease_until=ago(1)),
        make(**sending, lease_until=ago(1), connection=other),
    ]
    alive = make(**sending, lease_until=after(5))
    answered, open_ = tried(expired[0], 2, outcome="uncertain"), tried(expired[0])
    theirs = tried(alive)
    assert lease_recovery.expire_leases() == 2
    for item in expired:
        item.refresh_from_db()
        assert (item.state, item.lease_until, item.check_after) == (State.UNCERTAIN, None, now())
    alive.refresh_from_db()
    assert alive.state == State.SENDING
    became = [Attempt.objects.get(pk=attempt.pk).outcome for attempt in (answered, open_, theirs)]
    assert became == ["uncertain", "lost", "open"]


def test_tick_also_wakes_waiting_jobs_and_clears_old_tokens(connection, monkeypatch):
    done = []
    monkeypatch.setattr(lease_recovery, "wake_due", lambda: done.append("jobs"))
    monkeypatch.setattr(lease_recovery.tokens, "clear_old", lambda: done.append("tokens"))
    assert lease_recovery.tick(period=-1)
    assert not lease_recovery.tick(period=60)
    assert done == ["jobs", "tokens"]
