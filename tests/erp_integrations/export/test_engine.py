"""One turn of a worker: what it looks up and sends, what it leaves alone, when it makes room."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database

from erp_integrations.adapters.base import (
    AdapterError,
    Ambiguous,
    Delivery,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Io,
    Manifest,
    Outcome,
)
from erp_integrations.clock import after, ago, now
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import due, engine, settle
from erp_integrations.export.claim import claim, write_ahead
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.outgoing.uptime import uptime
from tests.erp_integrations import steps
from tests.factories import ConnectionFactory, ItemFactory

TAKEN = Found("41", "KEY0", "v1", {"name": "By hand"})
DOWN = AdapterError(ErpError(ErrorClass.TRANSIENT, Effect.UNCERTAIN, "Down."))
BAD = AdapterError(ErpError(ErrorClass.BUG, Effect.UNCERTAIN, "Garbage."))


@dataclass
class Erp:
    """An adapter with these records by key, which notes what it is asked and given."""

    holds: dict[str, Any] = field(default_factory=dict)
    polled: Any = None
    asked: list[str] = field(default_factory=list)
    given: list[list[str]] = field(default_factory=list)
    io: Io = field(default_factory=lambda: Io(Path(), float, logging.getLogger()))

    def find(self, _entity: str, key: str) -> Any:
        self.asked.append(key)
        record = self.holds.get(key)
        if isinstance(record, Exception):
            raise record
        return record

    def find_many(self, entity: str, keys: Any) -> list[Any]:
        return [self.find(entity, key) for key in keys]

    def submit(self, commands: Any) -> list[Outcome]:
        self.given.append([command.key for command in commands])
        return [Outcome(f"id of {command.key}", command.key) for command in commands]

    def poll(self, handles: Any) -> list[Outcome]:
        self.given.append(list(handles))
        if isinstance(self.polled, Exception):
            raise self.polled
        return [self.polled or Outcome(f"id of {handle}", handle) for handle in handles]


@pytest.fixture
def erp() -> Erp:
    return Erp()


def queued(connection: Connection, count: int = 1, **columns: Any) -> list[Item]:
    begin = Item.objects.count()
    given = {"account": connection.account, "connection": connection, "state": State.QUEUED}
    return [
        ItemFactory.create(
            **given | {"intent": uuid.uuid4(), "erp_key": f"KEY{begin + number}"} | columns
        )
        for number in range(count)
    ]


@pytest.fixture
def claims(connection) -> list[Claim]:
    """Three creates, claimed by this worker."""
    queued(connection, 3)
    claimed = claim(connection, manifest_of(connection))
    assert len(claimed) == 3
    return claimed


def refused(connection: Connection, erp: Erp, claims: list[Claim], **more: Any) -> dict[str, Any]:
    """What must not be sent of what was just claimed, by key."""
    for claimed in claims:
        Attempt.objects.filter(item=claimed.item, fence=claimed.item.fence).delete()
        claimed.attempt.pk = None
    given = {"since": uptime(), "manifest": manifest_of(connection)} | more
    answers = steps.look(erp, given["manifest"], claims, since=given["since"])
    return {claim.item.erp_key: outcome.error for claim, outcome in answers}


def looks() -> list[tuple[str, str]]:
    return list(Attempt.objects.order_by("item").values_list("first_look", "erp_id"))


# --- the look before --------------------------------------------------------------------------


def test_what_was_seen_is_stored_before_anything_is_sent(connection, erp, claims):
    erp.holds = {"KEY0": TAKEN, "KEY2": Ambiguous(("7", "8"))}
    assert set(refused(connection, erp, claims)) == {"KEY0", "KEY2"}
    assert looks() == [("present", "41"), ("absent", ""), ("present", "")]


def test_create_never_overwrites(connection, erp, claims):
    erp.holds = {"KEY0": TAKEN, "KEY2": Ambiguous(("7", "8"))}
    errors = refused(connection, erp, claims)
    assert errors["KEY0"] == ErpError(
        ErrorClass.DUPLICATE,
        Effect.NOT_APPLIED,
        "KEY0 is already in the ERP: By hand. Nothing was written.",
        field="vendor_id",
        advice="Link to the existing record, or retry with another ID.",
    )
    assert "KEY2 is already in the ERP: more than one record." in errors["KEY2"].message


def test_what_is_there_may_be_an_earlier_try_that_came_late(connection, erp, claims):
    erp.holds = {"KEY0": TAKEN}
    earlier = Attempt.objects.create(
        item=claims[0].item, fence=0, worker="w", opened_reading=now(), outcome="lost"
    )
    # One of an earlier decision had another intent.
    assert refused(connection, erp, claims)["KEY0"].effect == Effect.NOT_APPLIED
    Attempt.objects.filter(pk=earlier.pk).update(fence=5)
    assert refused(connection, erp, claims)["KEY0"] == ErpError(
        ErrorClass.DUPLICATE,
        Effect.UNCERTAIN,
        "The ERP holds it now; whether an earlier attempt created it is being checked.",
        field="vendor_id",
    )
    Attempt.objects.filter(pk=earlier.pk).update(outcome="not_applied")
    assert refused(connection, erp, claims)["KEY0"].effect == Effect.NOT_APPLIED


def test_look_that_fails_says_that_nothing_was_sent_and_the_others_are_looked_at(
    connection, erp, claims
):
    erp.holds = {"KEY0": BAD}
    assert refused(connection, erp, claims) == {
        "KEY0": replace(BAD.error, effect=Effect.NOT_APPLIED)
    }
    # All together, which fails at the first, and then one by one.
    assert erp.asked == ["KEY0", "KEY0", "KEY1", "KEY2"]
    assert looks() == [("", ""), ("absent", ""), ("absent", "")]


def test_erp_that_is_down_is_asked_once_for_all_of_them(connection, erp, claims):
    erp.holds = {"KEY1": DOWN}
    down = replace(DOWN.error, effect=Effect.NOT_APPLIED)
    assert refused(connection, erp, claims) == dict.fromkeys(("KEY0", "KEY1", "KEY2"), down)
    assert erp.asked == ["KEY0", "KEY1"]


def test_no_more_keys_are_looked_up_together_than_the_erp_takes(connection, erp, claims):
    manifest = manifest_of(connection)
    vendor = manifest.entities["vendor"]
    two = replace(vendor, batches=replace(vendor.batches, find=2))
    erp.holds = {"KEY2": DOWN}
    down = replace(DOWN.error, effect=Effect.NOT_APPLIED)
    errors = refused(connection, erp, claims, manifest=replace(manifest, entities={"vendor": two}))
    assert errors == {"KEY2": down}
    assert looks() == [("absent", ""), ("absent", ""), ("", "")]


def test_look_that_comes_too_late_for_the_claim_is_not_made(connection, erp, claims, settings):
    since = uptime() - settings.ERPBRIDGE_LEASE_MARGIN / 2
    errors = refused(connection, erp, claims, since=since)
    assert list(errors.values()) == [engine.TOO_SLOW] * 3
    assert (engine.TOO_SLOW.cls, engine.TOO_SLOW.effect) == ("transient", "not_applied")
    assert erp.asked == []
    assert len(refused(connection, erp, claims, since=since + 10)) == 0


def test_updates_and_what_cannot_be_found_are_sent_without_a_look(connection, erp, claims):
    manifest = manifest_of(connection)
    assert refused(connection, erp, claims, manifest=replace(manifest, can_find=False)) == {}
    for create in claims:
        create.command = replace(create.command, operation="update")
    assert refused(connection, erp, claims) == {}
    assert erp.asked == []


def test_record_type_that_the_erp_no_longer_takes_is_not_sent(connection, erp, claims):
    errors = refused(
        connection, erp, claims, manifest=replace(manifest_of(connection), entities={})
    )
    assert {error.cls for error in errors.values()} == {ErrorClass.UNSUPPORTED}
    assert {error.effect for error in errors.values()} == {Effect.NOT_APPLIED}


# --- sending ----------------------------------------------------------------------------------


def run(connection: Connection, erp: Erp, claims: list[Claim], since: float | None = None) -> None:
    since = uptime() if since is None else since
    steps.run(connection, erp, manifest_of(connection), claims, since=since)


def states() -> list[str]:
    return list(Item.objects.order_by("pk").values_list("state", flat=True))


def test_what_may_be_sent_is_sent_at_once_and_each_gets_its_own_answer(connection, erp, claims):
    erp.holds = {"KEY1": TAKEN}
    run(connection, erp, claims)
    assert erp.given == [["KEY0", "KEY2"]]
    assert states() == [State.SYNCED, State.FAILED, State.SYNCED]
    ids = list(Item.objects.order_by("pk").values_list("erp_id", flat=True))
    assert ids == ["id of KEY0", "", "id of KEY2"]


def test_nothing_is_sent_where_nothing_may_be(connection, erp, claims):
    erp.holds = dict.fromkeys(("KEY0", "KEY1", "KEY2"), TAKEN)
    run(connection, erp, claims)
    assert erp.given == []
    assert states() == [State.FAILED] * 3


def test_nothing_is_sent_when_the_looks_have_taken_too_long(
    connection, erp, claims, settings, monkeypatch
):
    late = iter([False, True])
    monkeypatch.setattr(engine, "_too_late", lambda since: next(late))
    run(connection, erp, claims)
    assert erp.given == []
    assert states() == [State.QUEUED] * 3
    assert set(Item.objects.values_list("error_text", flat=True)) == {engine.TOO_SLOW.message}


# --- asking about what was handed over --------------------------------------------------------


@pytest.fixture
def handed(connection, claims) -> Callable[[], None]:
    """The three, in the ERP's queue, with the check due."""
    write_ahead(claims)
    answers = [
        settle.Answer(claim, Outcome(handle=claim.item.erp_key, check_after=1)) for claim in claims
    ]
    settle.settle(connection, manifest_of(connection), answers)
    Item.objects.update(check_after=ago(1))
    return lambda: Item.objects.update(check_after=ago(1))


def ask(connection: Connection, erp: Erp, seconds: float = 60, **columns: Any) -> None:
    manifest: Manifest = replace(manifest_of(connection), **columns)
    engine.poll_pending(connection, erp, manifest, until=uptime() + seconds)


def test_what_was_handed_over_is_asked_about_in_one_call(connection, erp, handed):
    ask(connection, erp)
    assert erp.given == [["KEY0", "KEY1", "KEY2"]]
    assert states() == [State.SYNCED] * 3


def test_longest_waiting_is_asked_about_first(connection, erp, handed):
    Item.objects.filter(erp_key="KEY2").update(check_after=ago(60))
    ask(connection, erp)
    assert erp.given == [["KEY2", "KEY0", "KEY1"]]


def test_no_more_is_asked_at_once_than_the_most(connection, erp, handed, monkeypatch):
    monkeypatch.setattr("erp_integrations.export.delivery.queued.MOST_AT_ONCE", 2)
    ask(connection, erp)
    assert erp.given == [["KEY0", "KEY1"], ["KEY2"]]


def test_what_is_being_asked_about_is_kept_from_others(connection, erp, handed):
    erp.polled = Outcome(handle="H", check_after=30)
    ask(connection, erp, call_deadline=20.0)
    handles = Item.objects.values_list("handle", flat=True)
    assert list(handles) == ["H"] * 3
    waits = {(item.check_after - now()).total_seconds() for item in Item.objects.all()}
    assert waits == {30}
    erp.polled = DOWN
    handed()
    ask(connection, erp, call_deadline=20.0)
    waits = {(item.check_after - now()).total_seconds() for item in Item.objects.all()}
    assert waits == {20}


def test_not_yet_is_asked_again_no_sooner_than_in_a_second(connection, erp, handed):
    erp.polled = Outcome(handle="H", check_after=0)
    ask(connection, erp)
    waits = {(item.check_after - now()).total_seconds() for item in Item.objects.all()}
    assert waits == {1}


def test_silence_for_too_long_counts_as_unknown_and_not_against_the_connection(
    connection, erp, handed
):
    erp.polled = Outcome(handle="H", check_after=30)
    Connection.objects.update(breaker_failures=2)
    Attempt.objects.filter(item__erp_key="KEY1").update(opened_reading=ago(300))
    ask(connection, erp, silent_after=300.0)
    assert states() == [State.SUBMITTED, State.UNCERTAIN, State.SUBMITTED]
    text = Item.objects.get(erp_key="KEY1").error_text
    assert text == "The ERP has received it and not reported the outcome for 5 minutes."
    connection.refresh_from_db()
    assert connection.breaker_failures == 0


def test_poll_that_fails_settles_nothing_counts_once_and_ends_the_turn(connection, erp, handed):
    erp.polled = DOWN
    ask(connection, erp)
    assert len(erp.given) == 1
    assert states() == [State.SUBMITTED] * 3
    connection.refresh_from_db()
    assert connection.breaker_failures == 1


def test_nothing_is_asked_when_the_turn_is_over_or_the_connection_rests(connection, erp, handed):
    ask(connection, erp, seconds=0)
    Connection.objects.update(breaker_until=after(60))
    ask(connection, erp)
    Connection.objects.update(breaker_until=None, config={"ledger": "another"})
    ask(connection, erp)
    assert erp.given == []


def test_only_what_was_handed_over_by_this_connection_is_asked_about(connection, erp, handed):
    other = ConnectionFactory.create(account=connection.account)
    Item.objects.filter(erp_key="KEY0").update(connection=other)
    Item.objects.filter(erp_key="KEY1").update(state=State.UNCERTAIN)
    ask(connection, erp)
    assert erp.given == [["KEY2"]]


# --- a turn -----------------------------------------------------------------------------------


@pytest.fixture
def turn(connection, erp, monkeypatch) -> Callable[..., list[int]]:
    """One turn with this manifest; returns the connections that it has woken."""
    woken: list[int] = []
    monkeypatch.setattr(engine, "publish", steps.waking_later(woken))
    monkeypatch.setattr(adapter_loading, "adapter_of", lambda _connection: erp)

    def take(**columns: Any) -> list[int]:
        manifest = replace(manifest_of(connection), **columns)
        monkeypatch.setattr(adapter_loading, "manifest_of", lambda _connection: manifest)
        engine.drain(connection.pk)
        return woken

    return take


def test_turn_looks_up_asks_and_sends(connection, erp, turn):
    (unknown,) = queued(connection, state=State.UNCERTAIN, check_after=ago(1))
    (handed,) = queued(connection, state=State.SUBMITTED, check_after=ago(1), handle="H")
    Attempt.objects.create(item=handed, fence=0, worker="w", opened_reading=now())
    queued(connection, 2)
    assert turn() == []
    assert states() == [State.SYNCED] * 4
    assert erp.given[0] == ["H"]
    assert erp.asked[0] == unknown.erp_key


@pytest.mark.parametrize(
    ("delivery", "asked"),
    [(Delivery.POLLED, []), (Delivery.FILE, ["KEY0"])],
)
def test_turn_sends_nothing_where_the_erp_or_a_person_fetches(
    connection, erp, turn, delivery, asked
):
    queued(connection, state=State.UNCERTAIN, check_after=ago(1), operation="update")
    queued(connection, operation="update")
    turn(delivery=delivery)
    assert (erp.asked, erp.given) == (asked, [])
    assert states()[1] == State.QUEUED


def test_turn_that_takes_too_long_makes_room_and_wakes_the_next(connection, turn, monkeypatch):
    queued(connection, 45)
    monkeypatch.setattr(engine, "_turn_is_over", lambda pk, spent: pk == connection.pk)
    assert turn() == [connection.pk]
    assert states().count(State.QUEUED) == 25


def test_time_of_a_turn_is_told_from_its_begin(connection, turn, monkeypatch):
    spent: list[float] = []
    monkeypatch.setattr(engine, "_turn_is_over", lambda _pk, elapsed: spent.append(elapsed))
    monkeypatch.setattr(due, "checks_are_due", lambda _connection: wait(5))
    clock = [uptime()]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(engine, "uptime", lambda: clock[0])
    queued(connection, 21)
    turn()
    assert spent == [5, 5]


@pytest.mark.parametrize(
    ("spent", "others", "over"),
    [
        (0.9, True, False),
        (1, True, True),
        (1, False, False),
        (20, False, False),
        (20.1, False, True),
    ],
)
def test_turn_is_over_after_its_share_where_others_wait_or_after_its_budget(
    connection, monkeypatch, spent, others, over
):
    monkeypatch.setattr("erp_integrations.export.due.others_are_due", lambda pk: others)
    assert engine._turn_is_over(connection.pk, spent) is over


def test_pages_get_their_turn_where_a_database_has_no_fair_lock(db, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(engine.time, "sleep", slept.append)
    engine._sleep_between_batches(20)
    assert slept == ([0.02] if database.vendor == "sqlite" else [])


def test_turn_of_a_connection_that_is_gone_or_cannot_be_used_is_none(connection, settings):
    queued(connection)
    engine.drain(connection.pk + 1)
    settings.ERPBRIDGE_ADAPTERS = []
    engine.drain(connection.pk)
    assert states() == [State.QUEUED]
