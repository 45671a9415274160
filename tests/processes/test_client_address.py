"""Whose address counts: nobody evades a limit, or uses up another's, with a header of their own."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from erpbridge import env
from erpbridge.processes.client_address import client_network

PROXY, INNER = "10.0.0.5", "10.0.0.6"


def network_of(peer: str, forwarded: str | None = None) -> str | None:
    sent = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_network(RequestFactory().get("/", REMOTE_ADDR=peer, **sent))


@pytest.fixture
def proxies(settings):
    settings.ERPBRIDGE_TRUSTED_PROXIES = [ip_network("10.0.0.4/30"), ip_network("fd00::5")]


@pytest.mark.parametrize("forged", ["203.0.113.9", "10.0.0.5", "203.0.113.9, 10.0.0.5", "x"])
def test_without_named_proxies_no_header_counts(forged, settings):
    settings.ERPBRIDGE_TRUSTED_PROXIES = []
    assert network_of("198.51.100.7", forged) == "198.51.100.7"


@pytest.mark.parametrize("forged", ["203.0.113.9", "10.0.0.5", "203.0.113.9, 10.0.0.5", "x"])
def test_a_client_that_is_no_proxy_says_nothing_about_itself(forged, proxies):
    assert network_of("198.51.100.7", forged) == "198.51.100.7"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.5, 198.51.100.7", "198.51.100.7"),
        (f"203.0.113.9, 198.51.100.7, {INNER}", "198.51.100.7"),
        ("garbage, 198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:51234", "198.51.100.7"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        (f"garbage, {INNER}", INNER),
        ("garbage", None),
        ("", None),
        (None, None),
    ],
)
def test_behind_a_named_proxy_the_last_that_is_no_proxy_counts(forwarded, client, proxies):
    for peer in (PROXY, "fd00::5", ""):
        assert network_of(peer, forwarded) == client


def test_a_subscriber_of_ipv6_is_one_client(settings):
    settings.ERPBRIDGE_TRUSTED_PROXIES = []
    assert network_of("2001:db8:1:2::9") == network_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::"
    assert network_of("2001:db8:1:3::9") == "2001:db8:1:3::"
    assert network_of("fe80::1%eth0") == "fe80::"


def test_the_setting_takes_addresses_and_networks_and_names_what_it_cannot_read(monkeypatch):
    monkeypatch.setenv("PROXIES", "10.0.0.5, 172.16.0.0/12, fd00::/8")
    assert [str(network) for network in env.networks("PROXIES")] == [
        "10.0.0.5/32",
        "172.16.0.0/12",
        "fd00::/8",
    ]
    monkeypatch.setenv("PROXIES", "10.0.0.5/8")
    with pytest.raises(ImproperlyConfigured, match=r"PROXIES: 10\.0\.0\.5/8 has host bits set"):
        env.networks("PROXIES")
