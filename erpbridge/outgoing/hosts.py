"""Which hosts may be called that somebody has named: public ones, and those the operator allows.

What is refused would let whoever names a host reach what only this machine can reach: services of
its own and of its network, and the cloud's metadata, which hand out credentials. An address is
judged when a socket is about to connect to it; what a name was resolved to before counts for
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
# Also where nothing but digits was meant for an address.
NUMERIC = re.compile(r"[0-9.:/\[\]]+|.*[:/\[\]].*")
# Handed out by clouds to their machines. Some are of networks that may well be allowed, one is
# public: they are called only where the operator names the very address.
METADATA = frozenset(
    ip_address(one)
    for one in (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)
# Where IPv6 has public hosts, and what is of these no public host: it carries IPv4, or is
# reserved. Written out, for releases of Python differ in what they take for global.
PUBLIC_IPV6 = ip_network("2000::/3")
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(one)
    for one in (
        "192.88.99.0/24",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
LEAST_FREE_PORT = 1024
WEB_PORTS = frozenset({80, 443})


@dataclass(frozen=True)
class Allowed:
    """Hosts that are not public and may be called all the same: networks, and names."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()

    @classmethod
    def read(cls, words: Iterable[str]) -> Allowed:
        """As the operator writes it. :raises ValueError: naming the word and what is wrong."""
        networks: list[Network] = []
        names: set[str] = set()
        for word in words:
            plain = word.strip().lower().rstrip(".")
            if NUMERIC.fullmatch(plain):
                networks.append(_network(word, plain))
            elif NAME.fullmatch(plain):
                names.add(plain)
            else:
                raise ValueError(f"{word!r} is neither an address, a network nor a host name")
        return cls(tuple(networks), frozenset(names))

    def takes(self, host: str, address: str) -> bool:
        """Whether a socket may connect to this address of a host."""
        found = _plain(ip_address(address.partition("%")[0]))
        by_name = host.lower().rstrip(".") in self.names
        both = (found, _carried(found))
        return all(self._takes(one, by_name=by_name) for one in both if one is not None)

    def _takes(self, address: Address, *, by_name: bool) -> bool:
        networks = [one for one in self.networks if address in one]
        if address in METADATA:
            return any(one.num_addresses == 1 for one in networks)
        if by_name:
            return not (address.is_multicast or address.is_unspecified)
        return bool(networks) or is_public(address)


def _network(word: str, plain: str) -> Network:
    try:
        return ip_network(plain)
    except ValueError as error:
        raise ValueError(f"{word!r} is no address or network: {error}") from error


def is_public(address: Address) -> bool:
    """Whether everybody's hosts are there."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv6Address) and address not in PUBLIC_IPV6:
        return False
    return not any(address in one for one in NOT_PUBLIC)


def _plain(address: Address) -> Address:
    """A mapped IPv4 address as that, for nothing else goes over the wire."""
    return getattr(address, "ipv4_mapped", None) or address


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that a gateway would pass the call on to."""
    if not isinstance(address, IPv6Address):
        return None
    if any(address in one for one in NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


def address_problem(url: str) -> str:
    """What is wrong with an address that somebody typed, to follow its label; empty: nothing.

    Names and numbers are judged when they are called.
    """
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return "an address has no blanks, control characters or backslashes."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "this is no address; write one such as https://erp.example.com/path."
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "begin with https:// (or http://) and the name of the host."
    if parts.username is not None or parts.password is not None:
        return "leave out the user name and the password; there are fields for what is secret."
    if port is not None and port not in WEB_PORTS and port < LEAST_FREE_PORT:
        return f"port {port} is not one of an ERP; use 80, 443, or one from {LEAST_FREE_PORT} up."
    return ""
