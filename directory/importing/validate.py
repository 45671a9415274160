"""Turn the lines of a file into values of companies, with all errors. No database access."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from directory.company_fields.validation import placed, tax_id_refusals
from directory.importing.columns import (
    FLAGS,
    REGISTERS,
    ROW_KIND,
    TAX_IDS,
    TEXTS,
    model_field,
    short_label,
    split,
)
from directory.models import CLASSIFICATIONS, EntityType, Trade
from erp_integrations.sendable import Problem
from erpbridge.countries import country_code
from erpbridge.db.text import DIRECTION_CONTROLS, fold, is_storable, key, one_line
from erpbridge.files import damaged
from erpbridge.files.table import Line

YES = frozenset(["yes", "y", "true", "t", "1", "x"])
NO = frozenset(["no", "n", "false", "f", "0"])
LONGEST_TRADE = Trade._meta.get_field("name").max_length or 0
LONGEST_SHOWN = 60
SCHEMES = ("http", "https")
# Free text: something that looks like a date may really be one.
PROSE = frozenset({"notes", "name", "trade_name"})
# Numbers that lost their leading zeros in a spreadsheet.
SHORT_ZIP = re.compile(r"\d{3,4}(?:-?\d{4})?")
SHORT_EIN = re.compile(r"\d-?\d{7}|\d{2}-?\d{6}")

# Column -> the value of its cell: a text, a flag or a list of names.
Values = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the file: the values to store, or the errors."""

    source: Line
    values: Values = field(default_factory=dict)
    trades: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_person: bool = False

    @property
    def line(self) -> int:
        """The line number in the file."""
        return self.source.number

    @property
    def cells(self) -> list[str]:
        """The cells as read."""
        return self.source.cells

    @property
    def name(self) -> str:
        """The company's name; empty if it is missing."""
        return str(self.values.get("name", ""))


class Wrong(Exception):
    """An invalid cell, with the broken rule and its limit."""

    def __init__(self, message: str, *, rule: str, limit: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.limit = limit


class Cell(NamedTuple):
    """A mapped cell: its field and its text."""

    name: str
    text: str


def check(lines: Iterable[Line], columns: Mapping[str, str], *, country: str = "") -> Iterator[Row]:
    """Turn every line into a row, in file order.

    :param country: country code for rows without one; empty to leave it open.
    """
    places = {name: int(place) for place, name in columns.items()}
    for line in lines:
        yield _row(line, places, country)


def _row(line: Line, places: Mapping[str, int], country: str) -> Row:
    texts = {name: one_line(line.cells[place]) for name, place in places.items()}
    if fold(texts.pop(ROW_KIND, "")) == "person":
        return Row(line, {"name": texts.get("name", "")}, is_person=True)
    values: Values = {}
    problems = []
    if not texts.get("name"):
        problems.append(Problem("name", "present", "Name is required.", current="", limit=""))
    for name, text in texts.items():
        try:
            values[name] = _read_cell(line, places[name], Cell(name, text))
        except Wrong as wrong:
            # Kept as read, so that the preview can show the row with its error.
            values[name] = text
            problems.append(_problem(name, text, wrong))
    # A field with an error is not checked once more together with others.
    wrong_fields = {problem.field for problem in problems}
    addresses = {name: line.address(place) for name, place in places.items()}
    # The generators also set values, so they must run to the end, which += sees to.
    problems += _tax_id_problems(values, wrong_fields, addresses)
    if not wrong_fields & {"state_code", "country_code"}:
        problems += _address_problems(values, country, addresses)
    trades = () if problems else tuple(values.pop("trades", ()))
    return Row(line, values, trades, tuple(problems))


def _read_cell(line: Line, place: int, cell: Cell) -> object:
    """The value of a cell. :raises Wrong: also if a spreadsheet has damaged it."""
    why = damaged.reason(line, place, prose=cell.name in PROSE)
    if why:
        raise Wrong(f"cannot be read. {why}", rule="unreadable")
    return _value(cell)


def _tax_id_problems(
    values: Values, wrong_fields: Set[str], addresses: Mapping[str, str]
) -> Iterator[Problem]:
    """Check number and type together; the column may give the type."""
    column = next((name for name in TAX_IDS if name in values), "")
    if not column or wrong_fields & {column, "entity_type"}:
        return
    # Whichever column it came from, the number is stored in one.
    number = values["entity_id"] = values.pop(column)
    kind, entity_type = REGISTERS.get(column), values.get("entity_type", "")
    if number and kind and entity_type not in ("", kind):
        message = f"Entity type says that the number is no {kind.label}."
        yield Problem("entity_type", "choice", message, entity_type, kind.label)
        return
    if number and kind:
        values["entity_type"] = kind.value
    for name, refusal in tax_id_refusals(values).items():
        advice = " Put its column into one of these." if name == "entity_type" else ""
        yield Problem(name, "present", f"{refusal}{advice}", number, "")
    if values.get("entity_type") == EntityType.EIN and SHORT_EIN.fullmatch(number):
        yield _zero_lost("entity_id", "An EIN has nine digits", number, addresses[column])


def _address_problems(
    values: Values, country: str, addresses: Mapping[str, str]
) -> Iterator[Problem]:
    """Set the state's country, and check the ZIP code against it."""
    # A country by itself is no address.
    has_address = any(values.get(name) for name in ("address", "city", "state_code", "zip"))
    state = values.get("state_code", "")
    row_country = values.get("country_code") or (country if has_address else "")
    located, refusal = placed(state, row_country)
    if refusal:
        yield Problem("state_code", "choice", f"State: {refusal}", _short(state), "")
        return
    values |= located
    number = values.get("zip", "")
    # Without a country it may be a damaged ZIP code as well as a whole postcode of elsewhere.
    if located["country_code"] in ("", "US") and SHORT_ZIP.fullmatch(number):
        rule = "A ZIP code of the United States has five digits, or nine"
        unless = "" if located["country_code"] else ", or give the country"
        yield _zero_lost("zip", rule, number, addresses["zip"], unless)


def _zero_lost(name: str, rule: str, number: str, address: str, unless: str = "") -> Problem:
    digits = sum(map(str.isdigit, number))
    message = (
        f"{rule}; cell {address} has {digits}. A spreadsheet takes zeros off the front: format "
        f"the column as text and enter it again{unless}."
    )
    return Problem(name, "format", message, current=number, limit="")


def _value(cell: Cell) -> object:
    if not is_storable(cell.text):
        raise Wrong("holds a character that cannot be stored.", rule="charset")
    if DIRECTION_CONTROLS.search(cell.text):
        message = "holds invisible characters that change the direction of writing."
        raise Wrong(message, rule="charset")
    reader = READERS.get(cell.name, _text)
    # Of an empty cell only a text is certainly valid as it is; flags and lists have values of their
    # own.
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
        # ``bulk_create`` runs no validators of the model.
        validate_email(cell.text)
    except ValidationError:
        message = "must be an e-mail address such as office@example.com."
        raise Wrong(message, rule="format") from None
    return _text(cell)


def _website(cell: Cell) -> str:
    scheme, colon, _ = cell.text.partition(":")
    # The page shows it as a link, which must not lead to javascript: and the like.
    if " " in cell.text or (colon and "." not in scheme and scheme.lower() not in SCHEMES):
        message = "must be a web address such as https://www.example.com."
        raise Wrong(message, rule="format", limit="http or https")
    return _text(cell)


def _flag(cell: Cell) -> bool:
    word = fold(cell.text)
    if word in YES:
        return True
    if word in NO or not word:
        return False
    raise Wrong("must be yes or no.", rule="choice", limit="yes or no")


def _entity_type(cell: Cell) -> str:
    if not cell.text:
        return ""
    word = fold(cell.text)
    for kind in EntityType:
        if word in (kind.value, fold(kind.label)):
            return str(kind.value)
    allowed = ", ".join(kind.name for kind in EntityType)
    raise Wrong(f"must be one of {allowed}.", rule="choice", limit=allowed)


def _country(cell: Cell) -> str:
    code = country_code(cell.text)
    if cell.text and not code:
        message = "is not known; give its two-letter code, such as US."
        raise Wrong(message, rule="choice", limit="ISO 3166 code")
    return code


def _state(cell: Cell) -> str:
    """Unchanged: its code depends on the country, so it is looked up with the whole row."""
    return cell.text


def _entity_id(cell: Cell) -> str:
    return _text(cell._replace(name="entity_id"))


def _trades(cell: Cell) -> list[str]:
    names = split(cell.text)
    longest = max(names, key=len, default="")
    if len(longest) > LONGEST_TRADE:
        raise _too_long(len(longest), LONGEST_TRADE)
    # Two spellings of a trade are one trade.
    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(key(name), name)
    return list(by_key.values())


def _classifications(cell: Cell) -> list[str]:
    by_word = {fold(label): value for value, label in CLASSIFICATIONS.items()}
    by_word |= {value: value for value in CLASSIFICATIONS}
    names = split(cell.text)
    unknown = [name for name in names if fold(name) not in by_word]
    if unknown:
        message = f"has an unknown classification “{_short(unknown[0])}”."
        raise Wrong(message, rule="choice", limit="the boxes of the company's page")
    return sorted({by_word[fold(name)] for name in names})


READERS: dict[str, Callable[[Cell], object]] = {
    "email_address": _email,
    "website": _website,
    "entity_type": _entity_type,
    "country_code": _country,
    "state_code": _state,
    "ein": _entity_id,
    "abn": _entity_id,
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


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
