"""Readers for body fields: each takes a JSON value or text and returns what the model stores.

A reader also has the JSON Schema of its input, which the OpenAPI description is built from.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db.models import Field, Model, TextField
from django.utils.dateparse import parse_date

from erpbridge.db.numbers import LARGEST_ID
from erpbridge.db.text import first_invisible, plain_line, refuse_direction_controls
from erpbridge.rest.requests.filters import WrongValue, truth

# What a reader returns.
T_co = TypeVar("T_co", covariant=True)
# The values of a body by field, each of the type that its reader returns.
Values = dict[str, Any]


@dataclass(frozen=True)
class Reader(Generic[T_co]):
    """Validates and converts one value; ``schema`` is the JSON Schema of its input.

    With ``null_says_nothing``, null is treated like a field that was not sent.
    """

    read: Callable[[object], T_co]
    schema: Mapping[str, object]
    null_says_nothing: bool = False

    def __call__(self, value: object) -> T_co:
        """Return the value as the model stores it.

        :raises ValidationError: for an invalid value.
        """
        return self.read(value)


def reader(
    schema: Mapping[str, object],
) -> Callable[[Callable[[object], T_co]], Reader[T_co]]:
    """Decorate a function to make it a reader with this schema."""
    return lambda read: Reader(read, schema)


def _nullable(kind: str, **limits: object) -> dict[str, object]:
    return {"type": [kind, "null"], **{name: limit for name, limit in limits.items() if limit}}


def text(model: type[Model], name: str) -> Reader[str]:
    """Read text for a model's column; null empties it, a number is converted to text.

    Single-line columns get a single line (``erpbridge.db.text.one_line``).
    """
    column: Field[Any, Any] = model._meta.get_field(name)  # type: ignore[assignment]

    def read(value: object) -> str:
        value = plain(value)
        # Multi-line columns keep their line breaks.
        if isinstance(column, TextField):
            refuse_direction_controls(value)
        else:
            value = plain_line(value)
        cleaned: str = column.clean(value, None)
        # Django limits the length of a text column in forms only.
        if isinstance(column, TextField) and column.max_length is not None:
            MaxLengthValidator(column.max_length)(cleaned)
        return cleaned

    return Reader(read, _nullable("string", maxLength=column.max_length))


def plain(value: object) -> str:
    """Return a value as stripped text; null is empty.

    :raises ValidationError: when it is not text, or has null characters, which databases reject.
    """
    if value is None:
        return ""
    # In Python, true of JSON is an integer.
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValidationError("must be text")
    text = str(value).strip()
    if "\x00" in text:
        raise ValidationError("must not hold null characters")
    return text


any_text = Reader(plain, _nullable("string"))


def line(most: int) -> Reader[str]:
    """Read a name of at most ``most`` characters on one line (``erpbridge.db.text.one_line``)."""

    def read(value: object) -> str:
        text = plain_line(plain(value))
        _refuse_longer(text, most)
        return text

    return Reader(read, _nullable("string", maxLength=most))


def identifier(most: int) -> Reader[str]:
    """Read the id of a record in another system, exactly as sent.

    Surrounding white space is stripped. Inside nothing is normalized, so that it can never become
    the id of another record: two spaces stay two, and invisible or space-like characters are
    rejected.
    """

    def read(value: object) -> str:
        text = plain(value)
        _refuse_longer(text, most)
        if invisible := first_invisible(text):
            name = unicodedata.name(invisible, f"the control character U+{ord(invisible):04X}")
            position = text.index(invisible) + 1
            raise ValidationError(
                f"must not hold invisible characters, such as {name} in place {position}"
            )
        return text

    return Reader(read, _nullable("string", maxLength=most))


def long_text(most: int) -> Reader[str]:
    """Read text of up to ``most`` characters and keep it as it is."""

    def read(value: object) -> str:
        text = plain(value)
        _refuse_longer(text, most)
        return text

    return Reader(read, _nullable("string", maxLength=most))


def _refuse_longer(text: str, most: int) -> None:
    if len(text) > most:
        raise ValidationError(f"has {len(text):,} characters; the limit is {most:,}")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return truth(plain(value))
    except WrongValue:
        raise ValidationError("must be true or false") from None


# True or false. Generated clients send null for every field that was not set.
flag = Reader(_flag, _nullable("boolean"), null_says_nothing=True)


@reader(_nullable("integer"))
def whole(value: object) -> int | None:
    """Read a whole number such as an id, or null."""
    if value is None or value == "":
        return None
    text = plain(value)
    # The length is checked first, because int() of a very long text is slow.
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) > LARGEST_ID:
        raise ValidationError("must be a whole number")
    return int(text)


@reader({"type": ["array", "null"], "items": {"type": "integer"}})
def wholes(value: object) -> list[int]:
    """Read a list of ids and drop duplicates."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValidationError("must be a list of ids")
    return list(dict.fromkeys(number for number in map(whole, value) if number is not None))


@reader({"type": ["array", "null"], "items": {"type": "string"}})
def texts(value: object) -> list[str]:
    """Read a list of texts and drop duplicates."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValidationError("must be a list of texts")
    return list(dict.fromkeys(map(plain, value)))


@reader(_nullable("string", format="date"))
def day(value: object) -> date | None:
    """Read a date; an invalid one is stored as null instead of rejected, as Procore does.

    See docs/design/procore-rest-conventions.md, "Formats".
    """
    try:
        # Also takes a date-time, of which only the date counts.
        return parse_date(plain(value)[:10])
    except ValueError:
        return None


def read(
    fields: Mapping[str, object], readers: Mapping[str, Reader[object]]
) -> tuple[Values, dict[str, list[str]]]:
    """Return the values of the known fields that were sent, and the errors of invalid ones."""
    values: Values = {}
    errors: dict[str, list[str]] = {}
    for name, reader in readers.items():
        if name not in fields or (fields[name] is None and reader.null_says_nothing):
            continue
        try:
            values[name] = reader(fields[name])
        except ValidationError as error:
            errors[name] = list(error.messages)
    return values, errors
