"""XLSX files: the first sheet as a table of text, and tables as workbooks.

openpyxl reads and writes them; it uses defusedxml, which refuses entities, where that is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from erpbridge.files import archives
from erpbridge.files.table import (
    MOST_COLUMNS,
    MOST_ROWS,
    FileProblem,
    Line,
    Table,
    table,
    too_many_columns,
    too_many_rows,
)

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# Rows without text between those with; a sheet can say that its first row is the millionth.
MOST_LINES = 5 * MOST_ROWS
SHOWN = 5
PADDED = re.compile(r"(0+)(?:\.(0+))?")
TEXT = "@"


def is_workbook(content: bytes) -> bool:
    """Whether the file begins as an XLSX file does."""
    return content.startswith(STARTS)


def read(content: bytes) -> Table:
    """The first sheet; rows without any text are passed over.

    :raises FileProblem: with the first reason why it is no table.
    """
    archives.check(content)
    try:
        book = openpyxl.load_workbook(BytesIO(content), read_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        records = list(_records(sheet.iter_rows(min_col=1, max_col=MOST_COLUMNS + 1)))
        notice = _notice(book.worksheets)
        book.close()
    except FileProblem:
        raise
    except Exception as problem:  # the library raises whatever a damaged part leads it to
        raise FileProblem(archives.DAMAGED) from problem
    return table(_squared(records), notice)


def written(rows: Iterable[Sequence[str]], *, title: str) -> bytes:
    """A workbook of one sheet, written row by row; every cell is text, none a formula."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\\x00-\x1f']", " ", title)[:31].strip() or "Sheet")
    for row in rows:
        sheet.append([_text_cell(sheet, text) for text in row])
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _text_cell(sheet: Any, text: str) -> Any:
    """``01`` stays as it is, and ``=A1`` stays text even when somebody edits the cell."""
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub(" ", text))
    cell.data_type, cell.number_format, cell.quotePrefix = "s", TEXT, True
    return cell


def _records(rows: Iterable[Sequence[Any]]) -> Iterator[Line]:
    """Every row with text, its empty cells at the end taken off."""
    wrong: list[str] = []
    found = 0
    for number, row in enumerate(rows, start=1):
        if number > MOST_LINES:
            raise too_many_rows()
        cells = [_text(cell, wrong) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        found += 1
        if found > MOST_ROWS + 1:
            raise too_many_rows()
        if len(cells) > MOST_COLUMNS:
            raise too_many_columns(len(cells))
        yield Line(number, cells)
    if wrong:
        more = f"; and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        raise FileProblem(
            f"{'; '.join(wrong[:SHOWN])}{more}. Select all, copy, paste as values (text) and save, "
            "then choose that file."
        )


def _text(cell: Any, wrong: list[str]) -> str:
    """The text that the sheet shows, as far as it can be known."""
    value, kind = cell.value, cell.data_type
    if value is None:
        return ""
    held = {"f": "a formula", "d": "a date", "e": f"the error {value}"}.get(kind)
    if held:
        wrong.append(f"Cell {cell.coordinate} holds {held}")
        return "?"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, cell.number_format)
    return str(value).strip()


def _number(value: float, shown: str) -> str:
    """A number that is shown as ``01`` or ``1.10`` as these, others without a useless ``.0``."""
    padded = PADDED.fullmatch(shown)
    if padded is None:
        return format(value, ".15g")
    places = len(padded[2] or "")
    return f"{value:.{places}f}".zfill(len(padded[1]) + places + bool(places))


def _squared(records: list[Line]) -> list[Line]:
    """Rows as wide as the heading; what stands beyond it is left for the check of the table."""
    width = len(records[0].cells) if records else 0
    return [Line(line.number, line.cells + [""] * (width - len(line.cells))) for line in records]


def _notice(sheets: Sequence[Any]) -> str:
    if len(sheets) == 1:
        return ""
    return f"The workbook has {len(sheets)} sheets; only the first, “{sheets[0].title}”, was read."
