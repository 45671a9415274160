"""Retry delays: pure functions, durations in seconds.

See docs/design/export-protocol.md, "Pacing".
"""

from __future__ import annotations

import random

LONGEST_WAIT = 900.0
MOST_ATTEMPTS = 8


def back_off(attempts: int, *, chance: float | None = None) -> float:
    """Seconds to wait after so many attempts: exponential back-off, capped, with full jitter.

    :param chance: the jitter, from 0 to 1; random if not passed.
    """
    share = random.random() if chance is None else chance  # noqa: S311 - not a secret
    # The exponent is capped only to keep the power from overflowing.
    return share * min(LONGEST_WAIT, 5.0 * float(2 ** min(attempts, 20)))
