"""Every kind of call to a host of a tenant, with addresses that it must not reach.

``pytest -v tests/outgoing/test_hosts.py -k refused`` prints the table: a row for each way and
address.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from erp_integrations.adapters.base import AdapterError, Effect, Io, Operation
from erp_integrations.adapters.tryton import TrytonAdapter
from erp_integrations.connections.safe_adapter import Guarded
from erpbridge.outgoing import names
from erpbridge.outgoing.hosts import Allowed
from tests.adapters.tryton.conftest import cost_code, vendor, vendor_update
from tests.outgoing.hosts import host

PUBLIC = "93.184.215.14"
# Name -> the answers of the resolver, one after the other.
NAMES: dict[str, list[list[str]]] = {
    "localhost.": [["127.0.0.1", "::1"]],
    "internal.example": [["10.0.0.5"]],
    "ipv6.internal.example": [["fd12:3456::1"]],
    "rebinding.example": [["127.0.0.1"]],
    "metadata.example": [["169.254.169.254"]],
    "mapped.example": [["::ffff:10.0.0.5"]],
    "several.internal.example": [["10.0.0.5", "192.168.1.1", "::1"]],
}
ADDRESSES = {
    "loopback": "127.0.0.1",
    "loopback, another": "127.255.255.254",
    "short": "127.1",
    "decimal": "2130706433",
    "octal": "0177.0.0.1",
    "octal, whole": "017700000001",
    "hex": "0x7f.0.0.1",
    "hex, whole": "0x7f000001",
    "full-width digits": "１２７.0.0.1",
    "digits in circles": "①②⑦.0.0.1",
    "ideographic full stops": "127。0。0。1",
    "unspecified": "0.0.0.0",
    "unspecified, short": "0",
    "private A": "10.0.0.5",
    "private A, decimal": "167772165",
    "private B": "172.16.0.1",
    "private C": "192.168.1.1",
    "carrier's NAT": "100.64.0.1",
    "link-local": "169.254.1.1",
    "metadata": "169.254.169.254",
    "metadata, hex": "0xa9fea9fe",
    "metadata of a carrier's NAT": "100.100.100.200",
    "metadata of a public address": "168.63.129.16",
    "documentation": "192.0.2.1",
    "benchmarks": "198.18.0.1",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "[::1]",
    "IPv6 unspecified": "[::]",
    "IPv6 mapped": "[::ffff:127.0.0.1]",
    "IPv6 mapped, hex": "[::ffff:a9fe:a9fe]",
    "IPv6 compatible": "[::127.0.0.1]",
    "IPv6 unique local": "[fd12:3456::1]",
    "IPv6 metadata": "[fd00:ec2::254]",
    "IPv6 link-local": "[fe80::1]",
    "IPv6 site-local": "[fec0::1]",
    "IPv6 multicast": "[ff02::1]",
    "IPv6 documentation": "[2001:db8::1]",
    "6to4": "[2002:7f00:1::1]",
    "6to4 of a public host": "[2002:5db8:d70e::1]",
    "Teredo": "[2001:0:5db8:d70e::8000:1]",
    "NAT64": "[64:ff9b::7f00:1]",
    "NAT64 of a public host": "[64:ff9b::5db8:d70e]",
    "NAT64, local": "[64:ff9b:1::a00:5]",
    "localhost": "localhost",
    **{f"name: {name}": name for name in NAMES},
    "user name": "erp.example.com@127.0.0.1",
    "user name and password": "user:secret@10.0.0.5",
    "user name before a public host": f"user@{PUBLIC}",
    "back-slash": "127.0.0.1\\@erp.example.com",
    "port of mail": f"{PUBLIC}:25",
    "port of SSH": f"{PUBLIC}:22",
    "port zero": f"{PUBLIC}:0",
}
NUMBERED = frozenset(name for name in ADDRESSES if ADDRESSES[name].startswith(PUBLIC))

Way = Callable[[Guarded], Any]
WAYS: dict[str, Way] = {
    "connection test, login probe": lambda erp: erp.check(),
    "refresh of choices": lambda erp: erp.choices("vendor_type"),
    "pull of vendors": lambda erp: erp.pull("vendor"),
    "pull of codes, further page": lambda erp: erp.pull("cost_code", "100"),
    "look for a vendor": lambda erp: erp.find("vendor", "ACME"),
    "look for a code": lambda erp: erp.find("cost_code", "01"),
    "create of a vendor": lambda erp: erp.submit([vendor("ACME")]),
    "update of a vendor": lambda erp: erp.submit([vendor_update(KNOWN)]),
    "deactivation of a vendor": lambda erp: erp.submit([OVER]),
    "create of a code": lambda erp: erp.submit([cost_code("01", "Concrete")]),
}


class KNOWN:
    erp_id, erp_code, erp_version = "1", "ACME", "1"


OVER = replace(vendor_update(KNOWN), operation=Operation.DEACTIVATE)


@pytest.fixture
def connected(monkeypatch) -> list[str]:
    """Every address that this thread told a socket to connect to; no connection is made.

    Connections of other threads, such as a browser's live server, are made as usual.
    """
    addresses: list[str] = []
    here, really_connect = threading.get_ident(), socket.socket.connect

    def connect(connection: socket.socket, address: Any) -> None:
        if threading.get_ident() != here:
            return really_connect(connection, address)
        addresses.append(address[0])
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return addresses


@pytest.fixture(autouse=True)
def resolver(monkeypatch) -> dict[str, list[list[str]]]:
    """Names of the test, each with its answers in turn; the last one stays."""
    real, answers = socket.getaddrinfo, {name: list(addresses) for name, addresses in NAMES.items()}

    def resolve(name: str, port: Any, *how: Any) -> Any:
        if name not in answers:
            return real(name, port, *how)
        remaining = answers[name]
        now = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return [info for address in now for info in real(address, port, *how)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return answers


def erp_at(place: str, folder: Path, *allowed: str) -> Guarded:
    io = Io(folder, time.time, logging.getLogger("erp"), allowed_hosts=allowed)
    config = {"url": f"http://{place}/erp", "company": 1, "root": "COSTCODES"}
    return Guarded(TrytonAdapter(config, {"key": "k" * 32}, io), 40.0)


def said(way: Way, erp: Guarded) -> str:
    """The message about a call that must not have done anything."""
    error = None
    try:
        answer = way(erp)
        if not isinstance(answer, list):
            return " ".join(answer.problems)
        error = answer[0].error
    except AdapterError as raised:
        error = raised.error
    assert error is not None
    assert error.effect is Effect.NOT_APPLIED
    return error.message


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("way", WAYS)
def test_refused(way, address, tmp_path, connected):
    place = ADDRESSES[address]
    port = "" if address in NUMBERED else ":8069"
    message = said(WAYS[way], erp_at(f"{place}{port}", tmp_path))
    assert connected == []
    # The message names the setting, and nothing of the network behind it.
    assert message.startswith("Address: ")
    assert not [ip for ips in NAMES.get(place, ()) for ip in ips if ip in message]


@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_changes_its_answer_is_judged_each_time_it_is_called(
    way, tmp_path, connected, resolver
):
    resolver["rebinding.example"] = [[PUBLIC], ["127.0.0.1"]]
    erp = erp_at("rebinding.example:8069", tmp_path)
    assert "Connection refused" in said(WAYS[way], erp)
    assert said(WAYS[way], erp).startswith("Address: ")
    assert set(connected) == {PUBLIC}


@pytest.mark.parametrize("way", WAYS)
def test_of_several_addresses_only_public_ones_are_tried(way, tmp_path, connected, resolver):
    resolver["rebinding.example"] = [["10.0.0.5", PUBLIC, "::1", "169.254.169.254"]]
    assert "Connection refused" in said(WAYS[way], erp_at("rebinding.example:8069", tmp_path))
    assert set(connected) == {PUBLIC}


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "http://127.0.0.1:{port}/x"])
@pytest.mark.parametrize("way", WAYS)
def test_no_redirect_is_followed_to_wherever_it_leads(way, target, tmp_path):
    with ExitStack() as stack:
        inside = stack.enter_context(host())
        place = target.format(port=inside.port)
        answer = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
        server = stack.enter_context(host(answer=answer.encode()))
        erp = erp_at(f"127.0.0.1:{server.port}", tmp_path, "127.0.0.1")
        try:
            text = repr(WAYS[way](erp))
        except AdapterError as error:
            text = str(error)
        assert "redirects elsewhere" in text
        assert place not in text
        assert inside.received == []


@pytest.mark.parametrize("way", WAYS)
def test_a_page_of_the_host_is_shown_to_nobody(way, tmp_path):
    """Whatever its status: it may be a page that was never meant to be read."""
    page = b"<html>root:x:0:0 AKIAIOSFODNN7EXAMPLE</html>"
    for status in (b"200 OK", b"400 Bad Request", b"403 Forbidden", b"500 Oops"):
        head = b"HTTP/1.1 %b\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
        with host(answer=head % (status, len(page)) + page) as server:
            erp = erp_at(f"127.0.0.1:{server.port}", tmp_path, "127.0.0.1")
            try:
                text = repr(WAYS[way](erp))
            except AdapterError as error:
                text = repr(error.error)
        assert "AKIA" not in text
        assert "html>" not in text


# --- what the operator allows -------------------------------------------------------------------


@pytest.mark.parametrize(
    "allowed, name, address, taken",
    [
        ("10.0.0.0/8", "erp", "10.0.0.5", True),
        ("10.0.0.5", "erp", "10.0.0.5", True),
        ("10.0.0.0/8", "erp", "::ffff:10.0.0.5", True),
        ("10.0.0.0/8", "erp", "192.168.1.1", False),
        ("fd00::/8", "erp", "fd12::1", True),
        ("fe80::/10", "erp", "fe80::1%eth0", True),
        ("erp.internal", "erp.internal", "10.0.0.5", True),
        ("erp.internal", "ERP.internal.", "10.0.0.5", True),
        ("erp.internal", "other.internal", "10.0.0.5", False),
        ("erp.internal", "x.erp.internal", "10.0.0.5", False),
        ("erp.internal", "erp.internal", "0.0.0.0", False),
        ("erp.internal", "erp.internal", "224.0.0.1", False),
        # Metadata services only by their exact address, not by a network that contains it.
        ("169.254.0.0/16", "erp", "169.254.169.254", False),
        ("169.254.0.0/16", "erp", "169.254.1.1", True),
        ("100.64.0.0/10", "erp", "100.100.100.200", False),
        ("169.254.169.254", "erp", "169.254.169.254", True),
        ("168.63.129.16", "erp", "168.63.129.16", True),
        ("erp.internal", "erp.internal", "169.254.169.254", False),
        ("erp.internal", "erp.internal", "::ffff:169.254.169.254", False),
        ("erp.internal", "erp.internal", "64:ff9b::a9fe:a9fe", False),
        ("erp.internal,169.254.169.254", "erp.internal", "169.254.169.254", True),
        ("erp.internal", "erp.internal", "64:ff9b::a00:5", True),
        # An allowed gateway gives no access to addresses that are not allowed.
        ("64:ff9b::/96", "erp", "64:ff9b::5db8:d70e", True),
        ("64:ff9b::/96", "erp", "64:ff9b::a00:5", False),
        ("64:ff9b::/96,10.0.0.0/8", "erp", "64:ff9b::a00:5", True),
        ("2002::/16", "erp", "2002:a00:5::1", False),
        ("", "erp", PUBLIC, True),
        ("", "erp", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
    ],
)
def test_what_is_allowed(allowed, name, address, taken):
    words = [word for word in allowed.split(",") if word]
    assert Allowed.read(words).takes(name, address) is taken


@pytest.mark.parametrize(
    "word, said",
    [
        ("10.0.0.5/8", "has host bits set"),
        ("10.0.0", "is not an address or network"),
        ("10.0.0.0/40", "is not an address or network"),
        ("http://erp.internal", "is not an address or network"),
        ("erp.internal:8069", "is not an address or network"),
        ("[::1]", "is not an address or network"),
        ("*", "neither an address, a network nor a host name"),
        ("*.internal", "neither an address, a network nor a host name"),
        ("erp internal", "neither an address, a network nor a host name"),
    ],
)
def test_what_cannot_be_allowed_is_named(word, said):
    with pytest.raises(ValueError, match=said) as raised:
        Allowed.read(["10.0.0.0/8", word])
    assert repr(word) in str(raised.value)


def test_a_host_that_is_allowed_is_called(tmp_path):
    with host(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]") as server:
        erp = erp_at(f"127.0.0.1:{server.port}", tmp_path, "127.0.0.0/8")
        assert erp.choices("vendor_type") == ()
    assert names._look_ups.running == {}
