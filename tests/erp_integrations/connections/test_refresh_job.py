"""Testing a connection and refreshing its data, in a background job."""

from __future__ import annotations

import pytest
from django.urls import reverse

from erp_integrations.adapters.base import (
    AdapterError,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Page,
)
from erp_integrations.adapters.simulator.adapter import SimulatorAdapter
from erp_integrations.connections import refresh, refresh_job
from erp_integrations.connections import services as connection_services
from erp_integrations.models import ActiveConnection, Connection
from erpbridge.jobs.models import Job
from erpbridge.jobs.run import claim
from tests.erp_integrations import steps


@pytest.fixture
def press(connection, client_of, ada):
    """Press Test and refresh; returns the page of the job."""

    def post() -> str:
        url = reverse("erp:connection_act", args=[connection.account_id, connection.pk])
        return client_of(ada).post(url, {"act": "test"})["Location"]

    return post


def pages(*codes: str):
    """An ERP whose list of each record type has these pages of one record each."""

    def pull(_self, entity: str, cursor: str = "", since: str = "") -> Page:
        number = int(cursor or 0)
        code = f"{entity}-{codes[number]}"
        cursor = str(number + 1) if number + 1 < len(codes) else ""
        return Page((Found(code, code, "1", {"name": code}),), cursor)

    return pull


def test_the_button_starts_a_job_and_asks_the_erp_nothing(
    connection, press, client_of, ada, monkeypatch
):
    def asked(*_args: object) -> None:
        raise AssertionError("The ERP was called in the request.")

    for call in ("check", "choices", "pull"):
        monkeypatch.setattr(SimulatorAdapter, call, asked)
    address = press()
    assert press() == address
    assert Job.objects.get().state == Job.State.QUEUED
    page = client_of(ada).get(address).text
    assert "Test and refresh Ledger" in page
    assert Job.State.QUEUED.label in page
    holdings = reverse("erp:holdings", args=[connection.account_id, connection.pk, "companies"])
    for url in (reverse("erp:connection", args=[connection.account_id]), holdings):
        assert "Test and refresh Ledger" in client_of(ada).get(url).text


def test_it_tests_and_reads_every_record_type_page_by_page(
    connection, press, client_of, ada, monkeypatch
):
    connection.erp_records.create(entity="vendor", erp_id="9", erp_code="LEFT")
    connection.erp_records.create(entity="vendor", erp_id="8", erp_code="KEPT", state="archived")
    Connection.objects.update(tested_at=None, refreshed_at=None, refresh_problem="It was down.")
    ActiveConnection.objects.filter(entity="cost_code").delete()
    monkeypatch.setattr(SimulatorAdapter, "pull", pages("A", "B"))
    address = press()
    steps.run_jobs()
    codes = connection.erp_records.order_by("erp_code").values_list("erp_code", flat=True)
    assert list(codes) == ["KEPT", "cost_code-A", "cost_code-B", "vendor-A", "vendor-B"]
    connection.refresh_from_db()
    assert connection.tested_at
    assert connection.refreshed_at
    assert connection.refresh_problem == ""
    assert ActiveConnection.objects.filter(entity="cost_code", connection=connection).exists()
    page = client_of(ada).get(address).text
    assert "Ledger works, and its data is up to date. 4 records read." in page


def test_a_failed_test_is_told_and_nothing_is_read(connection, press, client_of, ada):
    steps.change_config(connection, fault="down")
    before = connection.refreshed_at
    address = press()
    steps.run_jobs()
    page = client_of(ada).get(address).text
    assert "The connection test failed: Connection to the simulator refused." in page
    connection.refresh_from_db()
    assert connection.test_result["problems"]
    assert connection.refreshed_at == before


def test_a_failure_on_the_way_removes_nothing(connection, press, client_of, ada, monkeypatch):
    connection.erp_records.create(entity="vendor", erp_id="9", erp_code="LEFT")
    first = pages("A", "B")

    def failing(self, entity, cursor="", since=""):
        if cursor:
            raise AdapterError(ErpError(ErrorClass.TRANSIENT, Effect.NOT_APPLIED, "It is down."))
        return first(self, entity, cursor)

    monkeypatch.setattr(SimulatorAdapter, "pull", failing)
    address = press()
    steps.run_jobs()
    assert "The ERP data could not be fetched: It is down." in client_of(ada).get(address).text
    connection.refresh_from_db()
    assert connection.refresh_problem == "It is down."
    assert connection.erp_records.filter(erp_code="LEFT").exists()


@pytest.mark.parametrize("change", ["settings", "secret"])
def test_it_begins_again_when_the_settings_change_meanwhile(
    connection, press, client_of, ada, monkeypatch, change
):
    checks = []
    real = SimulatorAdapter.check
    monkeypatch.setattr(SimulatorAdapter, "check", lambda self: checks.append(1) or real(self))
    press()
    run = claim(Job.objects.get().pk)
    assert run is not None
    for _ in range(3):  # begin, test, lists
        refresh_job.step(run)
    assert len(checks) == 1
    if change == "settings":
        steps.change_config(connection, latency_ms=1)
    else:
        steps.keep_secrets(connection, api_key="another")
    while not run.over:
        refresh_job.step(run)
    assert len(checks) == 2


def test_an_answer_of_the_old_settings_is_not_kept(connection, press, monkeypatch):
    first = pages("OLD")

    def slow(self, entity, cursor="", since=""):
        if self.config.get("latency_ms") == 0:
            steps.change_config(Connection.objects.get(pk=connection.pk), latency_ms=1)
            return first(self, entity, cursor)
        return Page(())

    monkeypatch.setattr(SimulatorAdapter, "pull", slow)
    press()
    steps.run_jobs()
    assert Job.objects.get().state == Job.State.DONE
    assert not connection.erp_records.exists()


def test_a_list_that_goes_round_in_circles_is_given_up(connection, ada, monkeypatch):
    following = {"": "1", "1": "2", "2": "3", "3": "1"}
    monkeypatch.setattr(
        SimulatorAdapter,
        "pull",
        lambda _self, _entity, cursor="", _since="": Page((), following[cursor]),
    )
    assert not connection_services.refresh(connection, by=ada)
    assert connection.refresh_problem == refresh.ENDLESS


def test_an_approver_may_read_again_and_see_how_far_it_is(connection, client_of, pat):
    url = reverse("erp:holdings", args=[connection.account_id, connection.pk, "companies"])
    address = client_of(pat).post(url)["Location"]
    steps.run_jobs()
    page = client_of(pat).get(address).text
    assert "The data of Ledger is up to date." in page
    assert f'href="{url}"' in page
