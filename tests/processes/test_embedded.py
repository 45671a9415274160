import threading
import time

import pytest

from erpbridge.celery import app
from erpbridge.jobs.wakeups import LATER
from erpbridge.processes import embedded
from erpbridge.processes.embedded import Inbox

# Seconds; what is waited for happens at once.
LONGEST = 10.0


@app.task(name="tests.processes.call")
def call(done):
    done()


@pytest.fixture
def embedded_worker(transactional_db):
    running = embedded.start()
    yield running
    running.stop()


def send(done):
    app.send_task(call.name, args=(done,))


def test_a_task_wakes_the_worker_that_waits_without_looking_again_and_again(
    embedded_worker, monkeypatch
):
    # Nobody sleeps between looks, so the task can only run because it woke the worker.
    asleep = []
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: (asleep.append(seconds), sleep(seconds)))
    ran = threading.Event()
    send(ran.set)
    assert ran.wait(LONGEST)
    assert asleep == []


def test_a_task_that_fails_does_not_end_the_worker(embedded_worker, caplog):
    def fail():
        raise RuntimeError("out of order")

    ran = threading.Event()
    send(fail)
    send(ran.set)
    assert ran.wait(LONGEST)
    assert "out of order" in caplog.text
    assert "the next tick tries again" in caplog.text


def test_a_worker_that_has_stopped_takes_no_messages(transactional_db):
    embedded.start().stop()
    assert app.hand_over is None
    assert [thread.name for thread in threading.enumerate() if thread.name == "worker"] == []


def test_messages_come_in_their_order_and_a_waiting_one_is_not_added_again():
    inbox = Inbox()
    for number in (1, 2, 1, 3):
        inbox.put("drain", (number,))
    assert [inbox.take() for _ in range(3)] == [("drain", (number,)) for number in (1, 2, 3)]


def test_the_next_turn_of_long_work_waits_for_what_clicks_have_started():
    inbox = Inbox()
    for number in (1, 2):
        inbox.put("drain", (number,), LATER)
    inbox.put("drain", (3,))
    # A click on a connection whose next turn waits brings it forward.
    inbox.put("drain", (2,))
    inbox.put("drain", (3,), LATER)
    assert [inbox.take() for _ in range(3)] == [("drain", (number,)) for number in (2, 3, 1)]


def test_a_message_that_was_taken_can_be_sent_again_at_once():
    # The task may have looked before the row was there: it has to look once more.
    inbox = Inbox()
    inbox.put("drain", (1,))
    assert inbox.take() == ("drain", (1,))
    inbox.put("drain", (1,))
    assert inbox.take() == ("drain", (1,))


def test_closing_ends_the_waiting():
    inbox = Inbox()
    taken = []
    waiting = threading.Thread(target=lambda: taken.append(inbox.take()))
    waiting.start()
    inbox.close()
    waiting.join(LONGEST)
    assert taken == [None]
