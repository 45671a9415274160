"""Whatever makes erpbridge call an ERP, it calls no host that only its own network can reach."""

from __future__ import annotations

import re
import socket

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from erp_integrations.adapters.base import Health
from erp_integrations.adapters.tryton import TrytonAdapter
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.connections.refresh import NotFetched, Place
from erp_integrations.connections.secrets import seal
from erp_integrations.export import backoff, circuit_breaker, due, engine
from erp_integrations.models import Attempt, Connection, Halt, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import manual_resolution
from erp_integrations.workflow.links import link_existing
from erpbridge.access.levels import Level
from erpbridge.audit.models import Event
from erpbridge.refusals import Refused
from tests.erp_integrations import steps
from tests.factories import MembershipFactory, UserFactory
from tests.outgoing.hosts import host

SAID = "Address: 127.0.0.1:8069 is not called, it has no public address."
PAGE = b"<html>root:x:0:0</html>"
OOPS = b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 23\r\n\r\n" + PAGE


def name_host(connection: Connection, url: str) -> None:
    """Let the connection be to a Tryton there."""
    config = {"url": url, "company": 1, "root": "COSTCODES"}
    connections = Connection.objects.filter(pk=connection.pk)
    connections.update(adapter="tryton", config=config, secrets={"key": seal("k" * 40)})
    connection.refresh_from_db()


@pytest.fixture
def inside(connection, accepted_item, settings, monkeypatch) -> list[object]:
    """The account's ERP is on this machine, which is not allowed; the addresses connected to."""
    settings.ERPBRIDGE_ALLOWED_PRIVATE_HOSTS = ()
    name_host(connection, "http://127.0.0.1:8069/erp")
    addresses: list[object] = []
    real = socket.socket.connect

    def connect(sock: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[1] == 8069:
            addresses.append(address)
        real(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return addresses


def test_connection_test(inside, connection, ada):
    assert not connection_services.test(connection, by=ada)
    assert connection.test_result["problems"][0].startswith(SAID)
    assert "ERPBRIDGE_ALLOWED_PRIVATE_HOSTS" in connection.test_result["problems"][0]
    assert inside == []


def test_refresh(inside, connection, ada):
    assert not connection_services.refresh(connection, by=ada)
    assert connection.refresh_problem == SAID
    assert inside == []


def test_list_of_the_erp(inside, connection):
    with pytest.raises(NotFetched, match="Address: "):
        link_existing.fetch_page(connection.account_id, Place(1, ("vendor",)))
    assert inside == []


def test_export(inside, connection, accepted_item):
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert (accepted_item.state, accepted_item.error_text) == (State.QUEUED, SAID)
    assert Attempt.objects.get().outcome == Attempt.Outcome.NOT_APPLIED
    assert inside == []


def test_the_connection_is_halted_and_says_why_to_whoever_looks_after_it(
    inside, connection, ada, client_of
):
    steps.export(connection)
    for page in ("erp:health", "erp:connection"):
        page_text = client_of(ada).get(reverse(page, args=[connection.account_id])).text
        assert SAID in page_text
        assert "has to allow the host in ERPBRIDGE_ALLOWED_PRIVATE_HOSTS" in page_text
        assert "Next attempt:" in page_text
    (paused,) = Event.objects.filter(verb="connection_paused")
    assert SAID in paused.note + str(paused.data)


def test_while_it_is_refused_no_item_fails_however_often_somebody_resumes(
    inside, connection, accepted_item, ada
):
    for _ in range(backoff.MOST_ATTEMPTS + 1):
        steps.let_pass(1_000)
        connection_services.resume(connection, by=ada)
        steps.export(connection)
    accepted_item.refresh_from_db()
    assert (accepted_item.state, accepted_item.attempts) == (State.QUEUED, 0)
    assert inside == []


@pytest.mark.parametrize(
    ("problems", "attempts"), [(("Still not.",), 1), ((), 2)], ids=["refused", "mended"]
)
def test_it_goes_on_by_itself_once_it_may_be_called_and_no_sooner(
    inside, connection, accepted_item, monkeypatch, problems, attempts
):
    steps.export(connection)
    steps.let_pass(1_000)
    assert due.due_connections() == [connection.pk]
    monkeypatch.setattr(TrytonAdapter, "check", lambda self: Health(problems))
    steps.export(connection)
    connection.refresh_from_db()
    # The item is refused again, for its host is what it was.
    assert Attempt.objects.count() == attempts
    assert connection.halted_for == Halt.SETUP


def test_look_up_of_what_is_uncertain(inside, connection, accepted_item):
    Item.objects.update(state=State.UNCERTAIN, check_after="2000-01-01T00:00Z")
    engine.drain(connection.pk)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.UNCERTAIN
    assert inside == []


def test_look_up_by_a_person(inside, accepted_item):
    accepted_item.connection.refresh_from_db()
    with pytest.raises(Refused, match=re.escape(SAID)):
        manual_resolution.look_up(accepted_item, "QUARRY01")
    assert inside == []


def test_login_probe(inside, connection):
    connection_services.halt(connection, Halt.LOGIN, message="No.")
    Connection.objects.update(breaker_until=None)
    circuit_breaker.probe(connection, adapter_loading.adapter_of(connection))
    connection.refresh_from_db()
    assert connection.halted_for
    assert inside == []


@pytest.mark.parametrize(
    "url, said",
    [
        ("https://user:hush-hush@erp.example.com/erp", "Address: leave out the user name"),
        ("https://erp.example.com:25/erp", "Address: port 25"),
        ("https://erp.example.com:99999/erp", "Address: this is not an address"),
        ("ftp://erp.example.com/erp", "Address: begin with https://"),
        ("//erp.example.com/erp", "Address: begin with https://"),
        ("https://127.0.0.1\\@erp.example.com/erp", "Address: an address has no blanks"),
        ("https://erp.example.com/e rp", "Address: an address has no blanks"),
    ],
)
def test_an_address_that_hides_something_is_refused_when_it_is_typed(db, url, said):
    with pytest.raises(ValidationError) as raised:
        connection_settings.clean_config("tryton", {"url": url})
    (message,) = raised.value.message_dict["url"]
    assert message.startswith(said)
    assert "hush" not in message


def test_a_page_of_the_host_is_on_no_page_of_ours_in_no_row_and_no_log(
    client, connection, accepted_item, ada, caplog
):
    with host(answer=OOPS) as server:
        name_host(connection, f"http://127.0.0.1:{server.port}/erp")
        connection_services.test(connection, by=ada)
        connection_services.refresh(connection, by=ada)
        steps.export(connection)
    client.force_login(ada)
    pages = [
        reverse("erp:item", args=[connection.account_id, accepted_item.public_id]),
        reverse("erp:connection", args=[connection.account_id]),
        reverse("erp:health", args=[connection.account_id]),
    ]
    connection.refresh_from_db()
    seen = [client.get(page).text for page in pages]
    seen += [caplog.text, connection.refresh_problem, str(connection.test_result)]
    seen += list(Attempt.objects.values_list("answer_excerpt", flat=True))
    assert "500" in "".join(seen)
    assert [text for text in seen if "root:x" in text] == []


def test_what_the_erp_said_word_for_word_is_for_those_who_look_after_the_connection(
    client, synced_company, accepted_item, account, ada
):
    Attempt.objects.update(answer_excerpt="said by the ledger")
    place = reverse("erp:item", args=[accepted_item.account_id, accepted_item.public_id])
    clerk = UserFactory.create()
    MembershipFactory.create(
        user=clerk, account=account, can_push_to_accounting=True, erp_integrations=Level.STANDARD
    )
    for person, reads in ((ada, True), (clerk, False)):
        client.force_login(person)
        page = client.get(place)
        assert page.status_code == 200
        assert ("said by the ledger" in page.text) is reads
