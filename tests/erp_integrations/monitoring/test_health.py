"""Export health: the page, the addresses for operators, and what they count."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.db import connection as db
from django.template.defaultfilters import floatformat
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from prometheus_client.parser import text_string_to_metric_families

from erp_integrations.clock import moment, now
from erp_integrations.connections import services as connection_services
from erp_integrations.export import lease_recovery
from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.models import Attempt, Connection, Halt, Item, Ticker, Worker
from erp_integrations.models.states import State
from erp_integrations.monitoring import health, heartbeat, prometheus
from erpbridge.access.levels import Level
from tests.erp_integrations import steps
from tests.factories import (
    CompanyFactory,
    ConnectionFactory,
    ItemFactory,
    MembershipFactory,
    UserFactory,
)

TOKEN = "a token that nobody guesses"


@pytest.fixture
def operator(settings) -> Client:
    settings.ERPBRIDGE_METRICS_TOKEN = TOKEN
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def health_page(client_of, ada, account):
    def page_text() -> str:
        url = reverse("erp:health", args=[account.pk])
        return client_of(ada).get(url).content.decode()

    return page_text


def samples(client: Client) -> dict[tuple[str, ...], float]:
    """(metric, values of the labels in the order of their names ...) -> value.

    Parsed as Prometheus does; the labels of the text have no order.
    """
    answer = client.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (
            sample.name,
            *(value for name, value in sorted(sample.labels.items()) if name != "adapter"),
        ): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


# --- who may look ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/metrics", "/health.json"])
def test_without_a_token_in_the_settings_the_address_does_not_exist(db, client, path):
    assert client.get(path).status_code == 404
    assert client.get(path, headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/health.json"])
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer \u00e9"])
def test_a_wrong_token_is_told_what_is_needed_and_nothing_else(operator, connection, path, given):
    refused = Client().get(path, headers={"Authorization": given})
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"].startswith("Bearer")
    assert b"erpbridge_" not in refused.content


def test_a_login_is_no_token(operator, client_of, ada):
    assert client_of(ada).get("/metrics").status_code == 401


def test_page_is_for_erp_admins_of_the_account(client_of, ada, sam, account):
    reader = UserFactory.create()
    MembershipFactory.create(user=reader, account=account, erp_integrations=Level.READ_ONLY)
    url = reverse("erp:health", args=[account.pk])
    assert client_of(ada).get(url).status_code == 200
    for person in (reader, sam):
        assert client_of(person).get(url).status_code == 403
    connection_url = reverse("erp:connection", args=[account.pk])
    assert url in client_of(ada).get(connection_url).content.decode()
    assert url not in client_of(reader).get(connection_url).content.decode()


# --- what is counted ------------------------------------------------------------------------


def test_metrics_are_what_the_tables_say(
    operator, connection, account, ada, pat, access_of, other_account
):
    companies = CompanyFactory.create_batch(6, account=account)
    items = steps.send_all(companies, access_of(ada))
    steps.decide(items[:4], access_of(pat))
    steps.break_erp(connection, "refuse", times=1)
    steps.export(connection)
    ItemFactory.create(account=other_account, state=State.READY)

    metrics = samples(operator)
    counted = Counter(
        (str(a), str(c), s)
        for a, c, s in Item.objects.values_list("account_id", "connection_id", "state")
    )
    item_counts = {key[1:]: n for key, n in metrics.items() if key[0] == "erpbridge_items"}
    assert {key: n for key, n in item_counts.items() if n} == counted
    assert len(item_counts) == Connection.objects.count() * len(State)
    tried = Counter(
        (str(account.pk), cls or "none", str(connection.pk), outcome)
        for outcome, cls in Attempt.objects.values_list("outcome", "error_class")
    )
    attempts = {k[1:]: n for k, n in metrics.items() if k[0] == "erpbridge_attempts_last_hour"}
    assert attempts == tried
    assert sum(tried.values()) >= 4


def test_json_says_the_same_as_the_metrics(operator, connection, accepted_item):
    steps.let_pass(90)
    Ticker.objects.create(pk=1, ran_reading=now())
    heartbeat.started()
    body = operator.get("/health.json").json()
    (reported,) = body["connections"]
    assert reported["items"]["queued"] == reported["queue"] == 1
    assert 85 < reported["oldest_age_seconds"] < 120
    assert body["tick_age_seconds"] < 30
    (worker,) = body["workers"]
    assert worker["name"] == f"{worker['host']}:{worker['pid']}"
    assert (body["status"], body["problems"]) == ("ok", [])
    numbers = samples(operator)
    assert numbers["erpbridge_workers",] == 1
    assert numbers["erpbridge_tick_age_seconds",] < 30
    key = ("erpbridge_oldest_item_age_seconds", str(connection.account_id), str(connection.pk))
    assert 85 < numbers[key] < 120


def test_attempts_older_than_an_hour_are_not_recent(operator, synced_company):
    Attempt.objects.update(opened_at=Attempt.objects.get().opened_at - timedelta(hours=2))
    assert not [key for key in samples(operator) if key[0] == "erpbridge_attempts_last_hour"]


def test_names_of_customers_are_not_in_the_metrics(operator, connection, company, accepted_item):
    Connection.objects.update(name='Secret "client"\n\\x')
    text = operator.get("/metrics").content.decode()
    for name in ("Secret", "client", company.name, "Harbor"):
        assert name not in text


def test_label_values_are_escaped(connection):
    Connection.objects.update(adapter='a"b\\c\nd')
    text = prometheus.as_text(health.snapshot()).decode()
    (family,) = [
        family
        for family in text_string_to_metric_families(text)
        if family.name == "erpbridge_breaker_open"
    ]
    assert family.samples[0].labels["adapter"] == 'a"b\\c\nd'


def test_looking_costs_a_fixed_number_of_queries(operator, account, other_account):
    def queries() -> int:
        with CaptureQueriesContext(db) as asked:
            assert operator.get("/metrics").status_code == 200
        return len(asked)

    ItemFactory.create(account=account)
    few = queries()
    for owner in (account, other_account):
        for created in ConnectionFactory.create_batch(5, account=owner):
            ItemFactory.create_batch(3, account=owner, connection=created)
    assert queries() == few <= 6


def test_counting_stops_at_the_cap(connection, account, monkeypatch):
    monkeypatch.setattr(health, "MOST_COUNTED", 4)
    ItemFactory.create_batch(6, account=account, connection=connection)
    (reported,) = health.snapshot().connections
    assert reported.counts["ready"] == 4


# --- items that wait for no worker ----------------------------------------------------------


def waits_for_others(operator, connection, delivery: str) -> dict[str, object]:
    """An item that was accepted three hours ago, for an ERP that is not called."""
    steps.change_config(connection, delivery=delivery)
    steps.let_pass(3 * 3_600)
    (reported,) = operator.get("/health.json").json()["connections"]
    assert reported["delivery"] == delivery
    labels = (str(connection.account_id), str(connection.pk))
    metrics = samples(operator)
    assert metrics["erpbridge_oldest_item_age_seconds", *labels] == 0
    assert metrics["erpbridge_oldest_left_age_seconds", *labels] > 10_000
    assert metrics["erpbridge_left_to_others", *labels] == 1
    return reported


def test_item_that_the_erp_must_fetch_is_not_late_for_a_worker(
    operator, connection, accepted_item, health_page
):
    reported = waits_for_others(operator, connection, "polled")
    assert (reported["queue"], reported["oldest_age_seconds"]) == (0, 0)
    assert (reported["left_to"], reported["left_to_others"], reported["asked_at"]) == (
        "erp",
        1,
        None,
    )
    assert reported["oldest_left_age_seconds"] > 10_000
    assert "1 item waiting for the ERP, the oldest for 3 h." in health_page()
    assert "it has never called." in health_page()
    Connection.objects.update(asked_at=moment().wall - timedelta(minutes=20))
    assert "it last called 20 min ago." in health_page()


def test_item_that_waits_for_a_file_is_left_to_a_person(
    operator, connection, accepted_item, health_page, pat
):
    reported = waits_for_others(operator, connection, "file")
    assert (reported["queue"], reported["left_to"], reported["left_to_others"]) == (0, "person", 1)
    assert "1 item waiting for a person, the oldest for 3 h: make a file" in health_page()
    assert "Oldest being exported" not in health_page()
    file_delivery.make(connection, "vendor", by=pat)
    (reported,) = operator.get("/health.json").json()["connections"]
    assert (reported["queue"], reported["left_to_others"]) == (0, 1)


def test_unknown_outcome_of_a_file_is_the_workers_to_hand_on(connection, accepted_item, pat):
    steps.change_config(connection, delivery="file")
    Item.objects.update(state=State.UNCERTAIN, check_after=now())
    (reported,) = health.snapshot().connections
    assert (reported.queue, reported.left) == (1, 0)


# --- states of connections ------------------------------------------------------------------


def test_breaker_and_pauses_show(operator, connection, health_page, ada):
    steps.let_pass(0)
    Connection.objects.update(breaker_failures=7, breaker_until=now() + timedelta(minutes=3))
    assert "Backing off after failures" in health_page()
    assert "7 calls failed in a row" in health_page()
    account_id, connection_id = str(connection.account_id), str(connection.pk)
    assert samples(operator)["erpbridge_breaker_open", account_id, connection_id] == 1
    assert samples(operator)["erpbridge_breaker_failures", account_id, connection_id] == 7

    def paused_by(who: str) -> float:
        return samples(operator)["erpbridge_connection_paused", account_id, who, connection_id]

    connection_services.pause(connection, by=ada, reason="Year-end closing")
    assert "Year-end closing" in health_page()
    assert paused_by("person") == 1
    connection_services.resume(connection, by=ada)
    connection_services.halt(connection, Halt.LOGIN, message="Password expired")
    assert "Paused: login refused" in health_page()
    assert paused_by("login") == 1
    assert paused_by("person") == 0
    body = operator.get("/health.json").json()
    assert f"Connection {connection.pk}: login refused." in body["problems"]


def test_page_says_what_waits_and_how_much_failed(
    connection, health_page, account, ada, pat, access_of, other_account
):
    ItemFactory.create_batch(3, account=other_account, state=State.READY)
    items = steps.send_all(CompanyFactory.create_batch(3, account=account), access_of(ada))
    steps.decide(items[:2], access_of(pat))
    steps.export(connection)
    text = health_page()
    assert "0 of 2" in text
    assert "<dt>Ready to export</dt><dd>1" in re.sub(r"</?p>|\n *", "", text)
    assert "Never" in text
    assert "no worker has ever checked" in text


def test_page_without_a_connection_says_so(health_page):
    assert "No ERP connected" in health_page()


def test_page_of_a_connection_whose_adapter_is_gone_says_so(connection, health_page):
    Connection.objects.update(adapter="gone")
    assert "Cannot be used" in health_page()


# --- ticks and workers ----------------------------------------------------------------------


def test_ready_says_when_nobody_ticks_and_stays_in_service(client, db):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["tick"] == "no worker has ever checked for due work"
    lease_recovery.tick()
    answer = client.get("/readyz")
    assert (answer.json()["status"], answer.json()["tick"]) == ("ready", "ok")
    assert answer.json()["tick_age_seconds"] < 5
    steps.let_pass(600)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "no worker has checked for due work for " in answer.json()["tick"]


def test_ready_without_the_engines_tables_says_unknown(client, monkeypatch, db):
    def fail():
        raise DatabaseError("no such table")

    monkeypatch.setattr(health, "tick_age", fail)
    assert client.get("/readyz").json()["tick"] == "unknown"


def test_workers_come_and_go(db):
    heartbeat.alive()
    (worker,) = health.snapshot().workers
    started = worker.started_at
    Worker.objects.update(seen_at=worker.seen_at - timedelta(minutes=5))
    assert health.snapshot().workers == []
    heartbeat.alive()
    (worker,) = health.snapshot().workers
    assert worker.started_at == started
    heartbeat.ended()
    assert not Worker.objects.exists()


def test_workers_that_are_long_gone_are_forgotten(db):
    Worker.objects.create(
        name="old:1", host="old", pid=1, seen_at=moment().wall - timedelta(days=3)
    )
    heartbeat.started()
    assert not Worker.objects.filter(name="old:1").exists()


def test_the_worker_signs_in(worker):
    until = time.monotonic() + 20
    while not Worker.objects.exists():
        assert time.monotonic() < until, "no worker signed in"
        time.sleep(0.1)


def test_item_page_shows_how_long_an_attempt_took(client_of, ada, synced_company):
    item = Item.objects.get()
    page = client_of(ada).get(reverse("erp:item", args=[item.account_id, item.public_id]))
    assert "Took" in page.content.decode()
    took = Attempt.objects.get().took
    assert took is not None
    assert 0 <= took < 30
    assert f"{floatformat(took, 2)} s" in page.content.decode()
