"""The displayed text of a workbook's cell, from its number format. Pure functions.

A code that is stored as 33000 and displayed as 03-30-00 is 03-30-00 to the person who chose the
file. Formats that lists of companies or codes use are supported; for anything else :class:`Unknown`
is raised, so that no guess is imported.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

# Excel rounds or drops digits beyond these.
LONGEST_GENERAL = 11
LARGEST = Decimal(10) ** 15
SMALLEST_GENERAL = Decimal("0.0001")
GENERAL = "General"
TOKEN = re.compile(
    r'"(?P<text>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill> )|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<general>General)|E(?P<exponent>[+-]0+)|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)"
    r"|(?P<percent>%)|(?P<typed>@)|(?P<end>;)|(?P<plain>[-$+():!^&'~{}<>= ]|[^\x00-\x7f])"
    r"|(?P<unknown>.)",
    re.DOTALL | re.IGNORECASE,
)
COLOR = re.compile(r"black|blue|cyan|green|magenta|red|white|yellow|color\s?\d+", re.IGNORECASE)
CONDITION = re.compile(r"(<=|>=|<>|<|>|=)(-?\d+(?:\.\d+)?)")
COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}


class Unknown(ValueError):
    """The displayed text of the cell cannot be determined."""


class Kind(StrEnum):
    """Kind of a token: the name of its group in :data:`TOKEN`."""

    TEXT = "text"
    ESCAPED = "escaped"
    SPACE = "space"
    FILL = "fill"
    BRACKET = "bracket"
    GENERAL = "general"
    EXPONENT = "exponent"
    DIGIT = "digit"
    POINT = "point"
    COMMA = "comma"
    PERCENT = "percent"
    TYPED = "typed"
    END = "end"
    PLAIN = "plain"
    UNKNOWN = "unknown"


class Token(NamedTuple):
    """A token of a format: its kind and its text."""

    kind: Kind
    text: str


@dataclass
class Section:
    """One of the sections of a format, which are separated by ``;``."""

    tokens: list[Token] = field(default_factory=list)
    condition: tuple[str, Decimal] | None = None

    def count(self, kind: Kind) -> int:
        """Return the number of tokens of a kind."""
        return sum(token.kind == kind for token in self.tokens)

    def takes(self, value: Decimal) -> bool:
        """Whether the section applies to this number; one without a condition always does."""
        if self.condition is None:
            return True
        sign, limit = self.condition
        return bool(COMPARED[sign](value, limit))


def number(value: float, number_format: str) -> str:
    """Return a number as the cell displays it.

    :raises Unknown: when the format is not supported.
    """
    if number_format.casefold() == GENERAL.casefold():
        return _general(Decimal(repr(value)))
    # The shortest text of the number, as people typed it, and not its exact binary value.
    exact = Decimal(repr(value))
    sections = _sections(number_format)
    if any(section.condition for section in sections):
        return _conditional(exact, sections)
    # The order of sections is positive, negative, zero, text.
    negative = exact < 0
    if negative and len(sections) > 1:
        return _with_section(-exact, sections[1])
    if not exact and len(sections) > 2:
        return _with_section(exact, sections[2])
    text = _with_section(abs(exact), sections[0])
    # A rounded zero: whether the sign is displayed depends on the program.
    if negative and not re.search("[1-9]", text):
        raise Unknown
    return f"-{text}" if negative else text


def text(value: str, number_format: str) -> str:
    """Return a text as the cell displays it: formats such as ``"CC-"@`` add to it.

    :raises Unknown: when the format is not supported.
    """
    if "@" not in number_format and number_format.count(";") < 3:
        return value
    sections = _sections(number_format)
    for_text = [section for section in sections if section.count(Kind.TYPED)]
    if len(sections) > 3:
        return _text_with_section(value, sections[3])
    return _text_with_section(value, for_text[-1]) if for_text else value


@lru_cache(maxsize=500)
def _sections(number_format: str) -> Sequence[Section]:
    sections = [Section()]
    for match in TOKEN.finditer(number_format):
        kind = Kind(match.lastgroup or "")
        token = Token(kind, match[kind])
        if kind == Kind.END:
            sections.append(Section())
        elif kind == Kind.BRACKET:
            _bracket(token.text, sections[-1])
        else:
            sections[-1].tokens.append(token)
    return sections


def _bracket(inside: str, section: Section) -> None:
    """Parse a color, a currency or a condition."""
    condition = CONDITION.fullmatch(inside)
    if condition:
        section.condition = condition[1], Decimal(condition[2])
    elif inside.startswith("$"):
        # A currency such as [$€-407]; the part behind the hyphen is the locale.
        section.tokens.append(Token(Kind.TEXT, inside[1:].partition("-")[0]))
    elif not COLOR.fullmatch(inside):
        section.tokens.append(Token(Kind.UNKNOWN, inside))


def _conditional(value: Decimal, sections: Sequence[Section]) -> str:
    fitting = next((section for section in sections if section.takes(value)), None)
    # Whether a minus sign is shown beside a condition depends on the program.
    if fitting is None or value < 0:
        raise Unknown
    return _with_section(value, fitting)


def _text_with_section(value: str, section: Section) -> str:
    return "".join(
        value if token.kind == Kind.TYPED else _literal(token) for token in section.tokens
    )


def _general(value: Decimal) -> str:
    """Format a number as a cell with the General format displays it."""
    if value == value.to_integral_value():
        digits = f"{value:.0f}"
        if len(digits.lstrip("-")) > LONGEST_GENERAL:
            raise Unknown
        return digits
    if abs(value) < SMALLEST_GENERAL:
        raise Unknown
    places = LONGEST_GENERAL - 1 - len(f"{abs(int(value))}")
    if places < 1:
        raise Unknown
    return f"{_rounded(value, places):f}".rstrip("0").rstrip(".")


def _with_section(value: Decimal, section: Section) -> str:
    """Format a non-negative number with the section."""
    if section.count(Kind.GENERAL) or section.count(Kind.TYPED):
        if section.count(Kind.DIGIT):
            raise Unknown
        return "".join(
            _general(value) if token.kind in (Kind.GENERAL, Kind.TYPED) else _literal(token)
            for token in section.tokens
        )
    if section.count(Kind.EXPONENT):
        return _scientific(value, section)
    value = value.scaleb(2 * section.count(Kind.PERCENT))
    if value >= LARGEST:
        raise Unknown
    before, after = _around_point(section.tokens)
    places = sum(token.kind == Kind.DIGIT for token in after)
    digits = f"{_rounded(value, places):f}"
    whole, _, fraction = digits.partition(".")
    has_point = section.count(Kind.POINT) > 0
    return (
        _whole(whole.lstrip("0"), before, has_point=has_point)
        + ("." if has_point else "")
        + _fraction(fraction, after)
    )


def _rounded(value: Decimal, places: int) -> Decimal:
    # Halves away from zero, as spreadsheets round them; the default of ``decimal`` is to even.
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _around_point(tokens: Sequence[Token]) -> tuple[list[Token], list[Token]]:
    index = next((n for n, token in enumerate(tokens) if token.kind == Kind.POINT), len(tokens))
    return list(tokens[:index]), list(tokens[index + 1 :])


def _whole(digits: str, tokens: list[Token], *, has_point: bool) -> str:
    """Fill in the digits before the point from the right; the first place takes the rest."""
    places = [n for n, token in enumerate(tokens) if token.kind == Kind.DIGIT]
    if not places:
        if digits and not has_point and any(token.kind == Kind.COMMA for token in tokens):
            raise Unknown
        return "".join(map(_literal, tokens)) + (digits if has_point else "")
    if any(token.kind == Kind.COMMA for token in tokens):
        return _grouped(digits, tokens, places)
    parts = [_literal(token) if token.kind != Kind.DIGIT else "" for token in tokens]
    for index in reversed(places):
        digit, digits = (digits[-1:], digits[:-1]) if index != places[0] else (digits, "")
        parts[index] = digit or {"0": "0", "?": " "}.get(tokens[index].text, "")
    return "".join(parts)


def _grouped(digits: str, tokens: list[Token], places: list[int]) -> str:
    """Format with thousands separators. A comma after the last place would divide by a thousand."""
    first, last = places[0], places[-1]
    inside = tokens[first : last + 1]
    commas = [n for n, token in enumerate(tokens) if token.kind == Kind.COMMA]
    if not all(first < n < last for n in commas):
        raise Unknown
    if any(token.kind not in (Kind.DIGIT, Kind.COMMA) for token in inside):
        raise Unknown
    least = sum(token.text == "0" for token in inside)
    padded = digits.zfill(least) if least else digits
    grouped = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", padded)
    start, end = (
        map(_literal, edge_tokens) for edge_tokens in (tokens[:first], tokens[last + 1 :])
    )
    return "".join(start) + grouped + "".join(end)


def _fraction(digits: str, tokens: list[Token]) -> str:
    """Fill in the digits after the point; ``#`` hides trailing zeros."""
    parts: list[str] = []
    remaining = len(digits.rstrip("0"))
    for token in tokens:
        if token.kind != Kind.DIGIT:
            parts.append(_literal(token))
            continue
        digit, digits = digits[:1], digits[1:]
        hidden = remaining <= 0 and token.text != "0"
        parts.append({"?": " "}.get(token.text, "") if hidden else digit)
        remaining -= 1
    return "".join(parts)


def _scientific(value: Decimal, section: Section) -> str:
    """Format as in ``0.00E+00``; several places before the point are not supported."""
    before, after = _around_point(section.tokens)
    places_before = [token for token in before if token.kind == Kind.DIGIT]
    places = sum(token.kind == Kind.DIGIT for token in after)
    kinds = {token.kind for token in section.tokens}
    if len(places_before) != 1 or not kinds <= {Kind.DIGIT, Kind.POINT, Kind.EXPONENT}:
        raise Unknown
    mantissa, _, power = f"{float(value):.{places}E}".partition("E")
    wish = next(token.text for token in section.tokens if token.kind == Kind.EXPONENT)
    sign = power[0] if power[0] == "-" or wish[0] == "+" else ""
    return f"{mantissa}E{sign}{power[1:].lstrip('0').zfill(len(wish) - 1)}"


def _literal(token: Token) -> str:
    """Return the text of a literal token."""
    if token.kind == Kind.SPACE:
        return " "
    if token.kind in (Kind.TEXT, Kind.ESCAPED, Kind.PLAIN):
        return token.text
    if token.kind == Kind.PERCENT:
        return "%"
    if token.kind == Kind.FILL:
        return ""
    raise Unknown
