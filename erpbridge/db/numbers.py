"""Parse ids and counts from user input, so that no input can break a query."""

from __future__ import annotations

from collections.abc import Iterable

# Largest value of a bigint column on either database.
LARGEST_ID = 2**63 - 1


def number(text: str) -> int:
    """Return a positive id, revision or page; 0 for anything else, which no row has."""
    # ``isdigit`` alone takes superscripts, which ``int`` refuses. Long texts make ``int`` slow.
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and int(text) <= LARGEST_ID else 0


def numbers(texts: Iterable[str]) -> list[int]:
    """Return the valid ids among some texts, without duplicates, in their order."""
    return [pk for pk in dict.fromkeys(number(text) for text in texts) if pk]
