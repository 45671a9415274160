"""Pages of a file's rows, which are in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from erpbridge.db.numbers import number

T = TypeVar("T")
ROWS_SHOWN = 100


@dataclass(frozen=True)
class Slice(Generic[T]):
    """The rows of one page; ``previous`` and ``next`` are page numbers, 0 for none."""

    rows: Sequence[T]
    first: int
    last: int
    count: int
    previous: int
    next: int


def sliced(rows: Sequence[T], page_text: str) -> Slice[T]:
    """Return the page that the query asks for, or the nearest one."""
    pages = max(1, -(-len(rows) // ROWS_SHOWN))
    page = min(max(number(page_text), 1), pages)
    first = (page - 1) * ROWS_SHOWN
    last = min(first + ROWS_SHOWN, len(rows))
    following = page + 1 if page < pages else 0
    return Slice(rows[first:last], min(first + 1, last), last, len(rows), page - 1, following)
