"""The simulator fails as it is set to, and each outcome says what a client could know."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from threading import Timer

import pytest

from erp_integrations.adapters.base import AdapterError, Effect, ErrorClass
from erp_integrations.adapters.simulator import adapter, ledger
from erp_integrations.adapters.simulator.faults import clear_fault, set_fault
from erp_integrations.adapters.simulator.ledger import LedgerDown
from tests.adapters.conftest import Make, create

FAULTS = [
    ("refuse", ErrorClass.INVALID, Effect.NOT_APPLIED, 0),
    ("timeout_before", ErrorClass.TRANSIENT, Effect.UNCERTAIN, 0),
    ("timeout_after", ErrorClass.TRANSIENT, Effect.UNCERTAIN, 1),
    ("throttle", ErrorClass.THROTTLED, Effect.NOT_APPLIED, 0),
    ("down", ErrorClass.TRANSIENT, Effect.NOT_APPLIED, 0),
    ("garbage", ErrorClass.BUG, Effect.UNCERTAIN, 0),
]


def applied(make: Make) -> int:
    return len(make().ledger.effects())


def hit(simulator, *commands) -> list[bool]:
    return [outcome.error is not None for outcome in simulator.submit(commands)]


@pytest.mark.parametrize("kind, cls, effect, written", FAULTS)
def test_a_fault_of_the_settings_hits_every_call(make: Make, kind, cls, effect, written):
    for _ in range(2):
        (outcome,) = make(fault=kind).submit([create()])
        assert (outcome.error.cls, outcome.error.effect) == (cls, effect)
        assert outcome.erp_id == ""
        assert outcome.error.message
    assert applied(make) == written


@pytest.mark.parametrize("kind, cls, effect, written", FAULTS)
def test_a_fault_set_from_outside_is_used_up_by_any_adapter(
    make: Make, tmp_path: Path, kind, cls, effect, written
):
    set_fault(tmp_path, "main", kind, times=2)
    errors = [make().submit([create()])[0].error for _ in range(3)]
    assert [(error.cls, error.effect) for error in errors[:2]] == [(cls, effect)] * 2
    assert errors[2] is None
    assert applied(make) == 1


def test_after_a_lost_answer_the_same_intent_finds_its_vendor(make: Make, tmp_path: Path):
    set_fault(tmp_path, "main", "timeout_after")
    assert hit(make(), create()) == [True]
    there = make().find("vendor", "ACME")
    (again,) = make().submit([create()])
    assert again.erp_id == there.erp_id
    assert applied(make) == 1


def test_throttling_says_when_to_come_back(make: Make):
    assert make(fault="throttle").submit([create()])[0].error.retry_after == 2


def test_a_refusal_carries_the_erps_words_and_code(make: Make):
    refusal = make(fault="refuse").submit([create()])[0].error
    assert "list of vendors not to be paid" in refusal.message
    assert refusal.erp_code
    assert refusal.advice


def test_a_fault_of_every_third_call_is_counted_across_adapters(make: Make):
    hits = [hit(make(fault="refuse", fault_every=3), create(f"V{n}")) for n in range(7)]
    assert [n for n, refused in enumerate(hits, 1) if refused == [True]] == [3, 6]


@pytest.mark.parametrize("wanted", ["V2", "v2", "two & sons"])
def test_a_fault_may_be_for_one_vendor_of_a_batch(make: Make, wanted: str):
    batch = [create("V1"), create("V2", name="Two & Sons"), create("V3")]
    assert hit(make(fault="refuse", fault_for=wanted), *batch) == [False, True, False]


def test_a_call_without_the_vendor_does_not_use_the_fault_up(make: Make, tmp_path: Path):
    set_fault(tmp_path, "main", "refuse", times=1, match="V9")
    assert hit(make(), create("V1")) == [False]
    assert hit(make(), create("V9")) == [True]
    assert hit(make(), create("V9")) == [False]


def test_a_fault_can_be_taken_back_and_replaced(make: Make, tmp_path: Path):
    set_fault(tmp_path, "main", "refuse", times=9)
    set_fault(tmp_path, "main", "throttle", times=1)
    assert make().submit([create()])[0].error.cls is ErrorClass.THROTTLED
    assert hit(make(), create()) == [False]
    set_fault(tmp_path, "main", "refuse", times=9)
    clear_fault(tmp_path, "main")
    assert hit(make(), create("OTHER")) == [False]


def test_an_unknown_fault_cannot_be_set(tmp_path: Path):
    with pytest.raises(ValueError, match="explode"):
        set_fault(tmp_path, "main", "explode")


def test_an_erp_that_is_down_answers_nothing(make: Make):
    down = make(fault="down")
    for call in (
        lambda: down.find("vendor", "ACME"),
        lambda: down.pull("vendor"),
        lambda: down.choices("vendor_type"),
    ):
        with pytest.raises(AdapterError, match="refused") as caught:
            call()
        assert caught.value.error.cls is ErrorClass.TRANSIENT
    assert "refused" in down.check().problems[0]


def test_another_fault_leaves_looking_up_alone_and_shows_in_the_check(make: Make):
    make().submit([create()])
    broken = make(fault="timeout_after")
    assert broken.find("vendor", "ACME") is not None
    assert broken.check().facts["Switched-on fault"] == "timeout_after"


def test_every_call_takes_its_time_once_for_the_whole_batch(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    slept: list[float] = []
    monkeypatch.setattr(adapter.time, "sleep", slept.append)
    slow = make(latency_ms=120)
    slow.submit([create(f"V{number}") for number in range(5)])
    slow.find("vendor", "V1")
    assert slept == [0.12, 0.12]


def test_checking_rules_and_previewing_ask_nobody(make: Make, tmp_path: Path):
    simulator = make(latency_ms=10_000, fault="down")
    started = time.monotonic()
    simulator.preview(create())
    simulator.validate(create())
    assert time.monotonic() - started < 5
    assert list(tmp_path.iterdir()) == []


def assert_answers_as_down(simulator) -> None:
    outcomes = simulator.submit([create("A"), create("B")])
    assert [(outcome.error.cls, outcome.error.effect) for outcome in outcomes] == [
        (ErrorClass.TRANSIENT, Effect.NOT_APPLIED)
    ] * 2
    assert not simulator.check().ok
    with pytest.raises(AdapterError):
        simulator.find("vendor", "A")


def test_a_damaged_ledger_file_is_an_erp_that_is_down(make: Make, tmp_path: Path):
    (tmp_path / "main.sqlite3").write_bytes(b"this is no database" * 100)
    assert_answers_as_down(make())


def test_a_folder_that_cannot_be_made_is_an_erp_that_is_down(make: Make, tmp_path: Path):
    tmp_path.rmdir()
    tmp_path.write_text("a file where the folder should be")
    assert_answers_as_down(make())


def test_a_locked_ledger_is_an_erp_that_is_down_and_loses_nothing(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ledger, "BUSY_SECONDS", 0.1)
    make().submit([create("FIRST")])
    other = sqlite3.connect(tmp_path / "main.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = make().submit([create("A"), create("B")])
    assert {(outcome.error.cls, outcome.error.effect) for outcome in outcomes} == {
        (ErrorClass.TRANSIENT, Effect.NOT_APPLIED)
    }
    assert make().find("vendor", "FIRST") is not None
    other.execute("ROLLBACK")
    other.close()
    assert hit(make(), create("A")) == [False]


def test_a_ledger_that_breaks_while_saving_leaves_the_rest_unsent(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    simulator = make()
    post = simulator.ledger.post

    def break_at_the_second(intent: str, text: str):
        if intent == "intent-B":
            raise LedgerDown("disk is full", uncertain=True)
        return post(intent, text)

    monkeypatch.setattr(simulator.ledger, "post", break_at_the_second)
    outcomes = simulator.submit([create("A"), create("B"), create("C")])
    effects = [outcome.error.effect if outcome.error else Effect.APPLIED for outcome in outcomes]
    assert effects == [Effect.APPLIED, Effect.UNCERTAIN, Effect.NOT_APPLIED]
    assert make().find("vendor", "C") is None


def test_what_cannot_be_sent_before_the_deadline_is_not_sent(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(adapter, "TIME_TO_START", -1)
    outcomes = make().submit([create("A"), create("B")])
    assert {outcome.error.effect for outcome in outcomes} == {Effect.NOT_APPLIED}
    assert applied(make) == 0


def test_the_first_use_waits_for_another_process_that_is_making_the_file(
    make: Make, tmp_path: Path
):
    other = sqlite3.connect(
        tmp_path / "main.sqlite3", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    release = Timer(0.3, other.rollback)
    release.start()
    assert hit(make(), create()) == [False]
    release.join()
    other.close()
