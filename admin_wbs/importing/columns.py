"""The layouts that lists of cost codes come in, recognised by their headings. Pure.

Two are those of other programs' templates, and one is everybody's.
See docs/design/work-breakdown-structure.md, "Files to import".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from admin_wbs.models.full_code import JOINT, MOST_TIERS
from erpbridge.db.text import fold
from erpbridge.files.errors import ERROR
from erpbridge.files.table import FileProblem, Line

DESCRIPTION = "description"
# What may stand between the tiers of a code in one column; the last: codes are of one tier.
DELIMITERS = {
    "-": "a dash, as in 01-100",
    ".": "a dot, as in 01.100",
    "/": "a slash, as in 01/100",
    " ": "a space, as in 01 100",
    "": "nothing: every code is of the first tier",
}
LABELS = {
    "levels": "Cost Code Level 1, Cost Code Level 2, ..., Description",
    "division": "Division, Cost Code, Description",
    "divisions": "Division, Division 1, ..., Cost Code, Description",
    "joined": "Code, Description",
}


@dataclass(frozen=True)
class Layout:
    """Which columns hold the tiers, the first tier first, and which the description.

    With ``last_is_code``, the last tier column may follow blank ones: its code stands directly
    under the last division that is given.
    """

    name: str
    tiers: tuple[int, ...]
    description: int
    last_is_code: bool = False

    @property
    def label(self) -> str:
        """The headings, as the documentation gives them."""
        return LABELS[self.name]

    @property
    def is_joined(self) -> bool:
        """Whether one column holds all tiers."""
        return self.name == "joined"


def recognised(header: Sequence[str]) -> Layout:
    """The layout of a heading, whatever its case and spaces; other columns are not read.

    :raises FileProblem: naming the column that is missing.
    """
    places = {_key(heading): place for place, heading in reversed([*enumerate(header)])}
    if DESCRIPTION not in places:
        raise FileProblem(f"The column Description is missing. {_known()}")
    description = places[DESCRIPTION]
    levels = _numbered(places, "costcodelevel", "Cost Code Level")
    if levels:
        return Layout("levels", _at_most(levels), description)
    code = places.get("costcode", places.get("code"))
    divisions = _numbered(places, "division", "Division")
    if "division" not in places:
        if divisions:
            raise FileProblem(f"The column Division is missing. {_known()}")
        if code is None:
            raise FileProblem(f"The column of the codes is missing. {_known()}")
        return Layout("joined", (code,), description)
    if code is None:
        raise FileProblem(f"The column Cost Code is missing. {_known()}")
    tiers = _at_most((places["division"], *divisions, code))
    return Layout("divisions" if divisions else "division", tiers, description, last_is_code=True)


def unread(layout: Layout, header: Sequence[str]) -> list[str]:
    """The headings of the columns that go nowhere."""
    read = {*layout.tiers, layout.description}
    return [name for place, name in enumerate(header) if place not in read and name != ERROR]


def proposed_delimiter(layout: Layout, lines: Sequence[Line]) -> str:
    """What most codes of a joined column hold; a dash where they hold nothing of the kind."""
    if not layout.is_joined:
        return JOINT
    codes = [line.cells[layout.tiers[0]] for line in lines]
    held = Counter(sign for sign in DELIMITERS if sign for code in codes if sign in code)
    return max(DELIMITERS, key=lambda sign: held[sign]) if held else JOINT


def _key(heading: str) -> str:
    return re.sub(r"[\W_]+", "", fold(heading))


def _numbered(places: Mapping[str, int], start: str, name: str) -> tuple[int, ...]:
    """The columns ``start1``, ``start2``, ... :raises FileProblem: where one between is missing."""
    fits = re.compile(rf"{start}[1-9][0-9]?")
    numbers = [int(key[len(start) :]) for key in places if fits.fullmatch(key)]
    for number in range(1, max(numbers, default=0) + 1):
        if number not in numbers:
            raise FileProblem(f"The column {name} {number} is missing. {_known()}")
    return tuple(places[f"{start}{number}"] for number in sorted(set(numbers)))


def _at_most(tiers: tuple[int, ...]) -> tuple[int, ...]:
    if len(tiers) > MOST_TIERS:
        raise FileProblem(
            f"The heading has {len(tiers)} columns for the tiers of a code; the limit is "
            f"{MOST_TIERS}."
        )
    return tiers


def _known() -> str:
    return f"The headings that are known: {'; '.join(LABELS.values())}."
