"""The content of a file: a heading and rows of text, or one clear reason why it is rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erpbridge.db.text import fold
from erpbridge.json_values import Json

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 20_000
MOST_COLUMNS = 200
EMPTY = "The file is empty. Its first line must hold the column headings."


class FileProblem(ValueError):
    """Why nothing of the file can be imported, in a text for the person who chose it."""


@dataclass(frozen=True)
class Line:
    """One record of the file; ``number`` is the line of the file where it starts.

    ``unreadable`` has, by the index of a cell, why its text may not be what is displayed.
    """

    number: int
    cells: list[str]
    unreadable: Mapping[int, str] = field(default_factory=dict)

    def address(self, index: int) -> str:
        """Return the spreadsheet address of a cell of this line, such as B7."""
        # Imported here, as in ``workbooks``.
        from openpyxl.utils import get_column_letter

        return f"{get_column_letter(index + 1)}{self.number}"

    def as_json(self) -> list[Json]:
        """Return the line as an upload stores it."""
        return [
            self.number,
            self.cells,
            {str(key): problem for key, problem in self.unreadable.items()},
        ]

    @classmethod
    def from_json(cls, stored: Sequence[Any]) -> Line:
        """Read a line as an upload stored it."""
        # Older uploads have no third part.
        number, cells, *rest = stored
        unreadable = rest[0] if rest else {}
        return cls(number, cells, {int(index): problem for index, problem in unreadable.items()})


@dataclass(frozen=True)
class Table:
    """The content of the file; every line has as many cells as the heading."""

    header: list[str]
    lines: list[Line]
    notice: str = ""


def table(records: Sequence[Line], notice: str = "") -> Table:
    """Make a table with the first record as the heading, the others as rows.

    :raises FileProblem: with the first reason why it is not a table.
    """
    if not records:
        raise FileProblem(EMPTY)
    _refuse_unreadable_heading(records[0])
    header = _header(records[0].cells)
    lines = [line for line in records[1:] if any(line.cells)]
    _refuse_ragged(lines, len(header))
    if not lines:
        raise FileProblem("The file has a heading but no rows.")
    return Table(header, lines, notice)


def content_of(file: Path) -> bytes:
    """Read a file of the operator.

    :raises FileProblem: above the size limit, or if it is unreadable.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise too_large(file.stat().st_size)
        return file.read_bytes()
    except OSError as problem:
        raise FileProblem(f"Cannot read {file}: {problem.strerror}.") from problem


def too_large(size: int) -> FileProblem:
    """Return the problem of a file above the size limit."""
    most = MOST_BYTES // 1024 // 1024
    return FileProblem(f"The file has {size / 1024 / 1024:.1f} MB; the limit is {most} MB.")


def too_many_rows() -> FileProblem:
    """Return the problem of a file with too many rows."""
    return FileProblem(f"The file has more than {MOST_ROWS:,} rows. Split it.")


def too_many_columns(number: int) -> FileProblem:
    """Return the problem of a row that is too wide."""
    return FileProblem(f"The file has {number:,} columns; the limit is {MOST_COLUMNS}.")


def _refuse_unreadable_heading(line: Line) -> None:
    for index, problem in line.unreadable.items():
        raise FileProblem(f"Cell {line.address(index)}, a column heading, {problem}")


def _header(cells: list[str]) -> list[str]:
    """Return the headings; a column without one is named by its number.

    :raises FileProblem: for duplicate headings.
    """
    if len(cells) > MOST_COLUMNS:
        raise too_many_columns(len(cells))
    counts = Counter(fold(cell) for cell in cells if cell)
    duplicates = [cell for cell in dict.fromkeys(cells) if counts[fold(cell)] > 1]
    if duplicates:
        names = ", ".join(f"“{cell}”" for cell in duplicates[:5])
        raise FileProblem(f"Each column heading may occur once; these occur more often: {names}.")
    return [cell or f"Column {number}" for number, cell in enumerate(cells, start=1)]


def _refuse_ragged(lines: list[Line], width: int) -> None:
    # After a separator too many, or too few, every value would be in a wrong column.
    ragged = [line for line in lines if len(line.cells) != width]
    if not ragged:
        return
    first = "; ".join(f"line {line.number} has {len(line.cells)}" for line in ragged[:5])
    remainder = f"; and {len(ragged) - 5:,} more" if len(ragged) > 5 else ""
    raise FileProblem(
        f"The heading has {width} cells, but {first}{remainder}. Nothing was imported."
    )
