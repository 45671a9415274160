"""When to try again: pure functions. Durations in seconds. Reference: engineering.md 3.6."""

from __future__ import annotations

import random

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
