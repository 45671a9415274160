"""Ids and counts that come as text, read so that nothing a person can send breaks a query."""

from __future__ import annotations

from collections.abc import Iterable

# The largest that a column of either database holds.
LARGEST_ID = 2**63 - 1


def number(text: str) -> int:
    """A positive id, revision or page; 0, which nothing has, for anything else."""
    whole = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if whole and int(text) <= LARGEST_ID else 0


def numbers(texts: Iterable[str]) -> list[int]:
    """The ids among some texts, each once, in their order."""
    return [pk for pk in dict.fromkeys(number(text) for text in texts) if pk]
