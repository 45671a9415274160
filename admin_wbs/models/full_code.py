"""The tiers of a cost code, its full code and its sort order. No database access."""

from __future__ import annotations

import re
from collections.abc import Sequence

from erpbridge.db.text import fold

# Joins the tiers of a code. The segments of a budget code are joined by a dot.
# See docs/design/work-breakdown-structure.md, "Segments and budget codes".
JOINT = "-"
# docs/design/work-breakdown-structure.md, "Cost codes".
MOST_TIERS = 5
LONGEST_CODE = 30
LONGEST_DESCRIPTION = 255
# The end of a tier, and a character that sorts after every path; see :func:`sort_path`.
TIER_END = "00"
BEYOND = "g"
PARTS = re.compile(r"[0-9]+|[^0-9]+")


def full_code(path: Sequence[str]) -> str:
    """The code with its parents' codes in front, such as ``01-100``."""
    return JOINT.join(path)


def sort_path(path: Sequence[str]) -> str:
    """The sort key of a code: parents before children, ``2`` before ``10``.

    It is hexadecimal, because every database collation sorts these digits in the same order. All
    codes under a code sort between its path and :func:`end_of` it.
    """
    return "".join(_natural(code).encode().hex() + TIER_END for code in path)


def end_of(path: str) -> str:
    """The first sort path after all codes under ``path``."""
    return path + BEYOND


def _natural(code: str) -> str:
    return "".join(_part(part) for part in PARTS.findall(fold(code)))


def _part(part: str) -> str:
    """Sort numbers by length first; count leading zeros last, so that keys stay unique."""
    if not part.isdigit():
        return part
    number = part.lstrip("0")
    # One character for each count, which stays ASCII: a code has at most 30 digits.
    return f"{chr(ord('0') + len(number))}{number}{chr(ord('0') + len(part) - len(number))}"
