"""Connections, and whether anything can be sent at all."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from erp_integrations.adapters.base import Health
from erp_integrations.adapters.simulator.adapter import SimulatorAdapter
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Connection
from erp_integrations.sendable import button, limits
from erp_integrations.workflow.send.readiness import readiness
from erpbridge.audit.models import Event
from tests.erp_integrations import steps


def rules(access) -> set[str]:
    return {problem.rule for problem in readiness("vendor", access).problems}


def new(account, ada, **more) -> Connection:
    given = {"name": "Ledger", "adapter": "simulator", "config": {}, "account": account}
    return connection_settings.create(**{**given, **more}, by=ada)


def test_account_without_connection_says_so(account, ada, access_of):
    assert rules(access_of(ada)) == {"no_connection"}
    assert limits(account.pk, "vendor") == {}


def test_new_connection_has_to_be_tested_and_refreshed_first(account, ada, access_of):
    connection = new(account, ada, config={"latency_ms": 0, "ledger": "fresh"})
    connection_services.activate(connection, by=ada)
    assert rules(access_of(ada)) == {"not_tested", "not_synced"}
    assert connection_services.test(connection, by=ada)
    assert connection_services.refresh(connection, by=ada)
    assert rules(access_of(ada)) == set()
    assert limits(account.pk, "vendor")["name"].most == 30


def test_connection_whose_last_test_failed_sends_nothing(connection, company, ada, access_of):
    steps.change_config(connection, fault="down")
    assert not connection_services.test(connection, by=ada)
    assert rules(access_of(ada)) == {"not_tested"}
    (reason,) = button("vendor", access_of(ada), company).reasons
    assert "Connection to the simulator refused" in reason.message


@pytest.mark.parametrize("change", ["settings", "secret"])
def test_a_test_says_nothing_about_settings_that_changed_meanwhile(
    connection, ada, monkeypatch, change
):
    def change_settings(_adapter: object) -> Health:
        stored = Connection.objects.get(pk=connection.pk)
        if change == "settings":
            steps.change_config(stored, latency_ms=1)
        else:
            steps.keep_secrets(stored, api_key="another")
        return Health()

    Connection.objects.update(tested_at=None)
    monkeypatch.setattr(SimulatorAdapter, "check", change_settings)
    assert not connection_services.test(connection, by=ada)
    assert Connection.objects.get(pk=connection.pk).tested_at is None


def test_failed_refresh_keeps_the_lists(connection, ada):
    steps.change_config(connection, fault="down")
    assert not connection_services.refresh(connection, by=ada)
    assert connection.refresh_problem == "Connection to the simulator refused."
    assert connection.choices.filter(active=True).exists()


def test_one_connection_serves_a_record_type(connection, account, ada):
    second = new(account, ada, name="Second")
    connection_services.activate(second, by=ada)
    assert connection_services.active(account.pk, "vendor") == connection


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        ({"latency_ms": "soon"}, "latency_ms"),
        ({"latency_ms": "-1"}, "latency_ms"),
        ({"latency_ms": "9" * 100}, "latency_ms"),
        ({"fault": "explode"}, "fault"),
        ({"fault_for": "x" * 201}, "fault_for"),
        ({"fault_for": "a\x00"}, "fault_for"),
        ({"fault_for": "a\x07b"}, "fault_for"),
        ({"fault_for": "a\ud800"}, "fault_for"),
    ],
)
def test_bad_setting_is_refused_naming_it(account, ada, config, setting):
    with pytest.raises(ValidationError) as refused:
        new(account, ada, config=config)
    assert list(refused.value.message_dict) == [setting]


@pytest.mark.parametrize("more", [{"name": ""}, {"name": "x" * 101}, {"adapter": "nope"}])
def test_bad_name_or_adapter_is_refused(account, ada, more):
    with pytest.raises(ValidationError):
        new(account, ada, **more)


def test_second_connection_of_the_same_name_is_refused(connection, account, ada):
    with pytest.raises(ValidationError):
        new(account, ada)


def test_adapter_that_went_away_cannot_be_configured(connection, ada, settings):
    settings.ERPBRIDGE_ADAPTERS = []
    with pytest.raises(ValidationError):
        connection_settings.configure(connection, name="New", config={}, by=ada)


def test_pausing_and_resuming_are_noted_once(connection, ada):
    for _ in range(2):
        connection_services.pause(connection, by=ada, reason="Month end")
    for _ in range(2):
        connection_services.resume(connection, by=ada)
    verbs = Event.objects.filter(entity="connection").order_by("id").values_list("verb", flat=True)
    assert list(verbs)[-2:] == ["connection_paused", "connection_resumed"]
    assert connection.pause_reason == ""


@pytest.mark.parametrize("change", ["update", "delete"])
def test_audit_events_can_neither_be_changed_nor_removed(connection, change):
    before = Event.objects.count()
    rows = Event.objects.all()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(verb="x") if change == "update" else rows.delete()
    assert (Event.objects.count(), Event.objects.filter(verb="x").count()) == (before, 0)


def test_the_history_of_settings_starts_from_what_was_stored(account, ada):
    connection = new(account, ada)
    stale = Connection.objects.get(pk=connection.pk)
    for instance, name in ((connection, "First"), (stale, "Second")):
        connection_settings.configure(instance, name=name, config={}, by=ada)
    changed = Event.objects.filter(verb="connection_changed").order_by("-pk").first()
    assert changed.data["changes"]["name"] == ["First", "Second"]
