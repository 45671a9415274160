"""Calls of one connection that overlap: no more than the ERP allows, and no answer is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from erp_integrations.export.calls import OverlappingCalls, Steps, in_turn
from erp_integrations.export.pace import FAST, FIRST, SLOW, Pace

TRACE: ContextVar[str] = ContextVar("trace", default="")
PATIENCE = 20


class Gate:
    """Calls wait in it until it is opened; it counts how many did at once."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def call(self, adapter: Any) -> tuple[Any, str]:
        self.entered.release()
        assert self.opened.wait(PATIENCE)
        return adapter, TRACE.get()

    def has(self, count: int) -> bool:
        return all(self.entered.acquire(timeout=PATIENCE) for _ in range(count))


def one_call(call: Callable[[Any], Any], answers: list[Any]) -> Steps[None]:
    answers.append((yield call))


def overlapping(at_once: int) -> OverlappingCalls:
    return OverlappingCalls(object, at_once)


def test_calls_of_several_batches_are_open_at_once_each_with_its_own_adapter():
    gate, answers = Gate(), []
    with overlapping(3) as calls:
        for _ in range(3):
            assert not calls.is_full
            calls.start(one_call(gate.call, answers))
        assert calls.is_full
        assert gate.has(3)
        gate.opened.set()
        while len(calls):
            calls.wait()
    assert len({id(adapter) for adapter, _trace in answers}) == 3


def test_an_adapter_that_has_answered_makes_the_next_call():
    made, answers = [], []
    with OverlappingCalls(lambda: made.append(1) or object(), 2) as calls:
        for _ in range(4):
            calls.start(one_call(lambda adapter: adapter, answers))
            calls.wait()
    assert (len(made), len(answers), len(set(answers))) == (1, 4, 1)


def test_a_batch_goes_on_with_the_answer_in_the_thread_of_the_worker():
    threads: list[threading.Thread] = []

    def steps() -> Steps[None]:
        first = yield lambda _adapter: 1
        threads.append(threading.current_thread())
        second = yield lambda _adapter: first + 1
        threads.append(threading.current_thread())
        assert second == 2

    with overlapping(2) as calls:
        calls.start(steps())
        while len(calls):
            calls.wait()
    assert threads == [threading.current_thread()] * 2


def test_calls_keep_the_ids_of_the_log_lines():
    answers: list[Any] = []
    token = TRACE.set("click 7")
    with overlapping(2) as calls:
        calls.start(one_call(lambda _adapter: TRACE.get(), answers))
        calls.wait()
    TRACE.reset(token)
    assert answers == ["click 7"]


def test_answers_to_the_other_calls_are_taken_when_the_worker_fails(caplog):
    gate, answers = Gate(), []

    def fails(_adapter: Any) -> None:
        raise ZeroDivisionError

    def work() -> None:
        with overlapping(3) as calls:
            calls.start(one_call(gate.call, answers))
            calls.start(one_call(fails, answers))
            calls.start(one_call(gate.call, answers))
            gate.opened.set()
            raise LookupError("The database is away.")

    with pytest.raises(LookupError):
        work()
    assert len(answers) == 2
    assert "a call to the ERP could not be completed" in caplog.text


def test_failure_of_a_call_reaches_the_worker():
    with overlapping(2) as calls:
        calls.start(one_call(lambda _adapter: 1 / 0, []))
        with pytest.raises(ZeroDivisionError):
            calls.wait()


def test_calls_in_turn_use_the_thread_and_the_adapter_of_the_worker():
    def steps() -> Steps[str]:
        adapter, thread = yield lambda adapter: (adapter, threading.current_thread())
        assert thread is threading.current_thread()
        again = yield lambda adapter: adapter
        return f"{adapter} {again}"

    assert in_turn(steps(), "the adapter") == "the adapter the adapter"


# --- how many items a call has ----------------------------------------------------------------


def test_batches_grow_while_full_ones_are_fast():
    pace = Pace()
    pace.took(FAST / 2, FIRST)
    assert pace.size == 2 * FIRST
    # A small batch says nothing about a large one.
    pace.took(FAST / 2, FIRST)
    assert pace.size == 2 * FIRST


@pytest.mark.parametrize(("items", "size"), [(FIRST, FIRST // 2), (10, 5), (1, 1)])
def test_batches_shrink_when_a_call_is_slow_to_half_of_what_it_had(items, size):
    pace = Pace()
    pace.took(SLOW * 2, items)
    assert pace.size == size


def test_batches_stay_as_they_are_in_between():
    pace = Pace()
    pace.took((FAST + SLOW) / 2, FIRST)
    assert pace.size == FIRST
