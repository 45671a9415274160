"""Guessing the password of an ERP that asks: failed logins lock the address they come from."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from erp_integrations.adapters.base import InboundCall, InboundReply
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.clock import now
from erp_integrations.connections import settings as connection_settings
from erp_integrations.export.delivery import login_lockout
from erp_integrations.models import Connection
from erpbridge.audit.models import Event
from erpbridge.clock.measured import STEP
from tests.erp_integrations import steps

RIGHT, GUESS = "correct-horse-battery", "guess-no-4711"


@pytest.fixture
def connection(connection) -> Connection:
    steps.change_config(connection, delivery="polled")
    steps.keep_secrets(connection, password=RIGHT)
    return connection


@pytest.fixture
def ask(connection):
    """One call of the ERP with a password."""

    def call(password: str, to: Connection = connection):
        return Client().post(
            reverse("erp:inbound", args=[to.public_id]),
            {"take": 0},
            content_type="application/json",
            headers={"Authorization": f"Bearer {password}"},
        )

    return call


def guess(ask, times: int) -> list[int]:
    return [ask(GUESS).status_code for _ in range(times)]


def test_after_as_many_wrong_passwords_as_a_login_takes_nobody_is_answered(ask, settings):
    most = settings.AXES_FAILURE_LIMIT
    assert guess(ask, most + 2) == [401] * most + [429] * 2
    refused = ask(RIGHT)
    assert refused.status_code == 429
    assert "Ask again in" in refused.json()["error"]
    assert 0 < int(refused["Retry-After"]) <= settings.AXES_COOLOFF_TIME * 3_600 + STEP


def test_right_password_is_answered_again_after_the_wait(connection, ask, settings):
    guess(ask, settings.AXES_FAILURE_LIMIT)
    passed = now() - timedelta(seconds=1)
    Connection.objects.filter(pk=connection.pk).update(inbound_locked_until=passed)
    assert ask(RIGHT).status_code == 200
    assert guess(ask, settings.AXES_FAILURE_LIMIT - 1)[-1] == 401
    assert ask(RIGHT).status_code == 200


def test_only_wrong_passwords_in_a_row_count(ask, settings):
    for _ in range(3):
        guess(ask, settings.AXES_FAILURE_LIMIT - 1)
        assert ask(RIGHT).status_code == 200


def test_nonsense_with_the_right_password_locks_nobody_out(connection, ask, settings):
    url = reverse("erp:inbound", args=[connection.public_id])
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        answer = Client().post(
            url, b"{", "application/json", headers={"Authorization": f"Bearer {RIGHT}"}
        )
        assert answer.status_code == 400
    assert ask(RIGHT).status_code == 200


def test_other_connections_are_answered_meanwhile(connection, ask, other_account, settings):
    other = Connection.objects.create(
        account=other_account, name="x", adapter="simulator", config=connection.config
    )
    steps.keep_secrets(other, password=RIGHT)
    guess(ask, settings.AXES_FAILURE_LIMIT)
    assert ask(RIGHT, other).status_code == 200


def test_new_password_on_the_page_ends_the_wait(connection, ask, ada, client_of, settings):
    guess(ask, settings.AXES_FAILURE_LIMIT)
    home = reverse("erp:connection", args=[connection.account_id])
    assert "called several times with a wrong password" in client_of(ada).get(home).text
    connection_settings.configure(connection, name="Ledger", config=connection.config, by=ada)
    assert ask(RIGHT).status_code == 429
    connection_settings.configure(
        connection, name="Ledger", config=connection.config, by=ada, secrets={"password": "new"}
    )
    assert ask("new").status_code == 200
    assert "called several times" not in client_of(ada).get(home).text


def test_lock_is_logged_and_noted_without_the_password(connection, ask, caplog, settings):
    with caplog.at_level(logging.INFO):
        guess(ask, settings.AXES_FAILURE_LIMIT + 3)
    said = [record for record in caplog.records if record.name == login_lockout.__name__]
    assert len(said) == settings.AXES_FAILURE_LIMIT + 1
    assert "it is locked" in caplog.text
    assert GUESS not in caplog.text
    (noted,) = Event.objects.filter(verb="inbound_locked")
    assert (noted.actor, noted.subject_id) == (None, connection.pk)
    assert GUESS not in str(noted.data)


def test_protocol_with_an_envelope_of_its_own_words_the_refusal(connection, ask, monkeypatch):
    def in_soap(_self, _call: InboundCall, _seconds: float) -> InboundReply:
        return InboundReply(200, "text/xml", b"<nvu/>")

    monkeypatch.setattr(SimulatorAdapter, "locked_out", in_soap)
    guess(ask, 6)
    answer = ask(RIGHT)
    assert (answer.status_code, answer.content) == (200, b"<nvu/>")
    assert "Retry-After" not in answer


def test_adapter_that_fails_to_word_it_still_lets_nobody_in(connection, ask, monkeypatch):
    def broken(_self, _call: InboundCall, _seconds: float) -> InboundReply:
        raise RuntimeError(RIGHT)

    monkeypatch.setattr(SimulatorAdapter, "locked_out", broken)
    guess(ask, 6)
    answer = ask(RIGHT)
    assert answer.status_code == 429
    assert RIGHT not in answer.text
