"""Rounds, medians and ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

ROUNDS = 3
# Does its own preparation and returns the seconds that the measured part took.
Case = Callable[[], float]


@dataclass(frozen=True)
class Result:
    """What one benchmark found; ``ratio`` is ``measured`` divided by ``baseline``."""

    name: str
    what: str
    baseline: str
    measured: str
    seconds: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """How many times as long as the baseline."""
        return self.seconds[self.measured] / self.seconds[self.baseline]

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "name": self.name,
            "what": self.what,
            "baseline": self.baseline,
            "measured": self.measured,
            "ratio": round(self.ratio, 3),
            "seconds": {case: round(value, 6) for case, value in self.seconds.items()},
        }


def clock(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(cases: Mapping[str, Case], rounds: int = ROUNDS) -> dict[str, float]:
    """The median of each case; the cases take turns, so that a slow minute hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            times[name].append(case())
    return {name: median(found) for name, found in times.items()}
