"""Split ids and rows into batches that fit into one statement on every database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# SQLite limits the parameters of one statement.
CHUNK = 500


def chunks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield ``ids`` in batches that fit into one statement on every database."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
