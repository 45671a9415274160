"""Logging in, lock-out, changing the password, and the invitation."""

import datetime

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from erpbridge.access import policy
from erpbridge.access.models import User
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Person
from erpbridge.login.views import invitation_path
from tests.factories import PASSWORD, UserFactory

WRONG = "The e-mail address or the password is wrong."
NEW = "a quite different phrase 7"


def log_in(client: Client, email: str, password: str = PASSWORD):
    return client.post(reverse("login"), {"username": email, "password": password})


def is_in(client: Client) -> bool:
    return client.get(reverse("password_change")).status_code == 200


def test_the_email_address_is_taken_in_any_case(client, sam):
    log_in(client, " SAM.Standard@Example.com ")
    assert is_in(client)


@pytest.mark.parametrize("who", ["wrong password", "unknown", "inactive"])
def test_every_failure_looks_the_same(client, sam, who):
    UserFactory(email="gone@example.com", is_active=False)
    email = {"unknown": "who@example.com", "inactive": "gone@example.com"}.get(who, sam.email)
    answer = log_in(client, email, "wrong" if who == "wrong password" else PASSWORD)
    assert answer.context["form"].non_field_errors() == [WRONG]
    assert not is_in(client)


@pytest.mark.parametrize("email", ["x" * 3000, "nul\x00@example.com", "", "💥"])
def test_bad_input_at_login_is_refused(client, db, email):
    assert log_in(client, email).status_code == 200


def test_logging_out_needs_a_post_and_ends_the_session(client, sam):
    log_in(client, sam.email)
    assert client.get(reverse("logout")).status_code == 405
    client.post(reverse("logout"))
    assert not is_in(client)


def test_a_login_that_is_switched_off_is_out_at_once(client, sam):
    log_in(client, sam.email)
    User.objects.filter(pk=sam.pk).update(is_active=False)
    assert not is_in(client)


# --- lock-out -------------------------------------------------------------------------------


@pytest.fixture
def guarded(settings):
    settings.AXES_ENABLED = True


def fail(email: str, times: int) -> None:
    for _ in range(times):
        log_in(Client(), email, "wrong")


def test_five_failures_lock_the_name_and_the_page_says_for_how_long(guarded, client, sam):
    fail(sam.email, 5)
    answer = log_in(client, sam.email)
    assert answer.status_code == 429
    assert "15 minutes" in answer.text
    assert not is_in(client)


def test_four_failures_do_not_lock(guarded, client, sam):
    fail(sam.email, 4)
    log_in(client, sam.email)
    assert is_in(client)


def test_writing_the_name_differently_does_not_give_more_tries(guarded, client, sam):
    for email in (sam.email, sam.email.upper(), f" {sam.email}", sam.email.title(), sam.email):
        fail(email, 1)
    assert log_in(client, sam.email).status_code == 429


def test_the_lock_is_on_the_name_and_not_on_everybody(guarded, client, sam, ada):
    fail(sam.email, 5)
    log_in(client, ada.email)
    assert is_in(client)


def test_an_unknown_name_is_locked_alike(guarded, client, db):
    fail("who@example.com", 5)
    assert log_in(client, "who@example.com").status_code == 429


def test_the_lock_ends_after_a_quarter_of_an_hour(guarded, client, sam):
    with time_machine.travel(timezone.now() - datetime.timedelta(minutes=16), tick=True):
        fail(sam.email, 5)
    log_in(client, sam.email)
    assert is_in(client)


def test_guessing_the_old_password_in_a_session_locks_the_name_too(guarded, client, sam):
    log_in(client, sam.email)
    body = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    answers = [client.post(reverse("password_change"), body).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    right = body | {"old_password": PASSWORD}
    assert client.post(reverse("password_change"), right).status_code == 429
    assert User.objects.get(pk=sam.pk).check_password(PASSWORD)


# --- password -------------------------------------------------------------------------------


def test_changing_the_password_ends_other_sessions(client, sam):
    elsewhere = Client()
    for browser in (client, elsewhere):
        log_in(browser, sam.email)
    body = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    answer = client.post(reverse("password_change"), body)
    assert answer.headers["Location"] == reverse("password_change_done")
    assert is_in(client)
    assert not is_in(elsewhere)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [("wrong", NEW, "old_password"), (PASSWORD, "12345678", "new_password2")],
)
def test_a_wrong_or_weak_password_is_refused(client, sam, old, new, why):
    log_in(client, sam.email)
    body = {"old_password": old, "new_password1": new, "new_password2": new}
    assert why in client.post(reverse("password_change"), body).context["form"].errors


# --- invitation -----------------------------------------------------------------------------


@pytest.fixture
def by_ada(account, ada):
    return policy.load(ada, account)


@pytest.fixture
def invited(by_ada):
    added = people_services.add(email="new@example.com", name="Nia New", person=Person(), by=by_ada)
    return added.membership


def accept(client: Client, link: str, password: str = NEW):
    form = client.get(link, follow=True)
    assert form.status_code == 200
    address = form.redirect_chain[-1][0] if form.redirect_chain else link
    return client.post(address, {"new_password1": password, "new_password2": password})


def test_the_invited_person_sets_a_password_and_logs_in_with_it(client, invited):
    assert accept(client, invitation_path(invited.user)).status_code == 302
    log_in(client, "new@example.com", NEW)
    assert is_in(client)


def test_an_invitation_works_once(client, invited):
    link = invitation_path(invited.user)
    accept(client, link)
    assert Client().get(link).status_code == 410


def test_an_invitation_expires(client, invited):
    with time_machine.travel(datetime.datetime.now() - datetime.timedelta(days=4)):
        link = invitation_path(invited.user)
    assert client.get(link).status_code == 410


def test_a_new_invitation_makes_the_old_one_worthless(client, by_ada, invited):
    old = invitation_path(invited.user)
    renewed = people_services.invite(invited.pk, by=by_ada)
    assert client.get(old).status_code == 410
    assert accept(client, invitation_path(renewed.user)).status_code == 302


def test_a_weak_first_password_is_refused(client, invited):
    answer = accept(client, invitation_path(invited.user), "password")
    assert "new_password2" in answer.context["form"].errors


@pytest.mark.parametrize("uid", ["x", "MQ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ", "AAAA"])
def test_a_broken_invitation_says_what_to_do(client, db, uid):
    answer = client.get(reverse("invitation", args=[uid, "abc-def"]))
    assert answer.status_code == 410
    assert "ask whoever gave you the link" in answer.text
