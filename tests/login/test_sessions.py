"""A session that ended, a token that another tab replaced, a wrong origin: nothing is lost."""

from __future__ import annotations

import re
from html import unescape

import pytest
from axes.utils import reset as axes_reset
from django.contrib.auth.signals import user_logged_in
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from erpbridge.access.models import Account
from erpbridge.login import password_hashing
from erpbridge.login.password_hashing import Turns
from tests.factories import PASSWORD

TYPED = {"name": "Harbor & Sons", "notes": "line one\nline two", "secret-key": "hunter2"}
HERE = {"Origin": "http://testserver"}


@pytest.fixture
def settings_url(account) -> str:
    return reverse("access:account_settings", args=[account.pk])


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page, by name."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in fields}


def sign_in(client: Client, person, page: str):
    fields = hidden(page) | {"username": person.email, "password": PASSWORD}
    return client.post(reverse("login"), fields, headers=HERE)


def test_what_was_typed_when_the_session_had_ended_is_saved_after_signing_in(
    settings_url, account, ada
):
    client = Client()
    refused = client.post(settings_url, TYPED)
    assert refused.status_code == 401
    page = refused.text
    assert "Your session has ended" in page
    assert "hunter2" not in page
    assert Account.objects.get(pk=account.pk).name == "Harbor Construction"

    wrong = client.post(reverse("login"), hidden(page) | {"username": "x", "password": "y"})
    back = sign_in(client, ada, wrong.text).text
    assert "What you typed before was not taken yet" in back
    assert "passwords and other secrets were not kept" in back
    assert f'action="{settings_url}"' in back
    kept = hidden(back)
    assert (kept["name"], kept["notes"]) == (TYPED["name"], TYPED["notes"])
    assert "secret-key" not in kept
    client.post(settings_url, kept)
    assert Account.objects.get(pk=account.pk).name == "Harbor & Sons"


@pytest.mark.parametrize(
    ("obstacle", "status"),
    [("locked_name", 429), ("locked_address", 429), ("no_turn", 503), ("busy", 503)],
)
def test_a_page_in_the_way_of_the_log_in_hands_on_what_was_typed(
    request, obstacle, status, settings_url, account, ada
):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(reverse("login"))
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value}
    page = client.post(settings_url, TYPED | token, headers=HERE).text
    lift = request.getfixturevalue(obstacle)
    refused = sign_in(client, ada, page)
    assert refused.status_code == status
    assert "this page keeps it" in refused.text
    lift()

    again = client.post(f"{reverse('login')}?ended", hidden(refused.text), headers=HERE)
    assert "what you typed is there to be sent again" in again.text
    assert "required." not in again.text
    back = sign_in(client, ada, again.text).text
    client.post(settings_url, hidden(back), headers=HERE)
    assert Account.objects.get(pk=account.pk).name == "Harbor & Sons"


@pytest.fixture
def locked_name(settings, ada):
    settings.AXES_ENABLED = True
    wrong = {"username": ada.email, "password": "wrong"}
    for _ in range(settings.AXES_FAILURE_LIMIT):
        Client().post(reverse("login"), wrong)
    return axes_reset


@pytest.fixture
def locked_address(settings, ada):
    settings.AXES_ENABLED = True
    settings.ERPBRIDGE_FAILURES_PER_ADDRESS = 1
    Client().post(reverse("login"), {"username": "nobody@example.com", "password": "wrong"})
    return axes_reset


@pytest.fixture
def no_turn(settings, monkeypatch):
    hashers = settings.PASSWORD_HASHERS
    settings.PASSWORD_HASHERS = ["erpbridge.login.password_hashing.TakingTurns"]
    monkeypatch.setattr(password_hashing, "turns", turns := Turns(1, 0, 5.0))
    with turns.turn():
        yield lambda: setattr(settings, "PASSWORD_HASHERS", hashers)


@pytest.fixture
def busy():
    """The database, at the moment of the log-in."""

    def refuse(**_signal):
        raise OperationalError("the server shuts down")

    user_logged_in.connect(refuse)
    yield lambda: user_logged_in.disconnect(refuse)
    user_logged_in.disconnect(refuse)


def test_whoever_signed_in_in_another_tab_gets_what_was_typed_at_once(settings_url, client_of, ada):
    page = Client().post(settings_url, TYPED).text
    back = client_of(ada).post(reverse("login"), hidden(page))
    assert hidden(back.text)["name"] == TYPED["name"]


def test_a_token_replaced_by_another_tab_gives_the_form_back_to_be_sent_again(
    settings_url, account, client_of, ada
):
    client = Client(enforce_csrf_checks=True)
    client.cookies = client_of(ada).cookies
    client.get(settings_url)
    old = {"csrfmiddlewaretoken": "x" * 64}
    refused = client.post(settings_url, TYPED | old, headers=HERE)
    assert refused.status_code == 403
    assert "signed in again since this page was opened" in refused.text
    assert client.post(settings_url, hidden(refused.text), headers=HERE).status_code == 302
    assert Account.objects.get(pk=account.pk).name == "Harbor & Sons"


def test_a_token_is_replaced_and_the_session_over(settings_url, ada):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(reverse("login"))
    refused = client.post(settings_url, TYPED | {"csrfmiddlewaretoken": "x" * 64}, headers=HERE)
    assert refused.status_code == 401
    assert hidden(sign_in(client, ada, refused.text).text)["name"] == TYPED["name"]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Origin": "https://elsewhere.example"}, "It was sent from https://elsewhere.example, "),
        (
            {"Origin": "https://elsewhere.example/a/page"},
            "It was sent from https://elsewhere.example, ",
        ),
        ({}, "Open it again"),
    ],
    ids=["another origin", "another page", "no origin"],
)
def test_what_another_site_may_have_sent_is_not_given_back(
    settings_url, client_of, ada, headers, words
):
    client = Client(enforce_csrf_checks=True)
    client.cookies = client_of(ada).cookies
    client.get(settings_url)
    old = {"csrfmiddlewaretoken": "x" * 64}
    refused = client.post(settings_url, TYPED | old, headers=headers)
    assert refused.status_code == 403
    assert words in refused.text
    assert TYPED["notes"] not in refused.text
    # The page is one of the person's own, with the frame around it.
    assert "Ada Admin" in refused.text


def test_a_part_of_a_page_from_another_site_is_refused_in_words(settings_url, client_of, ada):
    client = Client(enforce_csrf_checks=True)
    client.cookies = client_of(ada).cookies
    headers = {"Origin": "https://elsewhere.example", "HX-Request": "true"}
    refused = client.post(settings_url, TYPED, headers=headers)
    assert (refused.status_code, refused["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert refused.text.startswith("It was sent from https://elsewhere.example, ")


def test_a_refused_form_leads_back_to_its_page(settings_url, client_of, ada):
    client = Client(enforce_csrf_checks=True)
    client.cookies = client_of(ada).cookies
    page = {"Referer": f"http://testserver{settings_url}"}
    refused = client.post(settings_url, TYPED, headers=page)
    assert f'href="{settings_url}">Open the page again' in refused.text


def test_a_browser_without_cookies_is_told_so(settings_url):
    refused = Client(enforce_csrf_checks=True).post(settings_url, TYPED, headers=HERE)
    assert refused.status_code == 403
    assert "Your browser sent no cookie along" in refused.text


def test_a_form_that_holds_secrets_is_never_given_back(account, connection_form_url):
    refused = Client().post(
        connection_form_url, {"name": "Ledger", "url": "https://u:p@erp.example"}
    )
    assert refused.status_code == 401
    assert "because it holds secrets" in refused.text
    assert "typed" not in hidden(refused.text)


@pytest.fixture
def connection_form_url(account) -> str:
    return reverse("erp:connection_create", args=[account.pk])


def test_a_changed_or_old_parcel_of_typed_text_is_no_parcel(client_of, ada):
    answer = client_of(ada).post(reverse("login"), {"typed": "made up"})
    assert answer.status_code == 302


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_part_of_a_page_is_told_in_words_and_gets_no_login_page(settings_url, method):
    answer = getattr(Client(), method)(settings_url, headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.text == "Your session has ended. Nothing was saved. Sign in again to continue."


def test_a_part_of_a_page_with_an_old_token_can_fetch_a_new_one(settings_url, client_of, ada):
    client = Client(enforce_csrf_checks=True)
    client.cookies = client_of(ada).cookies
    client.get(settings_url)
    refused = client.post(settings_url, TYPED, headers=HERE | {"HX-Request": "true"})
    assert (refused.status_code, refused["X-Token-Replaced"]) == (403, "1")
    token = client.get(reverse("session_token")).text
    taken = client.post(settings_url, TYPED, headers=HERE | {"X-CSRFToken": token})
    assert taken.status_code == 302


def test_whoever_asks_for_a_page_after_the_end_reads_why_they_sign_in(settings_url, client_of, ada):
    client = Client()
    client.cookies = client_of(ada).cookies
    client.session.flush()
    page = client.get(settings_url, follow=True).text
    assert "Your session has ended" in page
    assert "Your session has ended" not in Client().get(settings_url, follow=True).text
