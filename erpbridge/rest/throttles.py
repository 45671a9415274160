"""How often an application may call for one company: an hour, and ten seconds against spikes.

Counted in the cache in fixed windows. The numbers protect the installation from a program that
runs wild, so that they need not be exact across a restart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.core.cache import cache

HOUR, SPIKE = 3600, 10
# Wrong secrets of one client id from one address, in a quarter of an hour.
MOST_WRONG_SECRETS, WRONG_SECRETS_WINDOW = 10, 900


@dataclass(frozen=True)
class Window:
    """One window: how much it allows, how much is left, and when it ends (unix seconds)."""

    limit: int
    used: int
    ends: int

    @property
    def remaining(self) -> int:
        """Calls that are left, never below 0."""
        return max(0, self.limit - self.used)

    @property
    def exceeded(self) -> bool:
        """More was used than there was."""
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        """As Procore names them."""
        return {
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Reset": str(self.ends),
        }


def untouched() -> Window:
    """What is told to whoever is not known, and so not counted."""
    return _window(HOUR, settings.ERPBRIDGE_REST_CALLS_PER_HOUR, 0)


def count(application_id: int, account_id: int) -> Window:
    """Count a call; the window that is nearest to its end of calls."""
    limits = {
        HOUR: settings.ERPBRIDGE_REST_CALLS_PER_HOUR,
        SPIKE: settings.ERPBRIDGE_REST_CALLS_PER_10_SECONDS,
    }
    windows = [
        _window(length, limit, _add(f"rest:{application_id}:{account_id}", length))
        for length, limit in limits.items()
    ]
    return min(windows, key=lambda one: (one.remaining / one.limit, -one.ends))


def wrong_secret(client_id: str, address: str) -> bool:
    """Count a wrong secret; True where there were too many.

    The right one works all the same: it is too long to be guessed, and a stranger who knows a
    client id must not be able to shut its owner out.
    """
    # As a digest: what was sent as client id may hold what no cache takes as a key.
    name = f"oauth:{sha256(client_id.encode()).hexdigest()}:{address}"
    return _add(name, WRONG_SECRETS_WINDOW) > MOST_WRONG_SECRETS


def _window(length: int, limit: int, used: int) -> Window:
    return Window(limit, used, (int(time.time()) // length + 1) * length)


def _add(name: str, length: int) -> int:
    key = f"{name}:{length}:{int(time.time()) // length}".replace(" ", "_")
    cache.add(key, 0, timeout=length * 2)
    try:
        return cache.incr(key)
    except ValueError:  # it was dropped in between
        return 1
