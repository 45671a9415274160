"""Secrets of connections: encrypted at rest, rotated, and never given back by anything."""

from __future__ import annotations

import html
import io
import json
import logging
import stat
import threading
import uuid
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection as db
from django.urls import reverse

from erp_integrations.adapters import registry
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading, secrets
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.sendable import send
from erp_integrations.workflow.send.readiness import readiness
from erpbridge.audit.models import Event
from erpbridge.ui.logs.formatters import JsonFormatter, LineFormatter
from erpbridge.ui.logs.redaction import MARK, Redactor
from tests.erp_integrations import steps
from tests.erp_integrations.secretive import SECRET, SecretiveAdapter


@pytest.fixture
def talk(monkeypatch):
    """Make the adapter reveal its key in one of its calls."""
    monkeypatch.setattr(registry, "adapter_class", lambda *_args: SecretiveAdapter)
    return lambda call: monkeypatch.setattr(SecretiveAdapter, "talk", call)


@pytest.fixture
def log():
    """What the process logs, in both formats."""
    stream = io.StringIO()
    kept = [logging.StreamHandler(stream) for _ in range(2)]
    kept[0].setFormatter(JsonFormatter())
    kept[1].setFormatter(LineFormatter("%(levelname)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    for handler in kept:
        root.addHandler(handler)
    yield stream
    for handler in kept:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def connection(account, ada, talk, log) -> Connection:
    """A connection that is logged in with the right key."""
    connection = connection_settings.create(
        account=account,
        name="Ledger",
        adapter="simulator",
        config={"latency_ms": 0, "ledger": f"test-{uuid.uuid4().hex}"},
        secrets={"api_key": SECRET},
        by=ada,
    )
    connection_services.activate(connection, by=ada)
    assert connection_services.test(connection, by=ada)
    assert connection_services.refresh(connection, by=ada)
    return connection


def no_secret_in(text: str) -> None:
    for form in (SECRET, html.escape(SECRET), json.dumps(SECRET)[1:-1], repr(SECRET)[1:-1]):
        assert form not in text
    assert "hush" not in text
    assert "bWU6aHVzaC" not in text  # "me:hush", as a header spells it


def settings_url(connection: Connection) -> str:
    return reverse("erp:configure", args=[connection.account_id, connection.pk])


def form_of(connection: Connection, **more: str) -> dict[str, str]:
    return {"name": connection.name, **{k: str(v) for k, v in connection.config.items()}, **more}


# --- at rest --------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_secret_is_in_the_database(connection):
    stored = Connection.objects.values_list("secrets", flat=True).get()
    assert set(stored) == {"api_key"}
    if db.vendor == "sqlite":
        with db.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        name = str(db.settings_dict["NAME"])
        written = b"".join(path.read_bytes() for path in Path(name).parent.glob("*.sqlite3*"))
    else:
        with db.cursor() as cursor:
            cursor.execute("SELECT table_to_xml('erp_integrations_connection', true, false, '')")
            written = cursor.fetchone()[0].encode()
    assert b"Ledger" in written
    assert b"hush" not in written
    assert adapter_loading.adapter_of(connection).secrets == {"api_key": SECRET}


def test_two_connections_with_one_secret_do_not_look_alike(connection, account, ada):
    other = connection_settings.create(
        account=account,
        name="B",
        adapter="simulator",
        config={},
        secrets={"api_key": SECRET},
        by=ada,
    )
    assert other.secrets["api_key"] != connection.secrets["api_key"]


def test_secrets_do_not_show_themselves(connection):
    adapter = adapter_loading.adapter_of(connection)
    no_secret_in(f"{adapter.secrets!r} {adapter.secrets} {adapter!r} {connection!r}")
    assert "api_key" in repr(adapter.secrets)


# --- the form -------------------------------------------------------------------------------


def test_form_says_set_or_not_set_and_never_the_value(connection, client_of, ada):
    page = client_of(ada).get(settings_url(connection)).content.decode()
    assert "It is set. Leave it blank to keep it." in page
    assert "It is not set." in page
    assert "From the ERP&#x27;s &lt;own&gt; page." in page
    assert "Remove the stored API key" in page
    assert "Remove the stored Password" not in page
    no_secret_in(page)


def test_blank_keeps_what_is_there(connection, client_of, ada):
    done = client_of(ada).post(
        settings_url(connection), form_of(connection, api_key="", name="New")
    )
    assert done.status_code == 302
    connection.refresh_from_db()
    assert connection.name == "New"
    assert secrets.opened(connection) == {"api_key": SECRET}


def test_a_new_value_replaces_and_history_says_only_that(connection, client_of, ada, account):
    given = form_of(connection, api_key="another key", password="also new")
    client_of(ada).post(settings_url(connection), given)
    connection.refresh_from_db()
    assert secrets.opened(connection) == {"api_key": "another key", "password": "also new"}
    event = Event.objects.get(verb="connection_changed")
    changed = {"api_key": ["secret", "changed"], "password": ["secret", "changed"]}
    assert event.data["changes"] == changed


def test_remove_takes_it_away(connection, client_of, ada):
    client = client_of(ada)
    client.post(settings_url(connection), form_of(connection, api_key__remove="on"))
    steps.run_jobs()
    connection.refresh_from_db()
    assert connection.secrets == {}
    assert Event.objects.get(verb="connection_changed").data["changes"] == {
        "api_key": ["secret", "removed"]
    }
    assert connection.test_result["problems"] == ["The key is wrong."]


def test_remove_and_a_new_value_together_are_refused(connection, client_of, ada):
    both = form_of(connection, api_key="hush hush new", api_key__remove="on")
    page = client_of(ada).post(settings_url(connection), both).content.decode()
    assert "Enter a new value or tick Remove, not both." in page
    no_secret_in(page)
    connection.refresh_from_db()
    assert secrets.opened(connection) == {"api_key": SECRET}


def test_new_connection_takes_its_secrets_from_the_form(account, ada, client_of, talk):
    given = {"adapter": "simulator", "name": "Mine", "ledger": "mine", "latency_ms": "0"}
    url = reverse("erp:connection_create", args=[account.pk])
    assert client_of(ada).post(url, {**given, "api_key": SECRET}).status_code == 302
    connection = Connection.objects.get()
    assert secrets.opened(connection) == {"api_key": SECRET}
    assert "api_key" not in connection.config


@pytest.mark.parametrize("value", ["x" * 4_001, "a\x00b"])
def test_what_cannot_be_a_secret_is_refused_without_repeating_it(connection, client_of, ada, value):
    page = client_of(ada).post(settings_url(connection), form_of(connection, api_key=value))
    assert page.status_code == 200
    assert value not in page.content.decode()
    with pytest.raises(ValidationError, match="API key: at most 4,000 characters"):
        connection_settings.configure(
            connection, name="Ledger", config=connection.config, secrets={"api_key": value}, by=ada
        )


# --- whatever the ERP says ------------------------------------------------------------------


@pytest.mark.parametrize(
    "call", ["", "preview", "check", "find", "find raises", "fail", "submit raises"]
)
def test_a_secret_an_adapter_gives_away_stays_off_pages_tables_and_log(
    connection, company, ada, pat, access_of, client_of, talk, log, call
):
    talk(call)
    connection_services.test(connection, by=ada)
    Connection.objects.update(test_result={**connection.test_result, "problems": []})
    connection.refresh_from_db()
    send("vendor", [company.pk], access=access_of(ada))
    steps.decide(Item.objects.all(), access_of(pat), vendor_id="QUARRY01")
    steps.export(connection)
    item = Item.objects.get()
    client = client_of(ada)
    for url in (
        reverse("erp:item", args=[item.account_id, item.public_id]),
        reverse("erp:connection", args=[item.account_id]),
        reverse("erp:companies", args=[item.account_id]) + "?status=failed",
        reverse("erp:health", args=[item.account_id]),
        settings_url(connection),
    ):
        no_secret_in(client.get(url).content.decode())
    connection.refresh_from_db()
    no_secret_in(f"{item.error_text} {item.error_advice} {connection.test_result}")
    no_secret_in(str(list(Attempt.objects.values())))
    no_secret_in(str(list(Event.objects.values())))
    assert "logging in with" in log.getvalue()
    no_secret_in(log.getvalue())
    said = Attempt.objects.get().answer_excerpt + str(connection.test_result)
    assert call in ("find raises", "submit raises", "preview") or MARK in said
    assert call or item.state == "synced"


def test_an_adapter_that_fails_to_start_does_not_say_its_secret(connection, monkeypatch):
    def fail(self, config, secrets, io):
        raise ValueError(f"bad key {secrets['api_key']}")

    monkeypatch.setattr(SecretiveAdapter, "__init__", fail)
    with pytest.raises(AdapterUnavailable) as refused:
        adapter_loading.adapter_of(connection)
    no_secret_in(str(refused.value))


def test_a_debug_page_does_not_show_what_was_typed(
    connection, client_of, ada, monkeypatch, settings
):
    settings.DEBUG = True
    monkeypatch.setattr(connection_settings, "seal", lambda value: 1 / 0)
    client = client_of(ada)
    client.raise_request_exception = False
    page = client.post(settings_url(connection), form_of(connection, api_key=SECRET))
    assert page.status_code == 500
    assert "ZeroDivisionError" in page.content.decode()
    no_secret_in(page.content.decode())


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        ("abc", "abc abcd (abc)", f"{MARK} abcd ({MARK})"),
        ("abcd", "xabcdx", f"x{MARK}x"),
        ("a b+c", "u?k=a+b%2Bc&a%20b%2Bc", f"u?k={MARK}&{MARK}"),
        ("", "nothing is hidden", "nothing is hidden"),
        ("long one", "long one", MARK),
    ],
)
def test_redaction_finds_a_secret_however_it_is_spelled(secret, text, left):
    assert Redactor([secret])(text) == left


# --- keys -----------------------------------------------------------------------------------


def key() -> str:
    return Fernet.generate_key().decode()


def test_rotation_encrypts_with_the_first_key(connection, settings, capsys):
    old, new = key(), key()
    settings.ERPBRIDGE_FIELD_KEYS = [old]
    Connection.objects.update(secrets={"api_key": secrets.seal(SECRET)})
    settings.ERPBRIDGE_FIELD_KEYS = [new, old]
    connection.refresh_from_db()
    assert secrets.opened(connection) == {"api_key": SECRET}

    call_command("rotate_secrets")
    assert "1 secrets are encrypted with the first key." in capsys.readouterr().out
    settings.ERPBRIDGE_FIELD_KEYS = [new]
    connection.refresh_from_db()
    assert secrets.opened(connection) == {"api_key": SECRET}


def test_rotation_names_what_it_cannot_read_and_leaves_it(connection, settings):
    before = connection.secrets
    settings.ERPBRIDGE_FIELD_KEYS = [key()]
    with pytest.raises(CommandError, match=r"api_key of connection \d+ \(Ledger\)"):
        call_command("rotate_secrets")
    connection.refresh_from_db()
    assert connection.secrets == before


def test_without_its_key_a_connection_has_a_problem_and_no_page_breaks(
    connection, accepted_item, settings, client_of, ada, access_of
):
    settings.ERPBRIDGE_FIELD_KEYS = [key()]
    client = client_of(ada)
    words = "secrets cannot be decrypted with the keys in ERPBRIDGE_FIELD_KEYS"
    page = client.get(reverse("erp:connection", args=[connection.account_id])).content.decode()
    assert words in page
    for url in (
        reverse("erp:health", args=[connection.account_id]),
        settings_url(connection),
        reverse("erp:item", args=[connection.account_id, accepted_item.public_id]),
        reverse("erp:holdings", args=[connection.account_id, connection.pk, "companies"]),
    ):
        assert client.get(url).status_code == 200
    act = reverse("erp:connection_act", args=[connection.account_id, connection.pk])
    started = client.post(act, {"act": "test"})
    steps.run_jobs()
    assert words in client.get(started["Location"]).content.decode()
    assert not connection_services.refresh(connection, by=ada)
    assert words in connection.refresh_problem
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == "queued"
    assert words in readiness("vendor", access_of(ada)).problems[0].message

    client.post(settings_url(connection), form_of(connection, api_key=SECRET))
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == "synced", accepted_item.error_text


def test_outside_production_a_key_is_made_once_and_kept_for_its_owner(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    keys: list[str] = []
    ready = threading.Barrier(8)

    def read() -> None:
        ready.wait()
        keys.append(secrets._kept_key(tmp_path))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    (file,) = tmp_path.iterdir()
    assert file.name == "field-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_production_never_makes_a_key_of_its_own(settings, tmp_path):
    settings.DATA_DIR, settings.PRODUCTION, settings.ERPBRIDGE_FIELD_KEYS = tmp_path, True, []
    with pytest.raises(ImproperlyConfigured, match="ERPBRIDGE_FIELD_KEYS"):
        secrets.seal("x")
    assert list(tmp_path.iterdir()) == []
