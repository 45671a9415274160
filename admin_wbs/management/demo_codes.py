"""Invented cost codes in up to five tiers, for the demo, tests and benchmarks.

The same seed gives the same codes. No list of anybody else is copied.
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
# How many codes stand under one of each tier, about; five tiers are reached from 100 codes on.
WIDTHS = ((2, 4), (2, 5), (2, 5), (3, 8))


def codes(count: int, seed: int = 1) -> list[Row]:
    """``count`` codes as (path, description), every parent before what stands under it."""
    chance = random.Random(seed)  # noqa: S311
    found: list[Row] = []
    division = 0
    while len(found) < count:
        division += 1
        found += _tree([f"{division:02}"], chance)
    return found[:count]


def _tree(path: list[str], chance: random.Random) -> Iterator[Row]:
    yield path, _description(path, chance)
    if len(path) > len(WIDTHS):
        return
    for number in range(1, chance.randint(*WIDTHS[len(path) - 1]) + 1):
        yield from _tree([*path, f"{number * 10:03}"], chance)


def _description(path: list[str], chance: random.Random) -> str:
    words = [chance.choice(WORKS)]
    if len(path) > 1:
        words.append(chance.choice(PARTS))
    if len(path) > 2:
        words.append(chance.choice(PLACES))
    return " ".join(words)
