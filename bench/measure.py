"""Rounds, medians and ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

ROUNDS = 3
# Does its own preparation and returns the seconds that the measured part took.
Case = Callable[[], float]


@dataclass(frozen=True)
class Aim:
    """Between which bounds a ratio is to lie."""

    least: float | None = None
    most: float | None = None

    def met(self, ratio: float) -> bool:
        """Whether it does."""
        return (self.least is None or ratio >= self.least) and (
            self.most is None or ratio <= self.most
        )

    def __str__(self) -> str:
        return f"at least {self.least:g}" if self.most is None else f"at most {self.most:g}"


@dataclass(frozen=True)
class Result:
    """What one benchmark found: a figure for each case, one of which is the ``baseline``.

    ``unit`` is ``s`` (seconds), ``/s`` (done in a second) or ``MB``; ``measured`` is the case that
    matters most, ``aims`` what the ratios of some cases to the baseline are to be.
    """

    name: str
    what: str
    baseline: str
    measured: str
    figures: Mapping[str, float]
    unit: str = "s"
    aims: Mapping[str, Aim] = field(default_factory=dict)

    def ratio(self, case: str) -> float:
        """How many times the baseline."""
        return self.figures[case] / self.figures[self.baseline]

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        ratios = {case: self.ratio(case) for case in self.figures if case != self.baseline}
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "baseline": self.baseline,
            "measured": self.measured,
            "ratio": round(self.ratio(self.measured), 3),
            "ratios": {case: round(value, 3) for case, value in ratios.items()},
            "aims": {
                case: {"is": str(aim), "met": aim.met(self.ratio(case))}
                for case, aim in self.aims.items()
            },
            "figures": {case: round(value, 6) for case, value in self.figures.items()},
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
    return {name: median(seconds) for name, seconds in times.items()}
