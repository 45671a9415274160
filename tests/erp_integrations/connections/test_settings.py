"""How fast a connection may go: set on its page, kept within limits, noted, and heeded."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from erp_integrations.adapters.base import Rate
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import settings as connection_settings
from erp_integrations.export import engine
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erpbridge.audit.models import Event
from tests.erp_integrations import steps
from tests.factories import CompanyFactory


@pytest.fixture
def declared(monkeypatch) -> None:
    """The ERP takes 240 records a minute, and 7 calls at a time."""
    plain, limits = SimulatorAdapter.manifest, {"rate": Rate(per_minute=240), "concurrency": 7}
    monkeypatch.setattr(
        SimulatorAdapter, "manifest", classmethod(lambda _cls, c: replace(plain(c), **limits))
    )


@pytest.fixture
def save(client_of, ada, connection):
    """Saves the connection's form with these values."""

    def post(**values: str):
        url = reverse("erp:configure", args=[connection.account_id, connection.pk])
        given = {"name": connection.name, **connection.config, **values}
        answer = client_of(ada).post(url, given)
        connection.refresh_from_db()
        return answer

    return post


def history() -> dict[str, list[object]]:
    noted = Event.objects.filter(verb="connection_changed").order_by("-pk").first()
    return noted.data["changes"] if noted else {}


def test_rate_is_set_on_the_page_shown_and_noted(connection, save, client_of, ada):
    assert save(rate_per_minute="90", max_in_flight="5").status_code == 302
    assert (connection.rate_per_minute, connection.max_in_flight) == (90, 5)
    assert history() == {"rate_per_minute": [None, 90], "max_in_flight": [None, 5]}
    page = client_of(ada).get(reverse("erp:connection", args=[connection.account_id])).text
    assert re.search(r"<dt>Commands a minute</dt><dd>90<", page)
    assert "Set in the settings." in page


def test_empty_is_what_the_adapter_declares(connection, save, declared, client_of, ada):
    save(rate_per_minute="90", max_in_flight="5")
    assert save(rate_per_minute="", max_in_flight="").status_code == 302
    assert (connection.rate_per_minute, connection.max_in_flight) == (None, None)
    assert history() == {"rate_per_minute": [90, None], "max_in_flight": [5, None]}
    form = client_of(ada).get(reverse("erp:configure", args=[connection.account_id, connection.pk]))
    assert "Empty: 240, as the adapter declares." in form.text
    assert "Empty: 7 calls at a time, as the adapter declares." in form.text
    page = client_of(ada).get(reverse("erp:connection", args=[connection.account_id])).text
    by_adapter = '<span class="fact-note">As the adapter declares.</span>'
    assert f"<dt>Commands a minute</dt><dd>240{by_adapter}" in page
    assert f"<dt>Most at once</dt><dd>7 calls at a time{by_adapter}" in page


@pytest.mark.parametrize("typed", ["0", "-1", "1.5", "100001", "9" * 30, "many", "\x00"])
def test_rate_beyond_the_limits_is_refused_naming_field_and_limits(connection, save, typed):
    answer = save(rate_per_minute=typed)
    assert answer.status_code == 200
    assert "Commands a minute must be a whole number from 1 to 100,000." in answer.text
    assert connection.rate_per_minute is None
    assert history() == {}


def test_service_keeps_the_limits_too_and_leaves_alone_what_is_not_given(connection, ada):
    def limit(**limits: int | None) -> None:
        connection_settings.configure(
            connection, name="Ledger", config=connection.config, by=ada, limits=limits
        )

    for wrong in ({"rate_per_minute": 0}, {"max_in_flight": 1_001}):
        with pytest.raises(ValidationError, match="must be a whole number from 1 to"):
            limit(**wrong)
    connection.refresh_from_db()
    limit(rate_per_minute=12)
    limit(max_in_flight=3)
    connection.refresh_from_db()
    assert (connection.rate_per_minute, connection.max_in_flight) == (12, 3)


def test_new_connection_takes_its_limits_from_the_form(account, client_of, ada):
    values = {"adapter": "simulator", "name": "Slow", "rate_per_minute": "6", "max_in_flight": ""}
    url = reverse("erp:connection_create", args=[account.pk])
    assert client_of(ada).post(url, values).status_code == 302
    made = Connection.objects.get(name="Slow")
    assert (made.rate_per_minute, made.max_in_flight) == (6, None)


def test_what_is_set_on_the_page_is_what_the_engine_does(
    connection, save, account, ada, pat, access_of
):
    save(rate_per_minute="1", max_in_flight="2")
    companies = CompanyFactory.create_batch(5, account=account)
    steps.decide(steps.send_all(companies, access_of(ada)), access_of(pat))
    assert len(engine.claim(connection, adapter_loading.manifest_of(connection))) == 2
    assert engine.claim(connection, adapter_loading.manifest_of(connection)) == []
    assert Item.objects.filter(state=State.QUEUED).count() == 3
