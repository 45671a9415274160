"""Ending before the end: whatever ends a benchmark, the servers that it has started end with it."""

from __future__ import annotations

import signal
import sys
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)


def unwind_on_signals() -> None:
    """Leave every ``with`` block on SIGTERM as on Ctrl-C; only once, so that nothing is left
    half-way when a second signal comes.
    """
    for ending_signal in ENDING:
        signal.signal(ending_signal, _unwind)


def _unwind(number: int, _frame: FrameType | None) -> None:
    for ending_signal in ENDING:
        signal.signal(ending_signal, signal.SIG_IGN)
    sys.exit(128 + number)
