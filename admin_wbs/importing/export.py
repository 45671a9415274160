"""Export a list of codes as a file that can be imported again: one column per tier."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Max

from admin_wbs.models import CodeList
from erpbridge.files import delimited, workbooks

FEWEST_TIERS = 2


def as_csv(code_list: CodeList) -> Iterator[str]:
    """The list as CSV, in chunks."""
    return delimited.written(rows(code_list))


def as_workbook(code_list: CodeList) -> bytes:
    """The list as XLSX."""
    return workbooks.written(rows(code_list), title=code_list.name)


def rows(code_list: CodeList) -> Iterator[list[str]]:
    """Header and codes in list order; as many tier columns as the list needs, at least two."""
    deepest = code_list.codes.aggregate(deepest=Max("depth"))["deepest"] or 0
    tiers = max(deepest + 1, FEWEST_TIERS)
    yield [*(f"Cost Code Level {tier}" for tier in range(1, tiers + 1)), "Description"]
    codes = code_list.codes.order_by("sort_path").values_list("path", "description")
    # Streamed, so that a long list is never in memory as a whole.
    for path, description in codes.iterator(chunk_size=2000):
        yield [*path, *[""] * (tiers - len(path)), description]
