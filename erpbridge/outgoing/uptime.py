"""The clock of deadlines: what must not leave any more when its time is over goes by it."""

from __future__ import annotations

import time

# Goes on while the machine sleeps, where there is such a clock. ``time.monotonic()`` stops then, so
# that a request which woke up an hour later would still leave.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Seconds since the machine was started; nobody can set them."""
    return time.clock_gettime(CLOCK)
