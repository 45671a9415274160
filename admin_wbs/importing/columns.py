"""The column layouts of cost code files, detected by their headings. No database access.

Two are templates of other programs, and one is generic.
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
# Delimiters between the tiers of a code in one column. With the last one, codes have one tier.
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
    """The columns of the tiers, first tier first, and of the description.

    With ``last_is_code``, cells between the divisions and the last tier column may be blank: the
    code is placed directly under the last division given.
    """

    name: str
    tiers: tuple[int, ...]
    description: int
    last_is_code: bool = False

    @property
    def label(self) -> str:
        """The headings, as in the documentation."""
        return LABELS[self.name]

    @property
    def is_joined(self) -> bool:
        """True if one column holds all tiers."""
        return self.name == "joined"


def recognized(header: Sequence[str]) -> Layout:
    """Detect the layout of a header row; case, spaces and other columns are ignored.

    :raises FileProblem: naming the missing column.
    """
    # Reversed, so that of two columns with the same heading the first is taken.
    places = {_key(heading): place for place, heading in reversed([*enumerate(header)])}
    if DESCRIPTION not in places:
        raise FileProblem(f"The column Description is missing. {_known_headings()}")
    description = places[DESCRIPTION]
    levels = _numbered(places, "costcodelevel", "Cost Code Level")
    # First, because a file with numbered levels may also hold a column Cost Code.
    if levels:
        return Layout("levels", _at_most(levels), description)
    # "Cost Code" is the template's heading, "Code" that of the layout of our own.
    code = places.get("costcode", places.get("code"))
    divisions = _numbered(places, "division", "Division")
    if "division" not in places:
        if divisions:
            raise FileProblem(f"The column Division is missing. {_known_headings()}")
        if code is None:
            raise FileProblem(f"The column of the codes is missing. {_known_headings()}")
        return Layout("joined", (code,), description)
    if code is None:
        raise FileProblem(f"The column Cost Code is missing. {_known_headings()}")
    tiers = _at_most((places["division"], *divisions, code))
    return Layout("divisions" if divisions else "division", tiers, description, last_is_code=True)


def unread(layout: Layout, header: Sequence[str]) -> list[str]:
    """The headings of columns that are not imported."""
    read = {*layout.tiers, layout.description}
    # The error column is of an earlier round and not the person's.
    return [name for place, name in enumerate(header) if place not in read and name != ERROR]


def proposed_delimiter(layout: Layout, lines: Sequence[Line]) -> str:
    """The most frequent delimiter in the joined column; a dash if there is none."""
    if not layout.is_joined:
        return JOINT
    codes = [line.cells[layout.tiers[0]] for line in lines]
    counts = Counter(sign for sign in DELIMITERS if sign for code in codes if sign in code)
    # Of several that are equally frequent, the first of the table.
    return max(DELIMITERS, key=lambda sign: counts[sign]) if counts else JOINT


def _key(heading: str) -> str:
    return re.sub(r"[\W_]+", "", fold(heading))


def _numbered(places: Mapping[str, int], start: str, name: str) -> tuple[int, ...]:
    """Columns ``start1``, ``start2``, ... :raises FileProblem: if one in between is missing."""
    # No leading zero, so that "Level 01" is not a second Level 1.
    fits = re.compile(rf"{start}[1-9][0-9]?")
    numbers = [int(key[len(start) :]) for key in places if fits.fullmatch(key)]
    for number in range(1, max(numbers, default=0) + 1):
        if number not in numbers:
            raise FileProblem(f"The column {name} {number} is missing. {_known_headings()}")
    return tuple(places[f"{start}{number}"] for number in sorted(set(numbers)))


def _at_most(tiers: tuple[int, ...]) -> tuple[int, ...]:
    if len(tiers) > MOST_TIERS:
        raise FileProblem(
            f"The heading has {len(tiers)} columns for the tiers of a code; the limit is "
            f"{MOST_TIERS}."
        )
    return tiers


def _known_headings() -> str:
    return f"The headings that are known: {'; '.join(LABELS.values())}."
