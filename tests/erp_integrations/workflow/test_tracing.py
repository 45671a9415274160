"""One id from the click to the ERP, in the log and in the audit trail."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
from django.test import Client
from django.urls import reverse

from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.adapters.simulator.agent import Agent
from erp_integrations.export import engine, lease_recovery
from erp_integrations.models import Connection, Item, Request
from erp_integrations.sendable import send
from erpbridge.audit.models import Event
from erpbridge.ui.logs.formatters import JsonFormatter
from erpbridge.ui.middleware.request_id import RequestIdFilter
from tests.erp_integrations import steps
from tests.factories import CompanyFactory

CLICK = "click-4711"


@pytest.fixture
def lines():
    """The log as ``ERPBRIDGE_LOG_FORMAT=json`` writes it, read back."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(RequestIdFilter())
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


def accept(client, item: Item, connection: Connection, **headers: str) -> None:
    values = {"digest": item.digest, "vendor_id": "QUARRY01", "vendor_type": "SUB"}
    url = reverse("erp:item_accept", args=[item.account_id, item.public_id])
    assert client.post(url, values, headers=headers).status_code == 302


def test_one_id_shows_click_claim_call_and_settlement(
    client_of, pat, sent_item, connection, company, lines
):
    accept(client_of(pat), sent_item, connection, **{"X-Request-Id": CLICK})
    engine.drain(connection.pk)

    mine = [line for line in lines() if line["request_id"] == CLICK and "event" in line]
    assert [line["event"] for line in mine] == ["accept", "claim", "call", "settle"]
    assert {line["account"] for line in mine} == {sent_item.account_id}
    assert {line["connection"] for line in mine[1:]} == {connection.pk}
    assert {line["item"] for line in mine[1:]} == {str(sent_item.public_id)}
    assert {line["attempt"] for line in mine[1:]} == {1}
    settled = mine[-1]
    assert settled["outcome"] == "applied"
    assert 0 <= settled["duration"] < 30
    assert mine[0]["items"] == 1
    engine_events = Event.objects.filter(verb__in=["accept", "claim", "sync"])
    assert set(engine_events.values_list("verb", "request_id")) == {
        ("accept", CLICK),
        ("claim", CLICK),
        ("sync", CLICK),
    }


def test_nothing_of_a_record_is_logged(client_of, pat, sent_item, connection, company, lines):
    accept(client_of(pat), sent_item, connection)
    engine.drain(connection.pk)
    text = json.dumps(lines())
    for value in ("Quarry", "QUARRY01", *(str(v) for v in sent_item.payload.values() if v)):
        assert value not in text, value


def test_each_item_of_a_mixed_batch_keeps_the_id_of_its_own_click(
    connection, account, ada, pat, access_of, lines, client_of
):
    companies = CompanyFactory.create_batch(2, account=account)
    for item, click in zip(steps.send_all(companies, access_of(ada)), "ab", strict=True):
        values = {"digest": item.digest, "vendor_id": f"ID{click}", "vendor_type": "SUB"}
        url = reverse("erp:item_accept", args=[item.account_id, item.public_id])
        client_of(pat).post(url, values, headers={"X-Request-Id": click})
    engine.drain(connection.pk)
    for click in "ab":
        events = [line.get("event") for line in lines() if line["request_id"] == click]
        assert [event for event in events if event] == ["accept", "claim", "call", "settle"]
        assert Event.objects.filter(request_id=click, verb="sync").count() == 1


def test_what_an_adapter_logs_carries_the_id_too(
    client_of, pat, sent_item, connection, lines, monkeypatch
):
    submit = SimulatorAdapter.submit

    def talkative(self, commands):
        self.io.logger.warning("calling")
        return submit(self, commands)

    monkeypatch.setattr(SimulatorAdapter, "submit", talkative)
    accept(client_of(pat), sent_item, connection, **{"X-Request-Id": CLICK})
    engine.drain(connection.pk)
    (line,) = [entry for entry in lines() if entry["message"] == "calling"]
    assert (line["request_id"], line["item"]) == (CLICK, str(sent_item.public_id))
    assert (line["connection"], line["attempt"]) == (connection.pk, 1)


def test_a_lost_answer_is_looked_up_under_the_same_id(client_of, pat, sent_item, connection, lines):
    accept(client_of(pat), sent_item, connection, **{"X-Request-Id": CLICK})
    steps.break_erp(connection, "timeout_after")
    engine.drain(connection.pk)
    steps.let_pass(600)
    engine.drain(connection.pk)
    sent_item.refresh_from_db()
    assert sent_item.state == "synced"
    events = [line.get("event") for line in lines() if line["request_id"] == CLICK]
    assert "look_up" in events
    assert Event.objects.filter(request_id=CLICK, verb__in=["lose", "sync"]).count() == 2


def test_one_id_shows_an_items_way_through_the_erps_queue(
    client_of, pat, sent_item, connection, lines, monkeypatch
):
    poll = SimulatorAdapter.poll

    def talkative(self, handles):
        self.io.logger.warning("asking")
        return poll(self, handles)

    monkeypatch.setattr(SimulatorAdapter, "poll", talkative)
    steps.change_config(connection, delivery="queued", latency_ms=10_000)
    accept(client_of(pat), sent_item, connection, **{"X-Request-Id": CLICK})
    engine.drain(connection.pk)
    steps.let_pass(11)
    engine.drain(connection.pk)
    steps.ledger_of(connection).work(at_once=True)
    steps.let_pass(11)
    engine.drain(connection.pk)
    mine = [line for line in lines() if line["request_id"] == CLICK]
    events = [line["event"] for line in mine if "event" in line]
    assert events == ["accept", "claim", "call", "settle", "poll", "poll", "settle"]
    polls = [line["outcome"] for line in mine if line.get("event") == "poll"]
    assert polls == ["not yet", "done"]
    asking = [line for line in lines() if line["message"] == "asking"]
    assert {(line["request_id"], line["item"]) for line in asking} == {
        (CLICK, str(sent_item.public_id))
    }


def agent_of(connection: Connection) -> Agent:
    """The ERP's agent, whose calls have an id of their own."""
    steps.keep_secrets(connection, password="right")
    address = reverse("erp:inbound", args=[connection.public_id])

    def post(headers, body: bytes) -> tuple[int, bytes]:
        sent = {**headers, "X-Request-Id": "agents-own"}
        answer = Client().post(address, body, content_type="application/json", headers=sent)
        return answer.status_code, answer.content

    return Agent(steps.ledger_of(connection), "right", post)


def test_one_id_shows_an_items_way_to_an_erp_that_asks(
    client_of, pat, sent_item, connection, lines, monkeypatch
):
    reply = SimulatorAdapter.reply

    def talkative(self, ask, commands, looks):
        self.io.logger.warning("answering")
        return reply(self, ask, commands, looks)

    monkeypatch.setattr(SimulatorAdapter, "reply", talkative)
    steps.change_config(connection, delivery="polled")
    accept(client_of(pat), sent_item, connection, **{"X-Request-Id": CLICK})
    assert agent_of(connection).run() == 1
    mine = [line for line in lines() if line["request_id"] == CLICK]
    events = [line["event"] for line in mine if "event" in line]
    assert events == ["accept", "claim", "look_up", "hand_over", "report", "settle"]
    assert {line["item"] for line in mine[1:]} == {str(sent_item.public_id)}
    answering = [line["request_id"] for line in lines() if line["message"] == "answering"]
    # The question, the handover, and the last reply, which concerns no item.
    assert answering == [CLICK, CLICK, "agents-own"]
    assert Event.objects.filter(request_id=CLICK, verb__in=["claim", "sync"]).count() == 2


def test_what_an_asking_erp_says_of_a_lost_hand_over_is_under_the_same_id(
    client_of, pat, sent_item, connection, lines
):
    steps.change_config(connection, delivery="polled")
    accept(client_of(pat), sent_item, connection, **{"X-Request-Id": CLICK})
    agent = agent_of(connection)
    commands = agent.ask({"take": 20, **agent.work(agent.ask({"take": 20}))})
    assert commands["do"]
    steps.let_pass(400)
    lease_recovery.expire_leases()
    assert agent.run() == 1
    mine = [line for line in lines() if line["request_id"] == CLICK and "event" in line]
    assert [line["event"] for line in mine[4:6]] == ["lose", "look_up"]
    assert mine[5]["outcome"] == "nothing"
    moved = Event.objects.filter(verb__in=["lose", "resend"])
    assert set(moved.values_list("request_id", flat=True)) == {CLICK}


def test_a_click_from_a_command_gets_an_id_of_its_own(connection, company, ada, access_of):
    send("vendor", [company.pk], access=access_of(ada))
    assert len(Request.objects.get().trace_id) == 32


def test_a_line_is_one_object_whatever_it_says():
    record = logging.LogRecord("x", logging.ERROR, "f", 1, 'two\nlines "%s"', ("\u2028é",), None)
    try:
        raise ValueError("bad\nnews")
    except ValueError:
        record.exc_info = sys.exc_info()
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert line["message"] == 'two\nlines "\u2028é"'
    assert "ValueError: bad\nnews" in line["exception"]
    assert (line["level"], line["request_id"]) == ("ERROR", "-")
