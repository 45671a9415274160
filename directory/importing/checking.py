"""Rows of a file as values of companies, with every reason why one cannot be stored. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from directory.importing.columns import FLAGS, ROW_KIND, TEXTS, model_field, short_label, split
from directory.models import CLASSIFICATIONS, EntityType, Trade
from erp_integrations.sendable import Problem
from erpbridge.files.table import Line
from erpbridge.places import WITHOUT_COUNTRY, country_code, state_code
from erpbridge.ui.forms import DIRECTION_CONTROLS

YES = frozenset(["yes", "y", "true", "t", "1", "x"])
NO = frozenset(["no", "n", "false", "f", "0"])
LONGEST_TRADE = Trade._meta.get_field("name").max_length or 0
LONGEST_SHOWN = 60
SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Row:
    """One line of the file: what would be stored, or what is wrong with it."""

    line: int
    cells: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    trades: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_person: bool = False

    @property
    def name(self) -> str:
        """The company's name, empty where it is missing."""
        return str(self.values.get("name", ""))


class Wrong(Exception):
    """Why a cell cannot be taken, and the limit it breaks."""

    def __init__(self, message: str, *, rule: str, limit: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.limit = limit


class Cell(NamedTuple):
    """A mapped cell, and the texts of the row it may depend on."""

    name: str
    text: str
    country: str


def check(lines: Iterable[Line], columns: Mapping[str, str]) -> Iterator[Row]:
    """Every line as a row, in the order of the file."""
    places = {name: int(place) for place, name in columns.items()}
    for line in lines:
        texts = {name: _one_space(line.cells[place]) for name, place in places.items()}
        yield _row(line, texts)


def _row(line: Line, texts: dict[str, str]) -> Row:
    if texts.pop(ROW_KIND, "").casefold() == "person":
        return Row(line.number, line.cells, {"name": texts.get("name", "")}, is_person=True)
    values: dict[str, Any] = {}
    problems = [] if texts.get("name") else [_missing_name()]
    for name, text in texts.items():
        try:
            values[name] = _value(Cell(name, text, texts.get("country_code", "")))
        except Wrong as wrong:
            values[name] = text
            problems.append(_problem(name, text, wrong))
    trades = () if problems else tuple(values.pop("trades", ()))
    return Row(line.number, line.cells, values, trades, tuple(problems))


def _value(cell: Cell) -> Any:
    if any(unicodedata.category(sign) == "Cc" for sign in cell.text):
        raise Wrong("holds a control character.", rule="charset")
    if DIRECTION_CONTROLS.search(cell.text):
        message = "holds invisible characters that change the direction of writing."
        raise Wrong(message, rule="charset")
    reader = READERS.get(cell.name, _text)
    return reader(cell) if cell.text or cell.name not in TEXTS else ""


def _text(cell: Cell) -> str:
    limit = model_field(cell.name).max_length
    if limit and len(cell.text) > limit:
        raise _too_long(len(cell.text), limit)
    return cell.text


def _email(cell: Cell) -> str:
    if not cell.text:
        return ""
    try:
        validate_email(cell.text)
    except ValidationError:
        message = "must be an e-mail address such as office@example.com."
        raise Wrong(message, rule="format") from None
    return _text(cell)


def _website(cell: Cell) -> str:
    scheme, found, _ = cell.text.partition(":")
    if " " in cell.text or (found and "." not in scheme and scheme.lower() not in SCHEMES):
        message = "must be a web address such as https://www.example.com."
        raise Wrong(message, rule="format", limit="http or https")
    return _text(cell)


def _flag(cell: Cell) -> bool:
    word = cell.text.casefold()
    if word in YES:
        return True
    if word in NO or not word:
        return False
    raise Wrong("must be yes or no.", rule="choice", limit="yes or no")


def _entity_type(cell: Cell) -> str:
    if not cell.text:
        return ""
    word = cell.text.casefold()
    for kind in EntityType:
        if word in (kind.value, kind.label.casefold()):
            return str(kind.value)
    allowed = ", ".join(kind.name for kind in EntityType)
    raise Wrong(f"must be one of {allowed}.", rule="choice", limit=allowed)


def _country(cell: Cell) -> str:
    found = country_code(cell.text)
    if cell.text and not found:
        message = "is not known; give its two-letter code, such as US."
        raise Wrong(message, rule="choice", limit="ISO 3166 code")
    return found


def _state(cell: Cell) -> str:
    """A code; what ISO does not know is refused only where its list is what people use."""
    country = country_code(cell.country)
    found = state_code(cell.text, country)
    if cell.text and not found and (country in WITHOUT_COUNTRY or not cell.country):
        where = country or "the United States, Canada or Australia"
        message = f"is not the code of a state of {where}, such as MD."
        raise Wrong(message, rule="choice", limit="state code")
    return found or _text(cell)


def _trades(cell: Cell) -> list[str]:
    names = split(cell.text)
    longest = max(names, key=len, default="")
    if len(longest) > LONGEST_TRADE:
        raise _too_long(len(longest), LONGEST_TRADE)
    spelt: dict[str, str] = {}
    for name in names:
        spelt.setdefault(name.casefold(), name)
    return list(spelt.values())


def _classifications(cell: Cell) -> list[str]:
    known = {label.casefold(): key for key, label in CLASSIFICATIONS.items()}
    known |= {key: key for key in CLASSIFICATIONS}
    names = split(cell.text)
    unknown = [name for name in names if name.casefold() not in known]
    if unknown:
        message = f"has an unknown classification “{_short(unknown[0])}”."
        raise Wrong(message, rule="choice", limit="the boxes of the company's page")
    return sorted({known[name.casefold()] for name in names})


READERS: dict[str, Callable[[Cell], Any]] = {
    "email_address": _email,
    "website": _website,
    "entity_type": _entity_type,
    "country_code": _country,
    "state_code": _state,
    "trades": _trades,
    "classifications": _classifications,
    **dict.fromkeys(FLAGS, _flag),
}


def _too_long(length: int, limit: int) -> Wrong:
    message = f"may have at most {limit} characters; it has {length}."
    return Wrong(message, rule="max_length", limit=str(limit))


def _problem(name: str, text: str, wrong: Wrong) -> Problem:
    label = short_label(name)
    return Problem(name, wrong.rule, f"{label} {wrong}", current=_short(text), limit=wrong.limit)


def _missing_name() -> Problem:
    return Problem("name", "present", "Name is required.", current="", limit="")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _one_space(text: str) -> str:
    """As a one-line input of a form would give it: line breaks and runs of spaces become one."""
    return " ".join(text.split())
