"""The database's clock, as the kernel reads it."""

from __future__ import annotations

from erpbridge.clock import after, now

__all__ = ["after", "now"]
