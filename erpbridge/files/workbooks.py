"""XLSX files: read the first sheet as a table of text, and write tables as workbooks.

Uses openpyxl, which uses defusedxml (it rejects entities) if that is installed. It is imported
where it is used: it takes 7 MB, and most processes never see a workbook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

from erpbridge.files import archives, number_formats
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

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet
    from openpyxl.worksheet.worksheet import Worksheet

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# Most rows including empty ones; a sheet can claim that its first row is the millionth.
MOST_LINES = 5 * MOST_ROWS
TEXT = "@"
# Why a cell is not read, by openpyxl's data type.
REFUSED = {
    "f": "holds a formula. Copy its column and paste it as values.",
    "d": "holds a date. Format its column as text and enter what it should say.",
}
UNCLEAR = (
    "holds {}, which its number format shows in another way. Format its column as text and enter "
    "what it should say."
)


def is_workbook(content: bytes) -> bool:
    """Whether the content starts like an XLSX file."""
    return content.startswith(STARTS)


def read(content: bytes) -> Table:
    """Return the first sheet; empty rows are skipped.

    :raises FileProblem: with the first reason why it is not a table.
    """
    import openpyxl

    # Before openpyxl, which unpacks whatever it is given.
    archives.check(content)
    try:
        book = openpyxl.load_workbook(BytesIO(content), read_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # The declared dimensions of a sheet may be wrong.
        sheet.reset_dimensions()
        # One more column, to notice rows that are too wide.
        records = list(_records(sheet.iter_rows(min_col=1, max_col=MOST_COLUMNS + 1)))
        notice = _notice(book.worksheets)
        book.close()
    except FileProblem:
        raise
    except Exception as problem:  # openpyxl raises any kind of exception for a damaged part
        raise FileProblem(archives.DAMAGED) from problem
    return table(_padded(records), notice)


def written(rows: Iterable[Sequence[str]], *, title: str) -> bytes:
    """Return a workbook of one sheet; every cell is text, none is a formula."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    # Excel forbids these characters in the names of sheets, and more than 31 characters.
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\\x00-\x1f']", " ", title)[:31].strip() or "Sheet")
    for row in rows:
        sheet.append([_text_cell(sheet, text) for text in row])
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _text_cell(sheet: WriteOnlyWorksheet, text: str) -> Cell:
    """Return a text cell: ``01`` keeps its zero, and ``=A1`` stays text when somebody edits it."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub(" ", text))
    cell.data_type, cell.number_format, cell.quotePrefix = "s", TEXT, True
    return cell


def _records(rows: Iterable[Sequence[Any]]) -> Iterator[Line]:
    """Yield every row with text, without its trailing empty cells."""
    count = 0
    for number, row in enumerate(rows, start=1):
        if number > MOST_LINES:
            raise too_many_rows()
        read_cells = [_read(cell) for cell in row]
        cells = [text for text, _ in read_cells]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        count += 1
        if count > MOST_ROWS + 1:
            raise too_many_rows()
        if len(cells) > MOST_COLUMNS:
            raise too_many_columns(len(cells))
        yield Line(
            number, cells, {n: problem for n, (_, problem) in enumerate(read_cells) if problem}
        )


def _read(cell: Any) -> tuple[str, str]:
    """Return the displayed text; or the stored text and why the displayed one is unknown."""
    value = cell.value
    if value is None or cell.data_type in REFUSED:
        return "" if value is None else str(value), REFUSED.get(cell.data_type, "")
    try:
        return _shown(value, cell.number_format).strip(), ""
    except number_formats.Unknown:
        return str(value), UNCLEAR.format(value)


def _shown(value: object, number_format: str) -> str:
    """Return the displayed text of a value.

    :raises number_formats.Unknown: when the number format is not supported.
    """
    # Before the numbers: in Python, a bool is an int as well.
    if isinstance(value, bool):
        # As Excel displays booleans.
        return str(value).upper()
    if isinstance(value, int | float):
        return number_formats.number(value, number_format)
    return number_formats.text(str(value), number_format)


def _padded(records: list[Line]) -> list[Line]:
    """Pad rows to the width of the heading; rows that are too wide are left for validation."""
    width = len(records[0].cells) if records else 0
    return [replace(line, cells=line.cells + [""] * (width - len(line.cells))) for line in records]


def _notice(sheets: Sequence[Worksheet]) -> str:
    if len(sheets) == 1:
        return ""
    return f"The workbook has {len(sheets)} sheets; only the first, “{sheets[0].title}”, was read."
