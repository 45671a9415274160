"""Invented cost codes in up to five tiers, for the demo, tests and benchmarks.

The same seed gives the same codes. The codes are not copied from any existing list.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

Row = tuple[list[str], str]

PLACES = ("North Wing", "South Wing", "Annex", "Basement", "Roof", "Courtyard", "Parking", "Lobby")
WORKS = (
    "Concrete",
    "Masonry",
    "Steel",
    "Carpentry",
    "Roofing",
    "Glazing",
    "Plaster",
    "Flooring",
    "Painting",
    "Plumbing",
    "Heating",
    "Cabling",
    "Earthwork",
    "Paving",
    "Planting",
)
PARTS = ("Formwork", "Supply", "Placing", "Anchors", "Finishing", "Testing", "Curing", "Cleaning")
# Range of the number of children in each tier. 100 codes or more reach five tiers.
WIDTHS = ((2, 4), (2, 5), (2, 5), (3, 8))


def codes(count: int, seed: int = 1) -> list[Row]:
    """``count`` codes as (path, description); each parent precedes its children."""
    rng = random.Random(seed)  # noqa: S311
    rows: list[Row] = []
    division = 0
    while len(rows) < count:
        division += 1
        rows += _tree([f"{division:02}"], rng)
    return rows[:count]


def _tree(path: list[str], rng: random.Random) -> Iterator[Row]:
    yield path, _description(path, rng)
    if len(path) > len(WIDTHS):
        return
    for number in range(1, rng.randint(*WIDTHS[len(path) - 1]) + 1):
        yield from _tree([*path, f"{number * 10:03}"], rng)


def _description(path: list[str], rng: random.Random) -> str:
    words = [rng.choice(WORKS)]
    if len(path) > 1:
        words.append(rng.choice(PARTS))
    if len(path) > 2:
        words.append(rng.choice(PLACES))
    return " ".join(words)
