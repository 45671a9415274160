"""Give rows of a tree new codes. The paths of the rows under them follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import models

from admin_wbs.models.full_code import full_code
from admin_wbs.models.node import T, Tiered
from erpbridge.db.batches import chunks
from erpbridge.db.text import key

Paths = Mapping[int, Sequence[str]]


def rename(
    tree: models.QuerySet[T], family: Sequence[T], codes: Mapping[int, str]
) -> tuple[Paths, dict[int, str]]:
    """Find the new paths of renamed rows and of the rows under them.

    A row keeps its code if a full code would then exist twice; the others are checked again
    without it.

    :param tree: all rows of the tree; ``family``: the renamed ones and those under them.
    :param codes: id -> new code.
    :returns: id -> new path, and id -> why the row keeps its code.
    """
    refused: dict[int, str] = {}
    # It ends, because every round but the last refuses one row more.
    while True:
        accepted = {pk: code for pk, code in codes.items() if pk not in refused}
        paths = new_paths(family, codes=accepted)
        clashes = _clashes(tree, family, paths, accepted)
        if not clashes:
            return paths, refused
        refused |= clashes


def new_paths(
    rows: Iterable[Tiered], *, codes: Mapping[int, str] | None = None, placed: Paths | None = None
) -> Paths:
    """Id -> new path, of the rows that move.

    :param codes: id of a row -> its new code.
    :param placed: id -> new path, of rows that are not among ``rows``.
    """
    codes, paths = codes or {}, dict(placed or {})
    for row in _parents_first(rows):
        # Parents first, so that the new path of the parent is known; without one, the old one
        # stays.
        path = [*paths.get(row.parent_id or 0, row.path[:-1]), codes.get(row.pk, row.code)]
        # Only rows that move: callers write, count and compare no others.
        if path != row.path:
            paths[row.pk] = path
    return paths


def take_paths(rows: Iterable[Tiered], paths: Paths) -> None:
    """Set the new paths in memory."""
    for row in rows:
        if row.pk in paths:
            row.code = paths[row.pk][-1]
            row.take_path(paths[row.pk])


def _parents_first(rows: Iterable[T]) -> list[T]:
    return sorted(rows, key=lambda row: (row.depth, row.pk))


def _clashes(
    tree: models.QuerySet[T], family: Sequence[T], paths: Paths, codes: Mapping[int, str]
) -> dict[int, str]:
    """Id of a renamed row -> why: because of it a full code would exist twice."""
    full_codes = {pk: full_code(path) for pk, path in paths.items()}
    holders = _holders(tree, {key(text) for text in full_codes.values()}, but=paths)
    renamed_by: dict[int, int] = {}
    clashes: dict[int, str] = {}
    for row in _parents_first(family):
        if row.pk not in paths:
            continue
        # A row that moves without a new code of its own moves because of the nearest one above it.
        renamed = row.pk if row.pk in codes else renamed_by[row.parent_id or 0]
        renamed_by[row.pk] = renamed
        # Also two rows of this call may want one code; the first keeps it.
        holder = holders.setdefault(key(full_codes[row.pk]), row)
        if holder is not row:
            own = f"{full_codes[row.pk]} is taken by {holder.description}."
            under = f"A code under it would become {full_codes[row.pk]}, which is taken."
            clashes.setdefault(renamed, own if renamed == row.pk else under)
    return clashes


def _holders(tree: models.QuerySet[T], code_keys: Iterable[str], *, but: Paths) -> dict[str, T]:
    """Key of a full code -> the row that has it and does not move."""
    holders: dict[str, T] = {}
    for batch in chunks(sorted(code_keys)):
        holders |= {row.code_key: row for row in tree.filter(code_key__in=batch)}
    # A code that moves away frees its own, so two codes may swap.
    return {code_key: row for code_key, row in holders.items() if row.pk not in but}
