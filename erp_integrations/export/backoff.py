"""When to try again: pure functions. Durations in seconds. Reference: engineering.md 3.6."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

LONGEST_WAIT = 900.0
MOST_ATTEMPTS = 8
BREAKER_AFTER = 5
BREAKER_FIRST_WAIT = 30.0


def back_off(attempts: int, *, chance: float | None = None) -> float:
    """How long to wait after ``attempts`` tries: full jitter below a doubling, capped bound."""
    share = random.random() if chance is None else chance  # noqa: S311 - not a secret
    return share * min(LONGEST_WAIT, 5.0 * float(2 ** min(attempts, 20)))


def breaker_wait(failures: int) -> float | None:
    """How long a connection rests after so many failures in a row; None while it may go on."""
    if failures < BREAKER_AFTER:
        return None
    return min(LONGEST_WAIT, BREAKER_FIRST_WAIT * float(2 ** min(failures - BREAKER_AFTER, 20)))


def slots(
    now: datetime, next_slot_at: datetime | None, *, per_minute: int | None, burst: int
) -> int:
    """How many commands a rate allows now (the generic cell rate algorithm: one timestamp).

    After a rest up to ``burst`` go at once; a time in the future holds back what it stands for.
    """
    if next_slot_at is None or next_slot_at <= now:
        return burst
    if per_minute is None:
        return 0
    ahead = (next_slot_at - now).total_seconds() * per_minute / 60
    return max(0, burst - math.ceil(ahead))


def next_slot(
    now: datetime, next_slot_at: datetime | None, *, per_minute: int, used: int
) -> datetime:
    """The timestamp after ``used`` commands."""
    start = max(now, next_slot_at or now)
    return start + timedelta(seconds=60 / per_minute * used)
