"""The clock of deadlines, for what must not be sent late."""

from __future__ import annotations

import time

# Includes the time that the machine sleeps, if there is such a clock. ``time.monotonic()`` does
# not, so a request that wakes up an hour later would still be sent.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return the seconds since the machine started; setting the wall clock does not affect it."""
    return time.clock_gettime(CLOCK)
