"""A CSV file as a heading and rows of text, or one clear reason why it cannot be read."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 20_000
MOST_COLUMNS = 200
DELIMITERS = (",", ";", "\t")
OTHER_KINDS = {
    b"PK\x03\x04": "an Excel workbook or ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a compressed file",
    b"\x89PNG": "a picture",
}
WINDOWS_NOTICE = (
    "The file is not UTF-8, so it was read as Windows-1252. "
    "Look at the names with accents before you confirm."
)
# A spreadsheet would run a cell that starts with one of these as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class FileProblem(ValueError):
    """Why nothing of the file can be imported; the text is for the person who chose it."""


@dataclass(frozen=True)
class Line:
    """One record of the file; ``number`` is the line of the file on which it starts."""

    number: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """What the file holds; every line has as many cells as the heading."""

    header: list[str]
    lines: list[Line]
    notice: str = ""


def read(content: bytes) -> Table:
    """The file's heading and rows; rows without any text are passed over.

    :raises FileProblem: with the first reason why it is not a list of companies.
    """
    _refuse_other_kinds(content)
    text, notice = _decoded(content)
    _refuse_nul(text)
    records = list(_records(text))
    if not records:
        raise FileProblem("The file is empty. Its first line must hold the column headings.")
    header = _header(records[0].cells)
    lines = [line for line in records[1:] if any(line.cells)]
    _refuse_ragged(lines, len(header))
    if not lines:
        raise FileProblem("The file has a heading but no rows.")
    return Table(header, lines, notice)


def guarded(text: str) -> str:
    """The text as a cell of a file that is opened in a spreadsheet."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _unguarded(text: str) -> str:
    """A cell of our own error file as it was before :func:`guarded`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def _refuse_other_kinds(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise too_large(len(content))
    for start, kind in OTHER_KINDS.items():
        if content.startswith(start):
            raise FileProblem(
                f"The file is {kind}, not CSV. Open it and save it as “CSV UTF-8”, then choose "
                "that file."
            )


def too_large(size: int) -> FileProblem:
    """The problem of a file above the limit."""
    most = MOST_BYTES // 1024 // 1024
    return FileProblem(f"The file has {size / 1024 / 1024:.1f} MB; the limit is {most} MB.")


def _decoded(content: bytes) -> tuple[str, str]:
    """Text and a notice; the byte order mark decides, then UTF-8, then Windows-1252."""
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16"), ""
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as problem:
        if problem.encoding.startswith("utf-16"):
            raise FileProblem("The file says that it is UTF-16, but it is damaged.") from problem
    try:
        return content.decode("cp1252"), WINDOWS_NOTICE
    except UnicodeDecodeError as problem:
        raise FileProblem(
            "The file is neither UTF-8, UTF-16 nor Windows-1252 text. Save it as “CSV UTF-8”."
        ) from problem


def _refuse_nul(text: str) -> None:
    place = text.find("\x00")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise FileProblem(
            f"Line {line} holds a NUL character, so this is not a plain text file. "
            "Save it as “CSV UTF-8”."
        )


def _records(text: str) -> Iterator[Line]:
    """Every record that is not an empty line.

    :raises FileProblem: at a quotation mark out of place, or above the limits.
    """
    text, delimiter = _delimited(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = found = 0
    try:
        for cells in rows:
            number, start = start + 1, rows.line_num
            if not any(cell.strip() for cell in cells):
                continue
            found += 1
            if found > MOST_ROWS + 1:
                raise FileProblem(f"The file has more than {MOST_ROWS:,} rows. Split it.")
            yield Line(number, [_unguarded(cell.strip()) for cell in cells])
    except csv.Error as problem:
        raise FileProblem(_quoting(start + 1, problem)) from problem


def _quoting(line: int, problem: csv.Error) -> str:
    if "field larger" in str(problem):
        return f"The row that starts on line {line} has a cell that is far too long."
    return (
        f"The row that starts on line {line} has a quotation mark that is not closed, or text "
        'after a closed one. A quotation mark inside a cell is written twice: "".'
    )


def _delimited(text: str) -> tuple[str, str]:
    """The text and its delimiter: what Excel's ``sep=`` line says, or what splits most headings."""
    first, _, rest = text.lstrip("\r\n").partition("\n")
    first = first.rstrip("\r")
    if first.startswith("sep=") and first[4:] in DELIMITERS:
        # The emptied line stays, so that line numbers remain those of the file.
        return f"\n{rest}", first[4:]
    outside_quotes = "".join(first.split('"')[::2])
    return text, max(DELIMITERS, key=outside_quotes.count)


def _header(cells: list[str]) -> list[str]:
    """The headings; a column without one is named by its place.

    :raises FileProblem: for two that are the same.
    """
    if len(cells) > MOST_COLUMNS:
        raise FileProblem(f"The file has {len(cells)} columns; the limit is {MOST_COLUMNS}.")
    times = Counter(cell.casefold() for cell in cells if cell)
    twice = [cell for cell in dict.fromkeys(cells) if times[cell.casefold()] > 1]
    if twice:
        names = ", ".join(f"“{cell}”" for cell in twice[:5])
        raise FileProblem(f"Each column heading may occur once; these occur more often: {names}.")
    return [cell or f"Column {place}" for place, cell in enumerate(cells, start=1)]


def _refuse_ragged(lines: list[Line], width: int) -> None:
    ragged = [line for line in lines if len(line.cells) != width]
    if not ragged:
        return
    first = "; ".join(f"line {line.number} has {len(line.cells)}" for line in ragged[:5])
    more = f"; and {len(ragged) - 5:,} more" if len(ragged) > 5 else ""
    raise FileProblem(f"The heading has {width} cells, but {first}{more}. Nothing was imported.")
