"""Kinds of filters: each makes a function from a query and the given texts to a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_date, parse_datetime

from erpbridge.db.numbers import LARGEST_ID
from erpbridge.db.text import unaccented
from erpbridge.rest.errors import Malformed

Narrow = Callable[[QuerySet[Any], list[str]], QuerySet[Any]]
YES, NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
LONGEST_SEARCH = 200


class WrongValue(ValueError):
    """A value that the filter cannot take; the text says what it takes."""


@dataclass(frozen=True)
class Filter:
    """Narrows a query by the texts given; ``takes`` tells a person what these can be."""

    narrow: Narrow
    takes: str

    def __call__(self, found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        """The rows that it lets through. :raises WrongValue: for a value that cannot be."""
        return self.narrow(found, values)


def filtering(takes: str) -> Callable[[Narrow], Filter]:
    """Make a function a filter that takes what the text says."""
    return lambda narrow: Filter(narrow, takes)


def ids(path: str) -> Filter:
    """One id or several, also separated by commas; an id too large for a database finds nothing."""

    def apply(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        return found.filter(**{f"{path}__in": numbers(values)})

    return Filter(apply, "One id or several, separated by commas.")


def numbers(values: Sequence[str]) -> list[int]:
    """The whole numbers among comma lists. :raises WrongValue: for anything else."""
    words = [word.strip() for value in values for word in value.split(",") if word.strip()]
    if any(not (word.isascii() and word.isdecimal()) for word in words):
        raise WrongValue("takes ids: whole numbers")
    return [int(word) for word in words if len(word) <= 19 and int(word) <= LARGEST_ID]


def texts(path: str) -> Filter:
    """One text or several, exactly."""

    def apply(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        return found.filter(**{f"{path}__in": [clean(value) for value in values]})

    return Filter(apply, "One text or several, exactly.")


def contains(path: str) -> Filter:
    """A text that occurs in a search column, whatever its case and accents."""

    def apply(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        for value in values:
            found = found.filter(**{f"{path}__contains": unaccented(clean(value))})
        return found

    return Filter(apply, "A text that occurs, whatever its case and accents.")


def search(find: Callable[[Any, str], QuerySet[Any]]) -> Filter:
    """Words for a search function of the queryset."""

    def apply(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        return find(found, clean(" ".join(values))[:LONGEST_SEARCH])

    return Filter(apply, "Words to look for.")


def flag(path: str) -> Filter:
    """True or false."""

    def apply(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        return found.filter(**{path: truth(values[-1])})

    return Filter(apply, "true or false.")


def truth(text: str) -> bool:
    """:raises WrongValue: for anything but true and false."""
    word = text.strip().lower()
    if word not in YES | NO:
        raise WrongValue("takes true or false")
    return word in YES


@filtering("with or only; lists keep no deleted rows.")
def include_deleted(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """``with`` or ``only`` deleted rows, of lists that keep none: all there are, or no row.

    What can be taken out of use is made inactive; what is deleted is gone but for its history.
    """
    if not set(values) <= {"with", "only"}:
        raise WrongValue("takes with or only")
    return found.none() if "only" in values else found


def moments(path: str) -> Filter:
    """A moment, a day, or a range ``a...b`` of either; quotes around it do no harm."""

    def apply(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        for value in values:
            begin, end = span(value)
            found = found.filter(**{f"{path}__gte": begin, f"{path}__lt": end})
        return found

    return Filter(apply, "A moment, a day, or a range of either: a...b.")


def span(text: str) -> tuple[datetime, datetime]:
    """First moment, and the first one after, of a range; a day lasts until its end."""
    text = text.strip().strip("\"'").strip()
    first, dots, last = text.partition("...")
    begin, end_of_first = _moment(first)
    return (begin, _moment(last)[1]) if dots else (begin, end_of_first)


def _moment(text: str) -> tuple[datetime, datetime]:
    """A moment and the one that ends it: of a day the next day, of a time the next second."""
    text = text.strip().strip("\"'")
    if "T" in text:
        # A "+" that was not percent-encoded arrives as a space.
        text = text.replace(" ", "+")
    try:
        day = parse_date(text)
        moment = None if day else parse_datetime(text)
        if day is not None:
            return _midnight(day), _midnight(day) + timedelta(days=1)
        if moment is not None:
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            moment = moment.astimezone(UTC)
            return moment, moment.replace(microsecond=0) + timedelta(seconds=1)
    except (ValueError, OverflowError):
        pass
    raise WrongValue("takes a day, a time such as 2026-09-23T16:30:00Z, or a range of two: a...b")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def clean(text: str) -> str:
    """Without what no database takes; it can occur in no value either."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def apply(
    found: QuerySet[Any], asked: dict[str, list[str]], known: dict[str, Filter]
) -> QuerySet[Any]:
    """The rows that all known filters let through; unknown ones are ignored.

    A filter that was given an empty list lets nothing through: no value is one of none.

    :raises Malformed: naming the filter whose value cannot be.
    """
    for name, values in asked.items():
        if name not in known:
            continue
        try:
            found = known[name](found, values) if values else found.none()
        except WrongValue as error:
            raise Malformed({f"filters[{name[:50]}]": [str(error)]}) from None
    return found
