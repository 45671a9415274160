import time
import uuid

import pytest

from erp_integrations.models import Ticker
from erpbridge.celery import app
from erpbridge.jobs.wakeups import FIRST, LATER


@pytest.mark.shared
def test_worker_process_answers(celery_worker_process):
    (answer,) = app.control.ping(timeout=2)
    assert list(answer.values()) == [{"ok": "pong"}]


def test_the_ticker_of_the_worker_beats(worker):
    until = time.monotonic() + 20
    while not Ticker.objects.exists():
        assert time.monotonic() < until, "nobody ticked"
        time.sleep(0.1)


@pytest.mark.shared
def test_redis_gives_out_what_clicks_have_started_before_the_next_turn_of_long_work():
    name = f"test-{uuid.uuid4().hex}"
    with app.connection_for_read() as broker, broker.SimpleQueue(name) as queue:
        for number, priority in ((1, LATER), (2, FIRST), (3, LATER), (4, FIRST)):
            app.send_task("drain", args=(number,), queue=name, priority=priority)
        numbers = []
        for _ in range(4):
            message = queue.get(timeout=10)
            numbers.append(message.payload[0][0])
            message.ack()
    assert numbers == [2, 4, 1, 3]
