"""A write that could not be sent in time is not sent later, and its outcome is known."""

from __future__ import annotations

import socket
import threading

from erp_integrations.adapters.tryton import rest
from erp_integrations.connections.secrets import seal
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erpbridge.outgoing import names
from tests.erp_integrations import steps
from tests.outgoing.hosts import host
from tests.outgoing.test_in_time import wait_for

NOTHING = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"


def test_a_create_whose_name_is_resolved_too_late_waits_to_be_sent_again(
    connection, accepted_item, monkeypatch
):
    monkeypatch.setattr(rest, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(rest, "LEAST_SECONDS", 0.1)
    resolved, go_on, asked = socket.getaddrinfo, threading.Event(), []
    # What Tryton needs to look nothing up for: the look, then the write.
    Item.objects.update(payload={"name": "Quarry"}, acceptance={"vendor_id": "QUARRY01"})
    with host(answer=NOTHING) as server:
        config = {"url": f"http://127.0.0.1:{server.port}/erp", "company": 1}
        Connection.objects.update(adapter="tryton", config=config, secrets={"key": seal("k" * 40)})

        def second_is_slow(name, port, *how):
            asked.append(port)
            if asked.count(server.port) == 2:
                go_on.wait(20)
            return resolved(name, port, *how)

        monkeypatch.setattr(socket, "getaddrinfo", second_is_slow)
        steps.export(connection)
        go_on.set()
        wait_for(lambda: not names._look_ups.running)
        heard = server.heard()
    accepted_item.refresh_from_db()
    attempt = Attempt.objects.get()
    assert (accepted_item.state, attempt.outcome) == (State.QUEUED, Attempt.Outcome.NOT_APPLIED)
    assert "nothing was sent" in accepted_item.error_text
    assert attempt.first_look == "absent"
    assert heard.startswith(b"GET ")
    assert b"POST" not in heard
