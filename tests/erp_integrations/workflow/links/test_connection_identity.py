"""The identity of a connection: when it may change to another address, company or ledger."""

from __future__ import annotations

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from directory.models import Company
from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Effect,
    ErpError,
    ErrorClass,
    Manifest,
)
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.connections import refresh
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.export import claim as export_claim
from erp_integrations.export import engine
from erp_integrations.models import Connection, Halt, Item, Link
from erp_integrations.models.states import State
from erp_integrations.sendable import send
from erp_integrations.workflow.links import connection_identity
from erp_integrations.workflow.links.connection_identity import Books
from erpbridge.audit.models import Event
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, ConnectionFactory


def lead(connection, by, books=None, **given):
    """Change the connection to another ledger, or to these settings."""
    config = given or {"ledger": other_of(connection)}
    return connection_identity.lead_elsewhere(connection, config=config, books=books, by=by)


def other_of(connection: Connection) -> str:
    """A ledger of this test's own."""
    return f"other-{connection.public_id.hex}"


def refusal(connection, by, books=None, **given) -> dict[str, list[str]]:
    """The reason of the refusal; nothing is changed."""
    before = Connection.objects.values().get(pk=connection.pk)
    with pytest.raises(ValidationError) as caught:
        lead(connection, by, books, **given)
    assert Connection.objects.values().get(pk=connection.pk) == before
    return caught.value.message_dict


def usable(connection, by) -> None:
    assert connection_services.test(connection, by=by)
    assert connection_services.refresh(connection, by=by)


# --- not while anything is open ---------------------------------------------------------------


def test_what_waits_for_accounting_stands_against_it(connection, sent_item, ada):
    (why,) = refusal(connection, ada)["__all__"]
    assert why.startswith("1 company is still open with Ledger: waiting for accounting")


@pytest.mark.parametrize("state", ["accepted", "sending", "uncertain", "failed"])
def test_what_was_accepted_and_has_not_arrived_stands_against_it(
    connection, accepted_item, ada, state
):
    if state != "accepted":
        export_claim.claim(connection, manifest_of(connection))
    if state in ("uncertain", "failed"):
        lease = {"lease_until": None}
        Item.objects.update(state=State.UNCERTAIN if state == "uncertain" else "failed", **lease)
    assert "1 company is still open" in refusal(connection, ada)["__all__"][0]


def test_once_it_has_arrived_the_next_goes_to_the_other_ledger_only(
    connection, synced_company, account, ada, pat, access_of
):
    first = steps.ledger_of(connection)
    before = len(first.effects())
    lead(connection, ada, Books.OTHER)
    usable(connection, ada)
    items = steps.send_all([CompanyFactory.create(account=account)], access_of(ada))
    steps.decide(items, access_of(pat), vendor_id="SECOND01")
    steps.export(connection)
    assert [item.state for item in Item.objects.filter(pk=items[0].pk)] == [State.SYNCED]
    assert len(first.effects()) == before
    assert len(steps.ledger_of(connection).effects()) == 1


@pytest.fixture
def asleep(connection, account, ada, pat, access_of) -> tuple[Connection, Adapter, Manifest]:
    """What a worker has read that paused until a company was accepted for the other ledger."""
    known = Connection.objects.get(pk=connection.pk)
    before = known, adapter_of(known), manifest_of(known)
    lead(connection, ada)
    usable(connection, ada)
    items = steps.send_all([CompanyFactory.create(account=account)], access_of(ada))
    steps.decide(items, access_of(pat), vendor_id="SECOND01")
    return before


def test_a_worker_that_slept_through_it_claims_nothing_for_the_ledger_it_knew(connection, asleep):
    engine._take_turn(*asleep)
    assert steps.ledger_of(asleep[0]).effects() == []
    assert Item.objects.get().state == State.QUEUED
    steps.export(connection)
    assert len(steps.ledger_of(connection).effects()) == 1


def test_a_worker_that_slept_through_it_looks_up_nothing_in_the_ledger_it_knew(connection, asleep):
    steps.break_erp(connection, "timeout_after")
    steps.export(connection)
    assert Item.objects.get().state == State.UNCERTAIN
    steps.let_pass(10_000)
    # The ledger it has read lacks the record; if that counted, it would be sent a second time.
    engine._take_turn(*asleep)
    assert Item.objects.get().state == State.UNCERTAIN
    steps.let_pass(10_000)
    steps.export(connection)
    assert Item.objects.get().state == State.SYNCED
    assert len(steps.ledger_of(connection).effects()) == 1


# --- one way only -----------------------------------------------------------------------------


def test_the_settings_page_and_whoever_calls_its_service_cannot_lead_it_elsewhere(connection, ada):
    config = {**connection.config, "ledger": other_of(connection)}
    with pytest.raises(ValidationError) as caught:
        connection_settings.configure(connection, name="Ledger", config=config, by=ada)
    assert "Change which ERP it connects to" in caught.value.message_dict["ledger"][0]
    connection.refresh_from_db()
    assert connection.config["ledger"] != config["ledger"]


def test_other_settings_change_while_something_is_open_and_leave_where_it_leads(
    connection, sent_item, ada
):
    ledger = connection.config["ledger"]
    connection_settings.configure(connection, name="New", config={"latency_ms": 7}, by=ada)
    connection.refresh_from_db()
    assert (connection.config["ledger"], connection.config["latency_ms"]) == (ledger, 7)


def test_the_same_again_changes_nothing(connection, sent_item, ada):
    assert lead(connection, ada, ledger=connection.config["ledger"]) is False
    assert not Event.objects.filter(verb="connection_changed").exists()


def test_of_an_adapter_that_declares_nothing_every_setting_is_identity():
    declared = SimulatorAdapter.manifest({})
    plain = [setting.name for setting in declared.settings if setting.kind != "secret"]
    silent = [setting for setting in declared.settings if not setting.identity]
    assert [setting.name for setting in declared.identity] == ["ledger"]
    assert [setting.name for setting in replace(declared, settings=tuple(silent)).identity] == [
        name for name in plain if name != "ledger"
    ]
    said = replace(declared, settings=tuple(silent), no_identity="There is one such ERP.")
    assert said.identity == ()


# --- the secrets ------------------------------------------------------------------------------


class _Recorder(BaseHTTPRequestHandler):
    """A foreign ERP, which keeps the credentials of every login."""

    def _answer(self):
        self.server.heard.append(self.headers.get("Authorization", ""))
        self.send_error(401)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - as http.server names them

    def log_message(self, *_args):
        pass


@pytest.fixture
def stranger():
    """Its address, and every ``Authorization`` it was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Recorder)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tryton(account, ada) -> Connection:
    config = {"url": "http://127.0.0.1:9009/erp", "company": "1"}
    made = connection_settings.create(
        account=account,
        name="Tryton",
        adapter="tryton",
        config=config,
        by=ada,
        secrets={"key": "the-stored-key"},
    )
    connection_services.activate(made, by=ada)
    return made


def test_a_blank_secret_is_refused_by_name_and_never_goes_to_the_new_host(
    tryton, stranger, client_of, ada, account
):
    url = f"http://127.0.0.1:{stranger.server_port}/erp"
    assert "Key: enter it again" in refusal(tryton, ada, url=url)["key"][0]
    page = reverse("erp:lead_elsewhere", args=[account.pk, tryton.pk])
    client = client_of(ada)
    posted = client.post(page, {"url": url, "company": "1", "root": "COSTCODES", "key": " "})
    assert "Key: enter it again" in posted.text
    settings_page = reverse("erp:configure", args=[account.pk, tryton.pk])
    posted = client.post(settings_page, {"name": "Tryton", "url": url, "key": "", **SHAPE})
    assert "Change which ERP it connects to" in posted.text
    act = reverse("erp:connection_act", args=[account.pk, tryton.pk])
    client.post(act, {"act": "test", "url": url})
    assert stranger.heard == []


SHAPE = {
    "code_delimiter": "-", "code_zeros": "keep", "code_characters": "any", "code_tiers": "10",
    "name_limit": "100", "id_limit": "20", "home_country": "US",
}  # fmt: skip


def test_only_the_secret_that_was_typed_goes_to_the_new_host(
    tryton, stranger, client_of, ada, account
):
    url = f"http://127.0.0.1:{stranger.server_port}/erp"
    page = reverse("erp:lead_elsewhere", args=[account.pk, tryton.pk])
    data = {"url": url, "company": "1", "root": "COSTCODES", "key": "a-fresh-one"}
    started = client_of(ada).post(page, data)
    steps.run_jobs()
    page_text = client_of(ada).get(started["Location"]).text
    assert set(stranger.heard) == {"bearer a-fresh-one"} or set(stranger.heard) == {
        "Bearer a-fresh-one"
    }
    assert "a-fresh-one" not in page_text
    event = Event.objects.get(verb="connection_changed")
    assert event.data["changes"] == {
        "url": ["http://127.0.0.1:9009/erp", url],
        "key": ["secret", "changed"],
    }


def test_a_secret_that_the_adapter_has_forgotten_is_dropped(connection, ada):
    steps.keep_secrets(connection, old_token="x")
    lead(connection, ada)
    connection.refresh_from_db()
    assert connection.secrets == {}


# --- the links --------------------------------------------------------------------------------


def test_what_becomes_of_the_links_has_to_be_said(connection, synced_company, ada):
    assert refusal(connection, ada) == {"books": ["Say whether the links stay."]}


def test_the_same_books_keep_their_links(connection, synced_company, ada):
    lead(connection, ada, Books.SAME)
    assert Link.objects.active().count() == 1
    synced_company.refresh_from_db()
    assert synced_company.origin_code == "QUARRY01"
    assert connection.choices.exists()


def test_other_books_end_every_link_with_the_reason(connection, synced_company, ada):
    old = connection.config["ledger"]
    lead(connection, ada, Books.OTHER)
    (link,) = Link.objects.all()
    assert (link.ended_by, link.ended_at is None) == (ada, False)
    assert (
        link.ended_why
        == f"Ledger now connects to other books. Ledger was {old}, is {other_of(connection)}."
    )
    company = Company.objects.get(pk=synced_company.pk)
    assert (company.origin_id, company.origin_code, company.erp_state) == ("", "", "")
    assert Item.objects.get().state == State.UNLINKED
    assert Event.objects.filter(verb="unlink", subject_id=company.pk, actor=ada).exists()
    assert not connection.erp_records.exists()
    assert not connection.choices.exists()


def test_the_history_has_both_values_and_what_was_said(connection, synced_company, ada):
    old = connection.config["ledger"]
    lead(connection, ada, Books.OTHER)
    event = Event.objects.get(verb="connection_changed")
    assert event.data == {
        "changes": {"ledger": [old, other_of(connection)]},
        "books": "other",
        "links_ended": 1,
    }


# --- what was read from the former ERP ---------------------------------------------------------


def test_it_is_usable_only_once_tested_and_refreshed_there(connection, company, ada, access_of):
    lead(connection, ada)
    (refused,) = send("vendor", [company.pk], access=access_of(ada)).refused
    rules = {problem.rule for problem in refused.problems}
    assert rules >= {"not_tested", "not_synced"}
    usable(connection, ada)
    assert send("vendor", [company.pk], access=access_of(ada)).done == 1


def test_what_was_counted_against_the_old_erp_is_forgotten(connection, ada):
    connection_services.halt(connection, Halt.LOGIN, message="401")
    at = Connection.objects.get(pk=connection.pk).paused_at
    worn = {"breaker_failures": 9, "inbound_failures": 3}
    times = dict.fromkeys(("breaker_until", "next_slot_at", "asked_at", "inbound_locked_until"), at)
    Connection.objects.filter(pk=connection.pk).update(**worn, **times)
    lead(connection, ada)
    connection.refresh_from_db()
    assert [getattr(connection, name) for name in (*worn, *times, "paused_at")] == [
        *[0] * 2,
        *[None] * 5,
    ]


@pytest.mark.parametrize("call", ["check", "pull"])
def test_what_the_old_erp_says_meanwhile_is_not_kept(connection, ada, monkeypatch, call):
    """Asked before the change, answered after it."""
    real = getattr(SimulatorAdapter, call)

    def slow(self, *args):
        if not Connection.objects.filter(
            pk=connection.pk, config__ledger=other_of(connection)
        ).exists():
            lead(Connection.objects.get(pk=connection.pk), ada)
        return real(self, *args)

    monkeypatch.setattr(SimulatorAdapter, call, slow)
    act = connection_services.test if call == "check" else connection_services.refresh
    assert act(connection, by=ada) is False
    said = connection.test_result["problems"] if call == "check" else [connection.refresh_problem]
    assert said == [refresh.CHANGED]
    stored = Connection.objects.get(pk=connection.pk)
    assert (stored.tested_at, stored.refreshed_at) == (None, None)


def test_nor_is_that_the_old_erp_failed_meanwhile(connection, ada, monkeypatch):
    def failing(self, kind):
        lead(Connection.objects.get(pk=connection.pk), ada)
        raise AdapterError(ErpError(ErrorClass.TRANSIENT, Effect.NOT_APPLIED, "It is down."))

    monkeypatch.setattr(SimulatorAdapter, "choices", failing)
    assert connection_services.refresh(connection, by=ada) is False
    assert connection.refresh_problem == refresh.CHANGED
    assert Connection.objects.get(pk=connection.pk).refresh_problem == ""


# --- pages ------------------------------------------------------------------------------------


def page_of(connection) -> str:
    return reverse("erp:lead_elsewhere", args=[connection.account_id, connection.pk])


def test_the_page_names_what_is_open_and_leads_to_it(client_of, ada, connection, sent_item):
    response = client_of(ada).get(page_of(connection))
    assert "It cannot be changed now" in response.text
    assert (
        f'<a href="/accounts/{connection.account_id}/erp/companies/">1 company</a>' in response.text
    )
    posted = client_of(ada).post(page_of(connection), {"ledger": other_of(connection)})
    assert "It cannot be changed now" in posted.text


def test_the_page_counts_the_links_and_does_as_it_is_told(
    client_of, ada, connection, synced_company
):
    client = client_of(ada)
    assert "The same books under a new address: the links of 1 company stay" in (
        client.get(page_of(connection)).text
    )
    unsaid = client.post(page_of(connection), {"ledger": other_of(connection)})
    assert "Choose whether the links of 1 company stay or end." in unsaid.text
    started = client.post(page_of(connection), {"ledger": other_of(connection), "books": "other"})
    steps.run_jobs()
    done = client.get(started["Location"])
    assert "Ledger works, and its data is up to date." in done.text
    assert not Link.objects.active().exists()


def test_only_an_erp_administrator_opens_it(client_of, pat, connection):
    pat.memberships.update(erp_integrations=2)
    assert client_of(pat).get(page_of(connection)).status_code == 403


def test_two_connections_to_one_ledger_are_named(client_of, ada, connection):
    ConnectionFactory.create(
        account=connection.account, name="Twin", adapter="simulator", config=connection.config
    )
    url = reverse("erp:connection", args=[connection.account_id])
    assert client_of(ada).get(url).text.count("Two connections to the same books") == 2
