"""Guessing passwords: stopped per address too, and never a reason for everybody to wait."""

from __future__ import annotations

import datetime
import threading
from ipaddress import ip_network
from itertools import count

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.hashers import check_password
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from erpbridge.login import password_hashing
from erpbridge.login.password_hashing import NoTurn, TakingTurns, Turns
from erpbridge.processes import gunicorn_conf
from tests.factories import PASSWORD

FROM, ELSEWHERE = "198.51.100.7", "198.51.100.8"


@pytest.fixture(autouse=True)
def guarded(settings):
    settings.AXES_ENABLED = True
    settings.ERPBRIDGE_FAILURES_PER_ADDRESS = 10


def log_in(email, password="wrong", address=FROM, **sent):
    body = {"username": email, "password": password}
    return Client(REMOTE_ADDR=address).post(reverse("login"), body, **sent)


NAMES = (f"n{n}@example.com" for n in count())


def guess(times, address=FROM, **sent):
    """Each with another name, so that none of them is locked."""
    return [log_in(next(NAMES), address=address, **sent).status_code for _ in range(times)]


def test_too_many_names_from_one_address_lock_it_and_no_other(sam):
    assert guess(12) == [200] * 10 + [429] * 2
    refused = log_in(sam.email, PASSWORD)
    assert refused.status_code == 429
    assert "came from your network" in refused.text
    assert int(refused["Retry-After"]) == 900
    assert log_in(sam.email, PASSWORD, ELSEWHERE).status_code == 302


def test_a_locked_address_locks_no_name_and_extends_nothing(sam):
    guess(10)
    counted = AccessAttempt.objects.count()
    for _ in range(6):
        log_in(sam.email)
    assert AccessAttempt.objects.count() == counted
    assert log_in(sam.email, PASSWORD, ELSEWHERE).status_code == 302


def test_the_lock_of_an_address_ends_after_a_quarter_of_an_hour(sam):
    with time_machine.travel(timezone.now() - datetime.timedelta(minutes=16), tick=True):
        guess(10)
    assert log_in(sam.email, PASSWORD).status_code == 302


def test_a_right_password_does_not_wipe_out_what_the_address_did(sam):
    guess(9)
    assert log_in(sam.email, PASSWORD).status_code == 302
    guess(1)
    assert log_in(sam.email, PASSWORD).status_code == 429


def test_a_session_goes_on_from_a_locked_address(sam, client_of):
    client = client_of(sam)
    guess(10)
    assert client.get(reverse("own_settings"), REMOTE_ADDR=FROM).status_code == 200


def test_a_forged_header_neither_evades_the_limit_nor_locks_others_out(sam):
    for n in range(12):
        guess(1, headers={"X-Forwarded-For": f"203.0.113.{n}"})
    assert guess(1, headers={"X-Forwarded-For": "203.0.113.99"}) == [429]
    assert log_in(sam.email, PASSWORD, "203.0.113.1").status_code == 302


def test_behind_a_proxy_clients_are_told_apart(sam, settings):
    settings.ERPBRIDGE_TRUSTED_PROXIES = [ip_network("10.0.0.5")]
    guess(10, "10.0.0.5", headers={"X-Forwarded-For": FROM})
    assert guess(1, "10.0.0.5", headers={"X-Forwarded-For": f"1.2.3.4, {FROM}"}) == [429]
    assert guess(1, "10.0.0.5", headers={"X-Forwarded-For": ELSEWHERE}) == [200]
    # A proxy that does not tell: it could be anybody, so nobody is locked out for it.
    assert guess(11, "10.0.0.5") == [200] * 11


def test_a_subscriber_of_ipv6_has_one_limit(db):
    for n in range(10):
        guess(1, f"2001:db8:1:2::{n}")
    assert guess(1, "2001:db8:1:2:ffff::1") == [429]
    assert guess(1, "2001:db8:1:3::1") == [200]


# --- hashing ----------------------------------------------------------------------------------


def test_threads_that_hash_or_wait_leave_most_of_a_process_to_pages():
    assert gunicorn_conf.threads // 2 >= password_hashing.AT_ONCE + password_hashing.WAITING


class Busy:
    """Threads that have their turn until told to end."""

    def __init__(self, turns: Turns, count: int) -> None:
        self.entered, self.over = threading.Semaphore(0), threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(turns,)) for _ in range(count)]

    def work(self, turns: Turns) -> None:
        try:
            with turns.turn():
                self.entered.release()
                self.over.wait(10)
        except NoTurn:
            self.entered.release()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.entered.acquire()
        return self

    def __exit__(self, *_error):
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def taken(monkeypatch, settings):
    """Somebody hashes in this process, and nobody may wait."""
    settings.PASSWORD_HASHERS = ["erpbridge.login.password_hashing.TakingTurns"]
    monkeypatch.setattr(password_hashing, "turns", turns := Turns(1, 0, 5.0))
    with Busy(turns, 1):
        yield


def test_whoever_finds_no_turn_is_told_at_once_when_to_come_again(sam, taken):
    answer = log_in(sam.email, PASSWORD)
    assert (answer.status_code, answer["Retry-After"]) == (503, "3")
    assert "does not count as a failed log-in" in answer.text
    assert not AccessAttempt.objects.exists()


@pytest.mark.parametrize("name", ["password_change", "invitation"])
def test_every_page_that_hashes_says_so(name, sam, taken, client_of):
    from erpbridge.login.views import invitation_path

    client = client_of(sam)
    new = {"new_password1": "a quite different phrase 7"}
    new |= {"old_password": PASSWORD, "new_password2": new["new_password1"]}
    if name == "invitation":
        response = client.get(invitation_path(sam), follow=True)
        address = response.redirect_chain[-1][0]
    else:
        address = reverse(name)
    assert client.post(address, new).status_code == 503
    sam.refresh_from_db()
    assert sam.password.startswith("md5")


def test_waiting_ends_in_time_and_a_turn_is_given_back():
    turns = Turns(1, 1, 0.01)
    with Busy(turns, 1), pytest.raises(NoTurn), turns.turn():
        pass
    with turns.turn():
        pass


def test_somebody_who_may_wait_gets_the_next_turn():
    turns = Turns(1, 1, 10)
    got = threading.Event()

    def wait():
        with turns.turn():
            got.set()

    with Busy(turns, 1) as busy:
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got.is_set()
        busy.over.set()
        waiting.join(10)
    assert got.is_set()


def test_a_hash_is_stored_like_djangos_and_readable_by_it(settings):
    stored = TakingTurns().encode("x" * 12, "salt" * 6, 1000)
    assert stored.startswith("pbkdf2_sha256$1000$")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    assert check_password("x" * 12, stored)
