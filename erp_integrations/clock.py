"""The measured clock, as the kernel keeps it: what is decided here by time is decided by it."""

from __future__ import annotations

from erpbridge.clock.measured import Moment, Reading, after, ago, at_least, moment, now

__all__ = ["Moment", "Reading", "after", "ago", "at_least", "moment", "now"]
