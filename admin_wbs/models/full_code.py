"""The shape of a cost code: tiers, the joined code, and its place among the others. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from erpbridge.db.text import fold

# Tiers of a code are joined by this; segments of a budget code by a dot.
# See docs/design/work-breakdown-structure.md, "Segments and budget codes".
JOINT = "-"
MOST_TIERS = 5
LONGEST_CODE = 30
LONGEST_DESCRIPTION = 255
# The end of a tier, and a character that sorts behind every path; see :func:`sort_path`.
TIER_END = "00"
BEYOND = "g"
PARTS = re.compile(r"[0-9]+|[^0-9]+")


def full_code(path: Sequence[str]) -> str:
    """The code with those of its parents, such as ``01-100``."""
    return JOINT.join(path)


def sort_path(path: Sequence[str]) -> str:
    """What a list is ordered by: parents before children, ``2`` before ``10``.

    Written in hexadecimal digits, which every database collation puts in the same order, so that
    everything under a code lies between its path and :func:`end_of`.
    """
    return "".join(_natural(code).encode().hex() + TIER_END for code in path)


def end_of(path: str) -> str:
    """The first sort path behind everything under ``path``."""
    return path + BEYOND


def _natural(code: str) -> str:
    return "".join(_part(part) for part in PARTS.findall(fold(code)))


def _part(part: str) -> str:
    """Numbers by their length first; leading zeros last, so that no two codes are the same."""
    if not part.isdigit():
        return part
    number = part.lstrip("0")
    return f"{chr(ord('0') + len(number))}{number}{chr(ord('0') + len(part) - len(number))}"
