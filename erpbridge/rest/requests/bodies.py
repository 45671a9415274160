"""Reading the values of a body: each reader takes JSON or text and returns what the model holds.

A reader also says, as JSON Schema, what it takes; the description of the API is made of that.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, TextField
from django.utils.dateparse import parse_date

from erpbridge.db.numbers import LARGEST_ID
from erpbridge.db.text import first_unseen, plain_line, refuse_direction_controls
from erpbridge.rest.requests.filters import WrongValue, truth


@dataclass(frozen=True)
class Reader:
    """Reads one value, or raises ``ValidationError``; ``schema`` is of what it takes.

    Where ``null_says_nothing``, null is the same as a field that was not sent.
    """

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]
    null_says_nothing: bool = False

    def __call__(self, value: Any) -> Any:
        """The value as the model holds it."""
        return self.read(value)


def reader(schema: Mapping[str, Any]) -> Callable[[Callable[[Any], Any]], Reader]:
    """Make a function a reader of values of this schema."""
    return lambda read: Reader(read, schema)


def _nullable(kind: str, **limits: Any) -> dict[str, Any]:
    return {"type": [kind, "null"], **{name: one for name, one in limits.items() if one}}


def text(model: type[Model], name: str) -> Reader:
    """Text as the model's column takes it; null empties it, a number is taken as text.

    A column for one line gets one (``erpbridge.db.text.one_line``).
    """
    column: Field[Any, Any] = model._meta.get_field(name)  # type: ignore[assignment]

    def read(value: Any) -> str:
        value = plain(value)
        if isinstance(column, TextField):
            refuse_direction_controls(value)
        else:
            value = plain_line(value)
        cleaned: str = column.clean(value, None)
        return cleaned

    return Reader(read, _nullable("string", maxLength=column.max_length))


def plain(value: Any) -> str:
    """:raises ValidationError: for what is no text, or holds what no database takes."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValidationError("must be text")
    found = str(value).strip()
    if "\x00" in found:
        raise ValidationError("must not hold null characters")
    return found


any_text = Reader(plain, _nullable("string"))


def line(most: int) -> Reader:
    """A name of at most ``most`` characters on one line (``erpbridge.db.text.one_line``)."""

    def read(value: Any) -> str:
        found = plain_line(plain(value))
        _refuse_longer(found, most)
        return found

    return Reader(read, _nullable("string", maxLength=most))


def identifier(most: int) -> Reader:
    """What another system calls a record: kept to the letter, for it must never become the
    identifier of another record.

    White space around it goes, for it is no part of an identifier. Nothing is cleaned inside it:
    two blanks stay two, and what cannot be seen, or only looks like a space, is refused.
    """

    def read(value: Any) -> str:
        found = plain(value)
        _refuse_longer(found, most)
        if unseen := first_unseen(found):
            name = unicodedata.name(unseen, f"the control character U+{ord(unseen):04X}")
            place = found.index(unseen) + 1
            raise ValidationError(
                f"must not hold what cannot be seen, such as {name} in place {place}"
            )
        return found

    return Reader(read, _nullable("string", maxLength=most))


def long_text(most: int) -> Reader:
    """Text that is kept as it is, up to ``most`` characters."""

    def read(value: Any) -> str:
        found = plain(value)
        _refuse_longer(found, most)
        return found

    return Reader(read, _nullable("string", maxLength=most))


def _refuse_longer(text: str, most: int) -> None:
    if len(text) > most:
        raise ValidationError(f"has {len(text):,} characters; the limit is {most:,}")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return truth(plain(value))
    except WrongValue:
        raise ValidationError("must be true or false") from None


# True or false. Clients that send every field of a class send null for what nobody set.
flag = Reader(_flag, _nullable("boolean"), null_says_nothing=True)


@reader(_nullable("integer"))
def whole(value: Any) -> int | None:
    """A whole number such as an id, or null."""
    if value is None or value == "":
        return None
    found = plain(value)
    if not (found.isascii() and found.isdecimal()) or len(found) > 19 or int(found) > LARGEST_ID:
        raise ValidationError("must be a whole number")
    return int(found)


@reader({"type": ["array", "null"], "items": {"type": "integer"}})
def wholes(value: Any) -> list[int]:
    """A list of ids, each once."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValidationError("must be a list of ids")
    return list(dict.fromkeys(one for one in map(whole, value) if one is not None))


@reader({"type": ["array", "null"], "items": {"type": "string"}})
def texts(value: Any) -> list[str]:
    """A list of texts, each once."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValidationError("must be a list of texts")
    return list(dict.fromkeys(map(plain, value)))


@reader(_nullable("string", format="date"))
def day(value: Any) -> date | None:
    """A day; what is none is stored as null and not refused, as Procore does.

    See docs/design/procore-rest-conventions.md, "Formats".
    """
    try:
        return parse_date(plain(value)[:10])
    except ValueError:
        return None


def read(
    given: Mapping[str, Any], readers: Mapping[str, Reader]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The known fields that were given, cleaned, and what is wrong with the others."""
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, reader in readers.items():
        if name not in given or (given[name] is None and reader.null_says_nothing):
            continue
        try:
            values[name] = reader(given[name])
        except ValidationError as error:
            errors[name] = list(error.messages)
    return values, errors
