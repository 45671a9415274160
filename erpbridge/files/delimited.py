"""Read CSV files of any program and locale, and write CSV."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from erpbridge.files.formulas import guarded, unguarded
from erpbridge.files.table import (
    MOST_BYTES,
    MOST_ROWS,
    FileProblem,
    Line,
    Table,
    table,
    too_large,
    too_many_rows,
)

T = TypeVar("T")
ROWS_AT_ONCE = 1000
# The comma first, which wins where a heading has a single column.
DELIMITERS = (",", ";", "\t")
# Leading bytes of files that people choose by mistake.
OTHER_KINDS = {
    b"PK\x03\x04": "an Excel workbook or ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook, or one with a password",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a compressed file",
    b"\x89PNG": "a picture",
}
WINDOWS_NOTICE = (
    "The file is not UTF-8, so it was read as Windows-1252. "
    "Look at the names with accents before you confirm."
)


def read(content: bytes) -> Table:
    """Return the heading and rows of the file; empty rows are skipped.

    :raises FileProblem: with the first reason why it is not a table.
    """
    _refuse_other_kinds(content)
    text, notice = _decoded(content)
    _refuse_nul(text)
    return table(list(_records(text)), notice)


def written(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows as pieces of a CSV file, guarded against formulas; :func:`read` undoes that.

    Starts with a byte order mark, so that Excel reads accents correctly.
    """
    yield "\ufeff"
    for batch in batched(rows, ROWS_AT_ONCE):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([guarded(cell) for cell in row] for row in batch)
        yield text.getvalue()


def batched(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of up to ``size`` rows."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def _refuse_other_kinds(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise too_large(len(content))
    for start, kind in OTHER_KINDS.items():
        if content.startswith(start):
            raise FileProblem(
                f"The file is {kind}, not CSV. Open it and save it as “CSV UTF-8”, then choose "
                "that file."
            )


def _decoded(content: bytes) -> tuple[str, str]:
    """Return text and a notice: by byte order mark, else as UTF-8, else as Windows-1252."""
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16"), ""
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as problem:
        if problem.encoding.startswith("utf-16"):
            raise FileProblem("The file says that it is UTF-16, but it is damaged.") from problem
    try:
        # After UTF-8, which text in this code page practically never is by accident.
        return content.decode("cp1252"), WINDOWS_NOTICE
    except UnicodeDecodeError as problem:
        raise FileProblem(
            "The file is neither UTF-8, UTF-16 nor Windows-1252 text. Save it as “CSV UTF-8”."
        ) from problem


def _refuse_nul(text: str) -> None:
    position = text.find("\x00")
    if position >= 0:
        line = text.count("\n", 0, position) + 1
        raise FileProblem(
            f"Line {line} holds a NUL character, so this is not a plain text file. "
            "Save it as “CSV UTF-8”."
        )


def _records(text: str) -> Iterator[Line]:
    """Yield every record that is not an empty line.

    :raises FileProblem: for a misplaced quotation mark, or above the limits.
    """
    text, delimiter = _delimited(text)
    # Strict, because otherwise a quotation mark too many swallows the rows after it.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = count = 0
    try:
        for cells in rows:
            # A record may span several lines; line_num is the last of them.
            number, start = start + 1, rows.line_num
            if not any(cell.strip() for cell in cells):
                continue
            count += 1
            # One more for the heading.
            if count > MOST_ROWS + 1:
                raise too_many_rows()
            yield Line(number, [unguarded(cell.strip()) for cell in cells])
    except csv.Error as problem:
        raise FileProblem(_csv_problem(start + 1, problem)) from problem


def _csv_problem(line: int, problem: csv.Error) -> str:
    # The csv module has no exception of its own for its field size limit.
    if "field larger" in str(problem):
        return f"The row that starts on line {line} has a cell that is far too long."
    return (
        f"The row that starts on line {line} has a quotation mark that is not closed, or text "
        'after a closed one. A quotation mark inside a cell is written twice: "".'
    )


def _delimited(text: str) -> tuple[str, str]:
    """Return the text and its delimiter: from a ``sep=`` line, else the heading's most frequent."""
    first, _, rest = text.lstrip("\r\n").partition("\n")
    first = first.rstrip("\r")
    if first.startswith("sep=") and first[4:] in DELIMITERS:
        # Keep an empty line in its place, so that line numbers are those of the file.
        return f"\n{rest}", first[4:]
    # A delimiter in quotes does not count.
    outside_quotes = "".join(first.split('"')[::2])
    return text, max(DELIMITERS, key=outside_quotes.count)
