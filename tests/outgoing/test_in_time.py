"""No part of a request is sent once its time is over, whatever took the time."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from erp_integrations.adapters.base import Deadline
from erpbridge.outgoing import client, names
from erpbridge.outgoing.client import NoReply
from erpbridge.outgoing.hosts import Allowed
from tests.outgoing.hosts import host, silent

SECONDS = 0.5
HERE = Allowed.read(["127.0.0.0/8"])
# The first bytes of a TLS record that is never completed.
HELLO = b"\x16\x03\x03\x40\x00" + b"\x02" * 100


def post(url: str, body: bytes = b"{}", *, seconds: float = SECONDS) -> client.Reply:
    return client.call("POST", url, headers={}, seconds=seconds, body=body, allowed=HERE)


def failed(url: str, body: bytes = b"{}", *, seconds: float = SECONDS) -> NoReply:
    """The error of a request that must end in time."""
    began = time.monotonic()
    with pytest.raises(NoReply) as raised:
        post(url, body, seconds=seconds)
    assert time.monotonic() - began < seconds + 1
    return raised.value


@pytest.fixture
def resolver(monkeypatch):
    """Make the resolver wait until it may continue."""
    go_on = threading.Event()
    asked: list[str] = []
    real = socket.getaddrinfo

    def slow(name, port, *how):
        asked.append(name)
        go_on.wait(20)
        return real("127.0.0.1", port, *how)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    yield go_on, asked
    go_on.set()
    wait_for(lambda: not names._look_ups.running)


def wait_for(what, seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.01)
    assert what()


def test_an_answer_in_time_is_whole():
    with host() as server:
        reply = post(server.url())
        assert (reply.status, reply.body) == (200, b"OK")
        assert server.heard().endswith(b"\r\n\r\n{}")


def test_nothing_leaves_where_the_time_was_over_before():
    with host() as server:
        problem = failed(server.url(), seconds=0)
        assert (problem.began, problem.late) == (False, True)
        assert server.received == []


@pytest.fixture
def sleep(monkeypatch):
    """Let the machine sleep for an hour: the clock that stops in sleep does not advance."""
    real, slept = time.clock_gettime, []
    monkeypatch.setattr(
        time,
        "clock_gettime",
        lambda clock: real(clock) + 3_600 * len(slept) * (clock == time.CLOCK_BOOTTIME),
    )
    return lambda: slept.append(True)


def test_nothing_leaves_of_a_request_during_which_the_machine_slept(resolver, sleep):
    go_on, asked = resolver

    def close_the_lid() -> None:
        wait_for(lambda: asked)
        sleep()
        go_on.set()

    threading.Thread(target=close_the_lid, daemon=True).start()
    with host() as server:
        problem = failed(server.url("slow.example"), seconds=5)
        assert (problem.began, problem.late) == (False, True)
        assert server.received == []


def test_what_an_adapter_has_left_is_over_when_the_machine_has_slept(sleep):
    deadline = Deadline()
    with deadline.within(30):
        assert 29 < deadline.left() <= 30
        sleep()
        assert deadline.left() < 0


def test_a_name_that_is_resolved_too_late_is_dropped(resolver):
    go_on, _asked = resolver
    with host() as server:
        problem = failed(server.url("slow.example"))
        assert (problem.began, problem.late) == (False, True)
        go_on.set()
        wait_for(lambda: not names._look_ups.running)
        assert server.received == []
        assert post(server.url("slow.example")).status == 200


def test_a_dead_resolver_is_asked_once_for_a_name_and_by_a_bounded_number_of_threads(resolver):
    _go_on, asked = resolver
    before = threading.active_count()
    for _ in range(3):
        failed("http://same.example/", seconds=0.05)
    assert asked == ["same.example"]
    for number in range(names.MOST_AT_ONCE + 10):
        failed(f"http://host{number}.example/", seconds=0.01)
    assert len(asked) == names.MOST_AT_ONCE
    assert threading.active_count() <= before + names.MOST_AT_ONCE
    problem = failed("http://one-more.example/")
    assert problem.reason == "too many other names are being looked up"
    assert not problem.began


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "bad..example", "-"])
def test_what_no_host_can_be_called_cannot_be_reached(name):
    assert not failed(f"http://{name}/", seconds=5).began


def test_several_addresses_that_do_not_answer_share_the_time(monkeypatch):
    addresses = [f"127.0.0.{number}" for number in range(2, 8)]
    with ExitStack() as stack, host() as server:
        for address in addresses:
            stack.enter_context(silent(address, server.port))
        tried = [*addresses, "127.0.0.1"]
        resolved = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port)) for address in tried
        ]
        monkeypatch.setattr(client, "CONNECT_SECONDS", 0.2)
        monkeypatch.setattr(names, "resolve", lambda *_name, **_how: resolved)
        problem = failed(server.url("many.example"), seconds=0.7)
        assert (problem.began, problem.late) == (False, True)
        assert server.received == []
        assert post(server.url("many.example"), seconds=5).status == 200


def test_a_connection_that_is_not_taken_up_is_given_up():
    with silent("127.0.0.1") as port:
        problem = failed(f"http://127.0.0.1:{port}/")
        assert (problem.began, problem.late) == (False, True)


@pytest.mark.parametrize("drip", [b"", HELLO], ids=["silent", "a byte at a time"])
def test_tls_that_takes_too_long_has_sent_nothing_of_the_request(drip):
    with host(drip=drip) as server:
        problem = failed(server.url(scheme="https"))
        assert (problem.began, problem.late) == (False, True)
        assert b"POST" not in server.heard()


def test_the_time_is_read_again_right_before_the_first_byte(monkeypatch):
    real = client._Call.connect

    def paused(*how):
        connection = real(*how)
        time.sleep(SECONDS + 0.1)
        return connection

    monkeypatch.setattr(client._Call, "connect", paused)
    # So that the request is not stopped by the cut connection.
    monkeypatch.setattr(client._Call, "_cut", lambda self: None)
    with host() as server:
        problem = failed(server.url())
        assert (problem.began, problem.late) == (False, True)
        assert server.heard() == b""


@pytest.mark.parametrize(
    "size", [20_000_000, 1_000_000], ids=["too large for the buffers", "all of it in a buffer"]
)
def test_a_request_that_is_taken_slowly_is_cut_and_never_arrives_whole(size):
    """Also when everything was sent, as far as the sender could tell: nothing is sent later."""
    with host(answer=b"", reads=False) as server:
        problem = failed(server.url(), b"x" * size)
        assert (problem.began, problem.late) == (True, True)
        assert len(server.heard()) < size


def test_what_is_in_a_buffer_is_dropped_also_where_the_socket_is_late_before_the_timer(monkeypatch):
    monkeypatch.setattr(client._Call, "_cut", lambda self: None)
    with host(answer=b"", reads=False) as server:
        problem = failed(server.url(), b"x" * 1_000_000)
        assert (problem.began, problem.late) == (True, True)
        assert len(server.heard()) < 1_000_000


@pytest.mark.parametrize(
    "how", [{"answer": b""}, {"drip": b"HTTP/1.1 200 OK\r\nX: "}], ids=["silent", "dripping"]
)
def test_an_answer_that_takes_too_long_leaves_unsaid_what_was_done(how):
    with host(**how) as server:
        problem = failed(server.url())
        assert (problem.began, problem.late) == (True, True)


def test_no_thread_and_no_connection_outlives_a_call():
    before = threading.active_count()
    with host() as server:
        for _ in range(5):
            post(server.url())
        server.heard()
        wait_for(lambda: threading.active_count() <= before + 1)


def test_calling_a_host_loads_neither_django_nor_celery():
    loaded = "import sys; import erp_integrations.adapters.http; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert "erpbridge.outgoing.client" in done.stdout.split()
    assert {"django", "celery"}.isdisjoint(done.stdout.split())
