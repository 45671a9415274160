"""Detect cells that a spreadsheet has spoiled: errors, shortened numbers, codes turned into dates.

Pure functions. Only for files; in a form, people see what they have typed.
"""

from __future__ import annotations

import re

from erpbridge.files.table import Line

ERRORS = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}
    | {"#FIELD!", "#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#GETTING_DATA"}
)
TOO_NARROW = re.compile(r"#{3,}")
# With a sign in the exponent, as spreadsheets write it: 1E2 may be a code.
SHORTENED = re.compile(r"[+-]?\d+(?:[.,]\d+)?[Ee][+-]\d{2,3}")
# How a spreadsheet writes dates, which nobody uses as codes: 10-Jan, Jan-10, 10-Jan-26.
MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
DAY = re.compile(rf"\d{{1,2}}-{MONTH}(?:-\d{{2}}|-\d{{4}})?|{MONTH}-\d{{2}}(?:\d{{2}})?")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(?:\.\d+)?")
AS_TEXT = "Format its column as text and enter"


def reason(line: Line, index: int, *, prose: bool = False) -> str | None:
    """Return why a cell is not what was once entered, with its address; None if it looks fine.

    :param prose: for a column of free text, which may contain dates and numbers of any kind.
    """
    text = line.cells[index]
    problem = line.unreadable.get(index) or _error(text) or (None if prose else _converted(text))
    return f"Cell {line.address(index)} {problem}" if problem else None


def _error(text: str) -> str | None:
    if text.upper() in ERRORS or TOO_NARROW.fullmatch(text):
        return f"shows {text}, the error of a formula. Enter the value itself."
    return None


def _converted(text: str) -> str | None:
    if SHORTENED.fullmatch(text):
        return f"shows {text}, a number that was shortened. {AS_TEXT} it in full."
    if DAY.fullmatch(text) or TIME.fullmatch(text):
        return f"shows {text}, a date that was made of something else. {AS_TEXT} what was meant."
    return None
