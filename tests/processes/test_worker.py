import time

import pytest

from erp_integrations.models import Ticker
from erpbridge.celery import app


@pytest.mark.shared
def test_worker_process_answers(celery_worker_process):
    (answer,) = app.control.ping(timeout=2)
    assert list(answer.values()) == [{"ok": "pong"}]


def test_the_ticker_of_the_worker_beats(worker):
    until = time.monotonic() + 20
    while not Ticker.objects.exists():
        assert time.monotonic() < until, "nobody ticked"
        time.sleep(0.1)
