"""Invented firms in the shape of the real register files, and cost codes; a seed repeats them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from admin_wbs.management.demo_codes import codes
from directory.management.demo_firms import COLUMNS, Firm, csv_text, firms

__all__ = ["COLUMNS", "Firm", "codes", "csv_text", "file_of", "firms"]


def file_of(*rows: Mapping[str, str] | Sequence[str], header: Sequence[str] = ("name",)) -> bytes:
    """A small UTF-8 file; a row is a mapping (its keys become the heading) or a list of cells."""
    if rows and isinstance(rows[0], Mapping):
        header = list(dict.fromkeys(key for row in rows for key in row))
        rows = tuple([row.get(key, "") for key in header] for row in rows)
    return "\r\n".join(",".join(_quoted(cell) for cell in row) for row in (header, *rows)).encode()


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
