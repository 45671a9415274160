import pytest

from erpbridge.celery import app


@pytest.mark.shared
def test_worker_process_answers(celery_worker_process):
    (answer,) = app.control.ping(timeout=2)
    assert list(answer.values()) == [{"ok": "pong"}]
