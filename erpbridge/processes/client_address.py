"""Where a request comes from, for limits per address.

Anybody can write ``X-Forwarded-For``; it counts only as far as proxies that the operator has named
(``ERPBRIDGE_TRUSTED_PROXIES``) have written it. From its end, each of them tells who asked it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
# What one subscriber holds; within it, everybody has as many addresses as they like.
IPV6_PREFIX = 64


def client_network(request: HttpRequest) -> str | None:
    """The client's address, of IPv6 the first one of its /64; None where nobody knows it."""
    found = _client(request)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, IPV6_PREFIX), strict=False).network_address)
    return str(found) if found else None


def _client(request: HttpRequest) -> Address | None:
    peer = request.META.get("REMOTE_ADDR", "")
    found = _read(peer)
    # A server on a Unix socket is told no address: whoever speaks to it is the proxy.
    behind_proxy = _is_proxy(found) if found else not peer
    if not behind_proxy or not settings.ERPBRIDGE_TRUSTED_PROXIES:
        return found
    client = None
    for word in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        told = _read(word.strip())
        client = told or client
        if told is None or not _is_proxy(told):
            break
    return client


def _is_proxy(address: Address) -> bool:
    return any(address in network for network in settings.ERPBRIDGE_TRUSTED_PROXIES)


def _read(word: str) -> Address | None:
    """Also with a port, as some proxies write it."""
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        found = ip_address(word.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
