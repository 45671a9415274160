"""A list of codes as a file that imports back to the same list: one column per tier."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Max

from admin_wbs.models import CodeList
from erpbridge.files import delimited, workbooks

FEWEST_TIERS = 2


def as_csv(found: CodeList) -> Iterator[str]:
    """The list as CSV, in pieces."""
    return delimited.written(rows(found))


def as_workbook(found: CodeList) -> bytes:
    """The list as XLSX."""
    return workbooks.written(rows(found), title=found.name)


def rows(found: CodeList) -> Iterator[list[str]]:
    """Heading and codes in the order of the list; as many tiers as it has, two at least."""
    deepest = found.codes.aggregate(deepest=Max("depth"))["deepest"] or 0
    tiers = max(deepest + 1, FEWEST_TIERS)
    yield [*(f"Cost Code Level {tier}" for tier in range(1, tiers + 1)), "Description"]
    codes = found.codes.order_by("sort_path").values_list("path", "description")
    for path, description in codes.iterator(chunk_size=2000):
        yield [*path, *[""] * (tiers - len(path)), description]
