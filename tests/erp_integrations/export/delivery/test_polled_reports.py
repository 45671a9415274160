"""Single calls of an ERP that asks: what it is given for what it reports, in any protocol."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from erp_integrations.adapters.base import (
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Handed,
    InboundAsk,
    InboundCall,
    InboundReply,
    LookUp,
    Outcome,
    Report,
    Seen,
)
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.clock import ago, now
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import engine, uncertain_lookup
from erp_integrations.export.claim import lease
from erp_integrations.export.delivery import login_lockout, polled
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erpbridge.clock.measured import STEP
from tests.erp_integrations import steps
from tests.factories import ConnectionFactory, ItemFactory

CALL = InboundCall("POST", "", {}, b"")
REPLY = InboundReply(200, "application/json", b"{}")
Talk = Callable[..., tuple[list[Handed], list[LookUp]]]


@pytest.fixture
def connection(connection) -> Connection:
    steps.change_config(connection, delivery="polled")
    return connection


@pytest.fixture
def talk(connection, monkeypatch) -> Talk:
    """One call with this content; returns the commands and questions of the answer."""

    def ask(**said: Any) -> tuple[list[Handed], list[LookUp]]:
        given: list[Any] = []

        def reply(_self: Any, _ask: Any, commands: Any, looks: Any) -> InboundReply:
            given.extend((list(commands), list(looks)))
            return REPLY

        def receive(_self: Any, call: InboundCall) -> InboundAsk:
            assert call == CALL
            return InboundAsk(**{"take": 20} | said)

        monkeypatch.setattr(SimulatorAdapter, "receive", receive)
        monkeypatch.setattr(SimulatorAdapter, "reply", reply)
        assert polled.answer(connection, CALL) == REPLY
        commands, looks = given
        return commands, looks

    return ask


@pytest.fixture
def no_find(monkeypatch) -> None:
    """The ERP cannot be asked by key."""
    manifest = SimulatorAdapter.manifest
    monkeypatch.setattr(
        SimulatorAdapter,
        "manifest",
        classmethod(lambda _cls, config: replace(manifest(config), can_find=False)),
    )


def queued(connection: Connection, count: int = 1, **columns: Any) -> list[Item]:
    given = {"account": connection.account, "connection": connection, "state": State.QUEUED}
    return [
        ItemFactory.create(**given | {"intent": uuid.uuid4(), "erp_key": f"KEY{number}"} | columns)
        for number in range(count)
    ]


def uncertain(connection: Connection, count: int = 1, **columns: Any) -> list[Item]:
    given = {"state": State.UNCERTAIN, "check_after": ago(1), "fence": 3}
    return queued(connection, count, **given | columns)


def ticket(kind: str, item: Item) -> str:
    item.refresh_from_db()
    return f"{kind}.{item.intent}.{item.fence}.{item.looks}"


def states() -> list[str]:
    return list(Item.objects.order_by("pk").values_list("state", flat=True))


def absent(look: LookUp) -> Seen:
    return Seen(look.ticket, None)


# --- new items --------------------------------------------------------------------------------


def test_create_is_asked_about_first_and_handed_over_once_its_key_is_free(connection, talk):
    (item,) = queued(connection)
    commands, looks = talk()
    assert (commands, looks) == ([], [LookUp(ticket("first", item), "vendor", "KEY0")])
    (handover,), looks = talk(seen=(absent(looks[0]),))
    assert looks == []
    assert (handover.ticket, handover.command.key) == (ticket("do", item), "KEY0")
    assert handover.begin_within == manifest_of(connection).call_deadline
    assert states() == [State.SENDING]


def test_update_is_handed_over_at_once(connection, talk):
    (item,) = queued(connection, operation="update")
    connection.links.create(entity="vendor", record_id=item.record_id, erp_id="7", erp_version="v1")
    (handover,), looks = talk()
    assert (handover.ticket, looks) == (ticket("do", item), [])
    assert (handover.command.erp_id, handover.command.erp_version) == ("7", "v1")


def test_child_is_handed_over_with_what_the_erp_calls_its_parent(connection, talk):
    connection.links.create(entity="vendor", record_id=7, erp_id="77")
    queued(connection, operation="update", parent_id=7)
    (handover,), _looks = talk()
    assert handover.command.parent_erp_id == "77"


def test_create_for_an_erp_that_cannot_be_asked_by_key_is_handed_over_at_once(
    connection, talk, no_find
):
    queued(connection)
    commands, looks = talk()
    assert ([handover.command.key for handover in commands], looks) == (["KEY0"], [])


@pytest.mark.parametrize(("take", "given"), [(-5, 0), (0, 0), (2, 2), (3, 3), (99, 3)])
def test_erp_is_given_no_more_than_it_takes_or_may_have(connection, talk, monkeypatch, take, given):
    monkeypatch.setattr(polled, "MOST_TAKEN", 3)
    queued(connection, 4)
    assert len(talk(take=take)[1]) == given
    assert states().count(State.SENDING) == given


def test_what_goes_out_counts_as_taken(connection, talk):
    queued(connection, 5)
    _commands, looks = talk(take=2)
    commands, more = talk(take=3, seen=tuple(absent(look) for look in looks))
    assert (len(commands), len(more)) == (2, 1)


def test_key_that_is_taken_fails_the_item_with_what_is_there(connection, talk, caplog):
    caplog.set_level("INFO", "erp_integrations.workflow.tracing")
    (item,) = queued(connection)
    _commands, (look,) = talk()
    there = Seen(look.ticket, Found("41", "KEY0", "v1", {"name": "By hand"}))
    assert talk(seen=(there, there)) == ([], [])
    item.refresh_from_db()
    assert (item.state, item.error_class) == (State.FAILED, "duplicate")
    assert "By hand" in item.error_text
    assert item.error_field == "vendor_id"
    tries = item.tries.values_list("first_look", "erp_id", "outcome")
    assert list(tries) == [("present", "41", "not_applied")]
    seen = [record.outcome for record in caplog.records if record.event == "look_up"]
    assert seen[0] == "one"


def test_second_answer_to_the_first_look_is_not_believed(connection, talk):
    queued(connection)
    _commands, (look,) = talk()
    assert len(talk(seen=(absent(look),))[0]) == 1
    assert talk(seen=(Seen(look.ticket, Found("41", "KEY0", "v1", {})),)) == ([], [])
    assert talk(seen=(absent(look),)) == ([], [])
    assert states() == [State.SENDING]
    assert Attempt.objects.get().first_look == "absent"


def test_hand_over_gives_the_whole_time_from_now(connection, talk):
    item, other = queued(connection, 2)
    _commands, (look, _look) = talk()
    began = now()
    steps.let_pass(30)
    talk(seen=(absent(look),))
    item.refresh_from_db()
    assert other.tries.get().opened_reading == began
    seconds_left = (item.lease_until - now()).total_seconds()
    assert seconds_left == lease(manifest_of(connection)) + STEP
    assert item.tries.get().opened_reading == now()


@pytest.mark.parametrize("since", [{"fence": 9}, {"state": State.UNCERTAIN, "lease_until": None}])
def test_what_has_changed_since_it_was_asked_about_is_not_handed_over(connection, since):
    queued(connection)
    (claim,) = engine.claim(connection, manifest_of(connection))
    Item.objects.update(**since)
    before = Item.objects.values().get()
    assert polled._renew_lease(connection, manifest_of(connection), claim) is None
    assert Item.objects.values().get() == before


# --- unknown outcomes -------------------------------------------------------------------------


def test_what_nobody_knows_is_asked_before_anything_new_is_given(connection, talk):
    (item,) = uncertain(connection)
    queued(connection, erp_key="NEW")
    commands, looks = talk()
    assert (commands, looks) == ([], [LookUp(ticket("look-settled", item), "vendor", "KEY0")])
    # It is being asked: now comes what is new.
    _commands, looks = talk()
    assert [look.key for look in looks] == ["NEW"]


def test_look_counts_as_settled_only_when_nothing_can_take_effect_any_more(connection, talk):
    (item,) = uncertain(connection)
    Attempt.objects.create(item=item, fence=3, worker="w", opened_reading=now())
    _commands, (look,) = talk()
    assert look.ticket == ticket("look", item)
    talk(seen=(absent(look),))
    assert states() == [State.UNCERTAIN]
    steps.let_pass(500)
    _commands, (look,) = talk()
    assert look.ticket == ticket("look-settled", item)
    talk(take=0, seen=(absent(look),))
    assert states() == [State.QUEUED]


def test_questions_are_no_more_than_it_takes(connection, talk):
    uncertain(connection, 3)
    assert len(talk(take=2)[1]) == 2
    assert len(talk(take=2)[1]) == 1


def test_what_was_asked_too_often_is_for_a_person_and_the_next_is_asked(connection, talk):
    uncertain(connection, looks=uncertain_lookup.MOST_LOOKS)
    uncertain(connection, looks=uncertain_lookup.MOST_LOOKS - 1)
    assert len(talk()[1]) == 1
    assert states() == [State.NEEDS_ANSWER, State.UNCERTAIN]


def test_erp_that_cannot_be_asked_by_key_is_asked_nothing(connection, talk, no_find):
    uncertain(connection)
    assert talk() == ([], [])
    assert states() == [State.UNCERTAIN]


@pytest.mark.parametrize(
    "since",
    [
        {"looks": 2},
        {"fence": 4},
        {"state": State.SUBMITTED},
        {"state": State.SYNCED, "erp_id": "7", "check_after": None},
    ],
)
def test_answer_to_another_question_than_the_last_decides_nothing(connection, talk, since):
    (item,) = uncertain(connection, looks=1)
    said = Seen(ticket("look-settled", item), None)
    Item.objects.update(**since)
    before = Item.objects.values().get()
    talk(take=0, seen=(said,))
    assert Item.objects.values().get() == before


def test_resting_connection_is_asked_nothing_and_given_nothing(connection, talk, ada):
    uncertain(connection)
    queued(connection)
    connection_services.pause(connection, by=ada, reason="Year end")
    assert talk() == ([], [])
    assert states() == [State.UNCERTAIN, State.QUEUED]


def test_answer_that_says_nothing_takes_no_other_with_it(connection, talk):
    item, other = uncertain(connection, 2)
    stale = Seen(f"look.{item.intent}.1.0", None)
    done = Seen(ticket("do", item), None)
    good = [Seen(ticket("look-settled", uncertain_item), None) for uncertain_item in (item, other)]
    talk(take=0, seen=(Seen("nonsense", None), stale, done, *good))
    assert states() == [State.QUEUED, State.QUEUED]


# --- reports ----------------------------------------------------------------------------------

REFUSED = Outcome(error=ErpError(ErrorClass.INVALID, Effect.NOT_APPLIED, "No."), answer="<no/>")


def handed_over(connection: Connection, talk: Talk, count: int = 1) -> list[Item]:
    """Items that were handed over to the ERP."""
    items = queued(connection, count)
    _commands, looks = talk()
    assert len(talk(seen=tuple(absent(look) for look in looks))[0]) == count
    return items


def test_report_settles_what_was_handed_over_and_stale_ones_take_no_other_with_them(
    connection, talk
):
    first, second = handed_over(connection, talk, 2)
    stale = Report(f"do.{first.intent}.0.0", REFUSED)
    good = [
        Report(ticket("do", first), Outcome("7", "KEY0", "v1")),
        Report(ticket("do", second), REFUSED),
    ]
    unknown = Report(f"do.{uuid.uuid4()}.1.0", REFUSED)
    talk(take=0, reports=(Report("nonsense", REFUSED), unknown, stale, *good))
    assert states() == [State.SYNCED, State.FAILED]
    first.refresh_from_db()
    assert (first.erp_id, first.erp_code, first.erp_version) == ("7", "KEY0", "v1")


def test_report_to_a_question_settles_nothing_and_is_kept_nowhere(connection, talk):
    (item,) = queued(connection)
    _commands, (look,) = talk()
    before = Attempt.objects.values().get()
    talk(take=0, reports=(Report(look.ticket, REFUSED),))
    item.refresh_from_db()
    assert item.state == State.SENDING
    assert Attempt.objects.values().get() == before


@pytest.mark.parametrize(
    ("outcome", "said"),
    [(REFUSED, "No."), (Outcome("7", answer="<ok/>" + "x" * 3_000), "<ok/>" + "x" * 1_995)],
)
def test_late_report_is_kept_with_its_hand_over_as_evidence(connection, talk, outcome, said):
    (item,) = handed_over(connection, talk)
    late = Report(ticket("do", item), outcome)
    Item.objects.update(fence=2)
    Attempt.objects.create(item=item, fence=2, worker="w", opened_reading=now())
    talk(take=0, reports=(late,))
    first, second = Attempt.objects.order_by("fence")
    assert (first.outcome, first.erp_id, first.answer_excerpt) == ("late", outcome.erp_id, said)
    assert first.answered_at is not None
    assert first.answered_reading == now()
    assert (second.outcome, second.answered_at) == ("open", None)


def test_late_report_changes_nothing_of_what_is_known_by_now(connection, talk):
    (item,) = handed_over(connection, talk)
    late = Report(ticket("do", item), REFUSED)
    Item.objects.update(fence=2)
    Attempt.objects.update(outcome=Attempt.Outcome.APPLIED)
    before = Attempt.objects.values().get()
    talk(take=0, reports=(late,))
    assert Attempt.objects.values().get() == before


def test_log_tells_what_was_given_asked_and_answered(connection, talk, caplog):
    caplog.set_level("INFO", "erp_integrations.workflow.tracing")
    (item,) = handed_over(connection, talk)
    talk(take=0, reports=(Report(ticket("do", item), Outcome("7", "KEY0")),))
    logged = [(record.event, getattr(record, "outcome", "")) for record in caplog.records]
    assert logged == [
        ("claim", ""),
        ("look_up", "nothing"),
        ("hand_over", ""),
        ("report", ""),
        ("settle", "applied"),
    ]


# --- who may ask ------------------------------------------------------------------------------


def refusing(monkeypatch: pytest.MonkeyPatch, **said: Any) -> None:
    monkeypatch.setattr(SimulatorAdapter, "receive", lambda _self, _call: InboundAsk(**said))


def test_call_says_that_the_erp_is_there(connection, talk):
    other = ConnectionFactory.create(account=connection.account)
    Connection.objects.update(inbound_failures=2)
    talk()
    connection.refresh_from_db()
    assert connection.asked_at is not None
    assert connection.inbound_failures == 0
    other.refresh_from_db()
    assert (other.asked_at, other.inbound_failures) == (None, 2)


def test_refused_call_is_answered_as_the_adapter_says_and_changes_nothing(connection, monkeypatch):
    refusal = InboundReply(418, "text/plain", b"No.")
    refusing(monkeypatch, refused=refusal, reports=(Report("x", REFUSED),))
    Connection.objects.update(inbound_failures=2)
    assert polled.answer(connection, CALL) == refusal
    connection.refresh_from_db()
    assert (connection.asked_at, connection.inbound_failures) == (None, 2)


def test_wrong_credentials_are_counted_and_lock_the_address_in_the_end(connection, monkeypatch):
    refusing(monkeypatch, wrong_credentials=True)
    statuses = []
    for _ in range(6):
        connection.refresh_from_db()
        statuses.append(polled.answer(connection, CALL).status)
    assert statuses == [401] * 5 + [429]
    reply = polled.answer(connection, CALL)
    assert reply.retry_after == login_lockout.locked_for(connection)


def test_connection_that_is_not_asked_by_its_erp_says_so(connection):
    steps.change_config(connection, delivery="sync")
    reply = polled.answer(connection, CALL)
    assert (reply.status, reply.content_type) == (404, "text/plain; charset=utf-8")
    assert reply.body == b"This connection does not wait to be asked."


def test_connection_whose_adapter_is_gone_says_so(connection, settings):
    settings.ERPBRIDGE_ADAPTERS = []
    reply = polled.answer(connection, CALL)
    assert (reply.status, reply.content_type) == (503, "text/plain; charset=utf-8")
    assert b"simulator" in reply.body
