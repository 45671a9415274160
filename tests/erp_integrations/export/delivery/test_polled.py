"""An ERP that asks us: over HTTP, with its own agent, which may die, repeat itself or come late."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from erp_integrations.adapters.simulator.agent import Agent, NotAnswered, main
from erp_integrations.connections import secrets
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.export import lease_recovery
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow import standing
from erpbridge.audit.models import Event
from tests.erp_integrations import steps
from tests.factories import CompanyFactory

PASSWORD = "correct-horse-battery"


@pytest.fixture
def connection(connection) -> Connection:
    steps.change_config(connection, delivery="polled")
    steps.keep_secrets(connection, password=PASSWORD)
    return connection


@pytest.fixture
def agent(connection) -> Callable[..., Agent]:
    """The ledger's agent, which knows the address and a password."""

    def make(password: str = PASSWORD) -> Agent:
        client = Client(enforce_csrf_checks=True)
        address = reverse("erp:inbound", args=[connection.public_id])

        def post(headers, body: bytes) -> tuple[int, bytes]:
            answer = client.post(
                address, body, content_type="application/json", headers=dict(headers)
            )
            return answer.status_code, answer.content

        return Agent(steps.ledger_of(connection), password, post)

    return make


def state(item: Item) -> str:
    item.refresh_from_db()
    return item.state


def tries(item: Item) -> list[tuple[str, str]]:
    return list(item.tries.order_by("fence").values_list("first_look", "outcome"))


def effects(connection: Connection) -> int:
    return len(steps.ledger_of(connection).effects())


def fetch(agent: Agent) -> dict[str, Any]:
    """The conversation up to the point where the agent has received the command."""
    looks = agent.ask({"take": 20})
    assert looks["do"] == []
    commands = agent.ask({"take": 20, **agent.work(looks)})
    assert commands["do"]
    return commands


def test_item_waits_until_the_erp_asks_and_is_then_exported(
    connection, accepted_item, agent, company
):
    steps.export(connection)
    assert (state(accepted_item), tries(accepted_item)) == (State.QUEUED, [])
    assert standing.sentence(accepted_item) == "It waits for the ERP to fetch it."
    assert agent().run() == 1
    assert (state(accepted_item), tries(accepted_item)) == (State.SYNCED, [("absent", "applied")])
    company.refresh_from_db()
    assert company.origin_code == "QUARRY01"
    connection.refresh_from_db()
    assert connection.asked_at is not None


def test_update_goes_out_without_a_look_before(
    connection, accepted_item, agent, company, ada, pat, access_of
):
    agent().run()
    company.refresh_from_db()
    item = steps.update_item(company, access_of(ada), "Quarry & Daughters")
    assert steps.decide([item], access_of(pat)).done == 1
    agent().run()
    assert state(item) == State.SYNCED
    assert steps.ledger_of(connection).vendor("QUARRY01").values["vendor_name"] == (
        "Quarry & Daughters"
    )


@pytest.mark.parametrize("password", ["wrong", ""])
def test_wrong_password_gets_nothing(connection, accepted_item, agent, password):
    with pytest.raises(NotAnswered, match="401"):
        agent(password).run()
    assert (state(accepted_item), tries(accepted_item)) == (State.QUEUED, [])
    steps.change_config(connection, password="")
    with pytest.raises(NotAnswered, match="401"):
        agent("").run()


def test_agent_that_died_with_the_command_in_its_hands_is_asked_before_it_is_sent_again(
    connection, accepted_item, agent
):
    fetch(agent())
    assert state(accepted_item) == State.SENDING
    assert "fetched" in standing.sentence(accepted_item)
    steps.let_pass(181)
    lease_recovery.expire_leases()
    assert state(accepted_item) == State.UNCERTAIN
    steps.export(connection)
    assert state(accepted_item) == State.UNCERTAIN
    asked = agent().ask({"take": 20})
    assert ([question["key"] for question in asked["look"]], asked["do"]) == (["QUARRY01"], [])
    steps.let_pass(200)
    assert agent().run() == 1
    assert (state(accepted_item), effects(connection)) == (State.SYNCED, 1)
    assert tries(accepted_item) == [("absent", "lost"), ("absent", "applied")]


def test_report_that_was_lost_is_found_out_by_asking_and_nothing_is_sent_again(
    connection, accepted_item, agent
):
    first = agent()
    first.work(fetch(first))
    steps.let_pass(181)
    lease_recovery.expire_leases()
    assert agent().run() == 0
    assert (state(accepted_item), effects(connection)) == (State.SYNCED, 1)


def test_absence_is_not_believed_while_the_agent_may_still_be_at_it(
    connection, accepted_item, agent
):
    slow = agent()
    commands = fetch(slow)
    Item.objects.update(lease_until=None, state=State.UNCERTAIN, check_after="2000-01-01T00:00Z")
    assert agent().run() == 0
    assert state(accepted_item) == State.UNCERTAIN
    slow.work(commands)
    steps.let_pass(3)
    assert agent().run() == 0
    assert (state(accepted_item), effects(connection)) == (State.SYNCED, 1)


def test_late_report_of_an_earlier_hand_over_settles_nothing_and_is_kept(
    connection, accepted_item, agent
):
    late = agent()
    commands = fetch(late)
    steps.let_pass(400)
    lease_recovery.expire_leases()
    fetch_again(agent())
    refused = {"code": "E1002", "message": "Too long", "column": "vendor_name"}
    late.ask({"reports": [{"ticket": commands["do"][0]["ticket"], "error": refused}]})
    assert state(accepted_item) == State.SENDING
    assert tries(accepted_item) == [("absent", "late"), ("absent", "open")]


def fetch_again(agent: Agent) -> dict[str, Any]:
    """After the question about its outcome, and the lookup before the create."""
    asked = agent.ask({"take": 20})
    for _ in range(3):
        if asked["do"]:
            return asked
        asked = agent.ask({"take": 20, **agent.work(asked)})
    raise AssertionError(asked)


def test_late_report_of_the_latest_hand_over_settles_it(connection, accepted_item, agent):
    late = agent()
    commands = fetch(late)
    steps.let_pass(181)
    lease_recovery.expire_leases()
    late.ask(late.work(commands))
    assert (state(accepted_item), effects(connection)) == (State.SYNCED, 1)


def test_doubled_calls_change_nothing(connection, accepted_item, agent):
    erp_agent = agent()
    looks = erp_agent.ask({"take": 20})
    answer = erp_agent.work(looks)
    first = erp_agent.ask({"take": 20, **answer})
    again = erp_agent.ask({"take": 20, **answer})
    assert (len(first["do"]), again["do"]) == (1, [])
    report = erp_agent.work(first)
    for _ in range(3):
        erp_agent.ask(report)
    assert (state(accepted_item), tries(accepted_item)) == (State.SYNCED, [("absent", "applied")])
    assert Event.objects.filter(verb="sync").count() == 1


def test_key_that_is_taken_is_not_handed_over(connection, accepted_item, agent):
    vendor = {"vendor_id": "QUARRY01", "vendor_name": "By hand", "vendor_type": "OTH"}
    message = json.dumps({"operation": "create", "vendor": vendor})
    steps.ledger_of(connection).post("by hand", message)
    assert agent().run() == 0
    assert state(accepted_item) == State.FAILED
    assert accepted_item.error_class == "duplicate"
    assert tries(accepted_item) == [("present", "not_applied")]


def test_refusal_is_reported_and_fails(connection, accepted_item, agent):
    erp_agent = agent()
    commands = fetch(erp_agent)
    refused = {"code": "E1002", "message": "Too long", "column": "vendor_name"}
    erp_agent.ask({"reports": [{"ticket": commands["do"][0]["ticket"], "error": refused}]})
    assert state(accepted_item) == State.FAILED
    assert (accepted_item.error_text, accepted_item.error_field) == ("Too long", "name")


def test_many_go_in_as_many_rounds_as_it_takes(connection, account, ada, pat, access_of, agent):
    companies = CompanyFactory.create_batch(45, account=account)
    items = steps.send_all(companies, access_of(ada))
    assert steps.decide(items, access_of(pat)).done == 45
    assert agent().run() == 45
    assert set(Item.objects.values_list("state", flat=True)) == {State.SYNCED}
    assert effects(connection) == 45


def test_paused_connection_takes_reports_and_hands_out_nothing(
    connection, accepted_item, agent, ada, account, pat, access_of
):
    erp_agent = agent()
    commands = fetch(erp_agent)
    connection_services.pause(connection, by=ada, reason="Year end")
    erp_agent.ask(erp_agent.work(commands))
    assert state(accepted_item) == State.SYNCED
    (item,) = steps.send_all([CompanyFactory.create(account=account)], access_of(ada))
    steps.decide([item], access_of(pat))
    assert agent().run() == 0
    assert state(item) == State.QUEUED


def test_ticket_of_another_connection_is_worth_nothing(
    connection, accepted_item, agent, other_account
):
    commands = fetch(agent())
    other = Connection.objects.create(
        account=other_account, name="x", adapter="simulator", config=connection.config
    )
    steps.keep_secrets(other, password=PASSWORD)
    ticket = commands["do"][0]["ticket"]
    said = {"reports": [{"ticket": ticket, "id": "1", "key": "X", "version": "1"}]}
    answer = Client().post(
        reverse("erp:inbound", args=[other.public_id]),
        said,
        content_type="application/json",
        headers={"Authorization": f"Bearer {PASSWORD}"},
    )
    assert answer.status_code == 200
    assert state(accepted_item) == State.SENDING


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"take": "x"}',
        b'{"reports": [{"ticket": 1}]}',
        b'{"reports": {"a": 1}}',
        b'{"found": [{"ticket": "x", "entity": "vendor", "record": {"id": "1"}}]}',
        b"[" * 50_000,
    ],
)
def test_nonsense_is_refused(connection, body):
    answer = Client().post(
        reverse("erp:inbound", args=[connection.public_id]),
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {PASSWORD}"},
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "ticket", ["", "\x00", "\ud800", "do.x.1.1", "do." + "0" * 36 + ".1.1", "look.1"]
)
def test_no_ticket_breaks_it(connection, agent, ticket):
    done = {"ticket": ticket, "id": "1", "key": "X", "version": "1"}
    seen = {"ticket": ticket, "entity": "vendor", "record": None}
    body = json.dumps({"reports": [done], "found": [seen]})
    assert agent().post(agent().headers, body.encode())[0] == 200


def test_address_is_closed_to_everything_else(connection, db):
    address = reverse("erp:inbound", args=[connection.public_id])
    assert Client().get(address).status_code == 401
    assert Client().put(address).status_code == 404
    assert Client().post(f"{address}more").status_code == 401
    huge = Client().post(address, b"x" * (1024 * 1024 + 1), content_type="text/plain")
    assert huge.status_code == 413
    steps.change_config(connection, delivery="sync")
    assert Client().post(address).status_code == 404
    other = reverse("erp:inbound", args=["00000000-0000-4000-8000-000000000000"])
    assert Client().post(other).status_code == 404


def test_page_of_the_connection_shows_the_address_and_no_password(connection, client_of, ada):
    page = client_of(ada).get(reverse("erp:connection", args=[connection.account_id]))
    assert str(connection.public_id) in page.text
    assert PASSWORD not in page.text
    settings = reverse("erp:configure", args=[connection.account_id, connection.pk])
    assert PASSWORD not in client_of(ada).get(settings).text


def test_password_stays_when_the_settings_are_saved_without_it(connection, ada, agent):
    config = {**connection.config, "latency_ms": 1}
    connection_settings.configure(connection, name="Ledger", config=config, by=ada)
    connection.refresh_from_db()
    assert secrets.opened(connection) == {"password": PASSWORD}


@pytest.mark.django_db(transaction=True)
def test_the_agent_program_asks_over_http(live_server, connection, accepted_item, capsys):
    address = live_server.url + reverse("erp:inbound", args=[connection.public_id])
    ledger = str(steps.ledger_of(connection).path)
    assert main([address, "wrong", ledger]) == 1
    assert "401" in capsys.readouterr().err
    assert main([address, PASSWORD, ledger]) == 0
    assert capsys.readouterr().out == "1 records carried out\n"
    assert (state(accepted_item), effects(connection)) == (State.SYNCED, 1)
