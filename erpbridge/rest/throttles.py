"""Rate limits per application and company: one per hour, and one per ten seconds for bursts.

Counted in the cache in fixed windows. The limits protect the installation from runaway clients and
need not be exact across a restart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.core.cache import cache

HOUR, SPIKE = 3600, 10
# Wrong secrets of one client id from one address in a quarter of an hour.
MOST_WRONG_SECRETS, WRONG_SECRETS_WINDOW = 10, 900


@dataclass(frozen=True)
class Window:
    """One window: its limit, the calls counted, and when it ends (unix seconds)."""

    limit: int
    used: int
    ends: int

    @property
    def remaining(self) -> int:
        """Calls left, never below 0."""
        return max(0, self.limit - self.used)

    @property
    def exceeded(self) -> bool:
        """Whether more calls were made than allowed."""
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        """Return the rate limit headers under Procore's names."""
        return {
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Reset": str(self.ends),
        }


def untouched() -> Window:
    """Return an unused window, for callers that are not identified and not counted."""
    return _window(HOUR, settings.ERPBRIDGE_REST_CALLS_PER_HOUR, 0)


def count(application_id: int, account_id: int) -> Window:
    """Count a call. Return the window with the smallest share of calls left."""
    limits = {
        HOUR: settings.ERPBRIDGE_REST_CALLS_PER_HOUR,
        SPIKE: settings.ERPBRIDGE_REST_CALLS_PER_10_SECONDS,
    }
    windows = [
        _window(length, limit, _add(f"rest:{application_id}:{account_id}", length))
        for length, limit in limits.items()
    ]
    # Of equal shares the window that ends last, which is the one that holds the caller up.
    return min(windows, key=lambda window: (window.remaining / window.limit, -window.ends))


def wrong_secret(client_id: str, address: str) -> bool:
    """Count a wrong secret. Return whether there were too many.

    The right secret still works: it is too long to guess, and a stranger who knows a client id must
    not be able to lock out its owner.
    """
    # Hashed, because a client id as sent may have characters that cache keys do not allow.
    name = f"oauth:{sha256(client_id.encode()).hexdigest()}:{address}"
    return _add(name, WRONG_SECRETS_WINDOW) > MOST_WRONG_SECRETS


def _window(length: int, limit: int, used: int) -> Window:
    return Window(limit, used, (int(time.time()) // length + 1) * length)


def _add(name: str, length: int) -> int:
    key = f"{name}:{length}:{int(time.time()) // length}".replace(" ", "_")
    try:
        # Atomic, and first, because the count of all calls but one in a window is there.
        return cache.incr(key)
    except ValueError:
        pass
    # add() keeps a count that another call has made meanwhile.
    cache.add(key, 0, timeout=length * 2)
    try:
        return cache.incr(key)
    except ValueError:  # the key expired in between
        return 1
