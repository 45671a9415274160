"""Which user-supplied hosts may be called: public ones, and those that the operator allows.

Other addresses would let a user reach what only this machine can reach: its own services, its
network, and cloud metadata services, which hand out credentials. The check is made on the address
when a socket is about to connect to it; earlier name lookups do not count.
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
# Anything that looks like an address rather than a name, even if malformed.
NUMERIC = re.compile(r"[0-9.:/\[\]]+|.*[:/\[\]].*")
# Metadata services of clouds. Some are in networks that an operator may allow, one is public: they
# can be called only if the operator lists the exact address.
METADATA = frozenset(
    ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)
# Public IPv6 space, and the parts of it (and of IPv4) that are not public hosts, because they carry
# IPv4 or are reserved. Listed here because Python versions differ in what is_global covers.
PUBLIC_IPV6 = ip_network("2000::/3")
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
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
    """Non-public hosts that may be called: networks and names."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()

    @classmethod
    def read(cls, words: Iterable[str]) -> Allowed:
        """Parse the operator's setting.

        :raises ValueError: naming the invalid entry.
        """
        networks: list[Network] = []
        names: set[str] = set()
        for entry in words:
            normalized = entry.strip().lower().rstrip(".")
            if NUMERIC.fullmatch(normalized):
                networks.append(_network(entry, normalized))
            elif NAME.fullmatch(normalized):
                names.add(normalized)
            else:
                raise ValueError(f"{entry!r} is neither an address, a network nor a host name")
        return cls(tuple(networks), frozenset(names))

    def takes(self, host: str, address: str) -> bool:
        """Whether a socket may connect to this address of a host."""
        parsed = ip_address(address.partition("%")[0])
        # A mapped IPv4 address as IPv4, because the connection uses IPv4.
        plain_address = getattr(parsed, "ipv4_mapped", None) or parsed
        by_name = host.lower().rstrip(".") in self.names
        # The address itself and, for NAT64 and the like, the one behind the gateway.
        candidates = (plain_address, _embedded_ipv4(plain_address))
        return all(
            self._takes(candidate, by_name=by_name)
            for candidate in candidates
            if candidate is not None
        )

    def _takes(self, address: Address, *, by_name: bool) -> bool:
        networks = [network for network in self.networks if address in network]
        if address in METADATA:
            return any(network.num_addresses == 1 for network in networks)
        # The operator has named the host, so it may have any address of a single machine.
        if by_name:
            return not (address.is_multicast or address.is_unspecified)
        return bool(networks) or is_public(address)


def _network(entry: str, normalized: str) -> Network:
    try:
        return ip_network(normalized)
    except ValueError as error:
        raise ValueError(f"{entry!r} is not an address or network: {error}") from error


def is_public(address: Address) -> bool:
    """Whether the address is in public address space."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv6Address) and address not in PUBLIC_IPV6:
        return False
    return not any(address in network for network in NOT_PUBLIC)


def _embedded_ipv4(address: Address) -> IPv4Address | None:
    """Return the IPv4 address to which a gateway would forward the connection."""
    if not isinstance(address, IPv6Address):
        return None
    if any(address in network for network in NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


def address_problem(url: str) -> str | None:
    """Return what is wrong with a typed URL, as text after a label; None if it is valid.

    Whether the host may be called is checked when it is called.
    """
    # Parsers disagree about these, so that one could check another host than the one that is
    # called.
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return "an address has no blanks, control characters or backslashes."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "this is not an address; write one such as https://erp.example.com/path."
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "begin with https:// (or http://) and the name of the host."
    if parts.username is not None or parts.password is not None:
        return "leave out the user name and the password; there are fields for what is secret."
    if port is not None and port not in WEB_PORTS and port < LEAST_FREE_PORT:
        return f"port {port} is not one of an ERP; use 80, 443, or one from {LEAST_FREE_PORT} up."
    return None
