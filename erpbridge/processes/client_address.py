"""The client's address of a request, for limits per address.

Anybody can send ``X-Forwarded-For``, so only the entries that trusted proxies
(``ERPBRIDGE_TRUSTED_PROXIES``) have appended are used, read from the end.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
# A subscriber usually gets a /64 and can use any address in it.
IPV6_PREFIX = 64


def client_network(request: HttpRequest) -> str | None:
    """Return the client's IPv4 address, or the /64 of an IPv6 address; None if it is unknown."""
    address = _client(request)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False).network_address)
    return str(address) if address else None


def _client(request: HttpRequest) -> Address | None:
    peer = request.META.get("REMOTE_ADDR", "")
    peer_address = _read(peer)
    # On a Unix socket there is no peer address: the peer is the proxy.
    behind_proxy = _is_proxy(peer_address) if peer_address else not peer
    if not behind_proxy or not settings.ERPBRIDGE_TRUSTED_PROXIES:
        return peer_address
    client = None
    for entry in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        forwarded = _read(entry.strip())
        # The first entry that is no proxy is the client. With proxies only, it is the farthest of
        # them.
        client = forwarded or client
        if forwarded is None or not _is_proxy(forwarded):
            break
    return client


def _is_proxy(address: Address) -> bool:
    return any(address in network for network in settings.ERPBRIDGE_TRUSTED_PROXIES)


def _read(text: str) -> Address | None:
    """Parse an address, also with a port, as some proxies append one."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
