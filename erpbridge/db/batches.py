"""Split ids and rows into batches that fit into one statement on every database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# SQLite limits the parameters of one statement.
CHUNK = 500


def chunks(rows: Sequence[T], size: int | None = None) -> Iterator[Sequence[T]]:
    """Yield ``rows`` in batches; without ``size`` they fit into one statement on every database."""
    step = size or CHUNK
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
