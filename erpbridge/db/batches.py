"""Ids and rows in batches that every database takes as parameters of one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# SQLite takes a limited number of parameters in one statement.
CHUNK = 500


def chunks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """``ids`` in pieces that fit into one statement on every database."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
