"""The kernel's measured clock, by which this app makes all decisions that depend on time."""

from __future__ import annotations

from erpbridge.clock.measured import Moment, Reading, after, ago, at_least, moment, now

__all__ = ["Moment", "Reading", "after", "ago", "at_least", "moment", "now"]
