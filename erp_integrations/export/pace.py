"""How many items one call should have: more while the ERP is fast, fewer when it is slow."""

from __future__ import annotations

from dataclasses import dataclass

# Items of the first call of a turn.
FIRST = 50
# Seconds of one call. Below the first the next batch is twice as large; above the second, half.
FAST, SLOW = 0.5, 2.0


@dataclass
class Pace:
    """``size``: the most items of the next call. The manifest's limits apply besides."""

    size: int = FIRST

    def took(self, seconds: float, items: int) -> None:
        """Adapt the size to a call that had so many items."""
        if seconds > SLOW:
            self.size = max(1, min(self.size, items) // 2)
        # A small batch says nothing about the time that a large one takes.
        elif seconds < FAST and items >= self.size:
            self.size *= 2
