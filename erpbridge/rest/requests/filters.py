"""List filters: each narrows a queryset by the texts of a query parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Expression, F, Model, QuerySet
from django.db.models.lookups import GreaterThanOrEqual, LessThan
from django.utils.dateparse import parse_date, parse_datetime

from erpbridge.db.numbers import LARGEST_ID
from erpbridge.db.text import unaccented
from erpbridge.rest.errors import Malformed

Narrow = Callable[[QuerySet[Model], list[str]], QuerySet[Model]]
YES, NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
LONGEST_SEARCH = 200


class WrongValue(ValueError):
    """An invalid filter value; the message says what the filter takes."""


@dataclass(frozen=True)
class Filter:
    """Narrows a queryset by the given texts; ``takes`` describes valid values for API users."""

    narrow: Narrow
    takes: str

    def __call__(self, queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        """Return the matching rows.

        :raises WrongValue: for an invalid value.
        """
        return self.narrow(queryset, values)


def filtering(takes: str) -> Callable[[Narrow], Filter]:
    """Decorate a function to make it a filter; ``takes`` is its description."""
    return lambda narrow: Filter(narrow, takes)


def ids(path: str) -> Filter:
    """Filter by one or several ids, also comma-separated; an id beyond 64 bits matches nothing."""

    def apply(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        return queryset.filter(**{f"{path}__in": numbers(values)})

    return Filter(apply, "One or more ids, separated by commas.")


def numbers(values: Sequence[str]) -> list[int]:
    """Return the whole numbers in comma-separated lists.

    :raises WrongValue: for anything else.
    """
    parts = [part.strip() for value in values for part in value.split(",") if part.strip()]
    if any(not (part.isascii() and part.isdecimal()) for part in parts):
        raise WrongValue("takes ids: whole numbers")
    # An id beyond 64 bits matches nothing, and a query with it would fail.
    return [int(part) for part in parts if len(part) <= 19 and int(part) <= LARGEST_ID]


def texts(path: str) -> Filter:
    """Filter by one or several texts, exact match."""

    def apply(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        return queryset.filter(**{f"{path}__in": [clean(value) for value in values]})

    return Filter(apply, "One or more texts, matched exactly.")


def contains(path: str) -> Filter:
    """Filter by text that a search column contains, ignoring case and accents."""

    def apply(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        for value in values:
            queryset = queryset.filter(**{f"{path}__contains": unaccented(clean(value))})
        return queryset

    return Filter(apply, "Text to search for, ignoring case and accents.")


def search(find: Callable[[Any, str], QuerySet[Model]]) -> Filter:
    """Filter with a search method of the queryset."""

    def apply(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        return find(queryset, clean(" ".join(values))[:LONGEST_SEARCH])

    return Filter(apply, "Words to search for.")


def flag(path: str) -> Filter:
    """Filter by true or false."""

    def apply(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        # The last of several wins, as with any parameter that takes one value.
        return queryset.filter(**{path: truth(values[-1])})

    return Filter(apply, "true or false.")


def truth(text: str) -> bool:
    """Parse true or false.

    :raises WrongValue: for anything else.
    """
    value = text.strip().lower()
    if value not in YES | NO:
        raise WrongValue("takes true or false")
    return value in YES


@filtering("with or only; lists keep no deleted rows.")
def include_deleted(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    """Accept Procore's ``with`` and ``only`` for deleted rows; ``only`` matches nothing.

    Records are deactivated, or deleted for good, so there are no deleted rows to list.
    """
    if not set(values) <= {"with", "only"}:
        raise WrongValue("takes with or only")
    return queryset.none() if "only" in values else queryset


def moments(column: str | Expression) -> Filter:
    """Filter by a time, a day, or a range ``a...b`` of either; quotes around it are ignored."""

    def apply(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        compared = F(column) if isinstance(column, str) else column
        for value in values:
            start, end = span(value)
            queryset = queryset.filter(GreaterThanOrEqual(compared, start), LessThan(compared, end))
        return queryset

    return Filter(apply, "A time, a day, or a range of either: a...b.")


def span(text: str) -> tuple[datetime, datetime]:
    """Return the start (inclusive) and end (exclusive) of a range; a day lasts until midnight."""
    text = text.strip().strip("\"'").strip()
    first, is_range, last = text.partition("...")
    start, end_of_first = _moment(first)
    return (start, _moment(last)[1]) if is_range else (start, end_of_first)


def _moment(text: str) -> tuple[datetime, datetime]:
    """Return the start and end of a day, or of a time, which lasts until the next second."""
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
            # Times are shown without fractions, so each stands for its whole second.
            return moment, moment.replace(microsecond=0) + timedelta(seconds=1)
    except (ValueError, OverflowError):
        pass
    raise WrongValue("takes a day, a time such as 2026-09-23T16:30:00Z, or a range of two: a...b")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def clean(text: str) -> str:
    """Remove characters that no database stores, so that no value can contain them either."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def apply(
    queryset: QuerySet[Model], requested: dict[str, list[str]], available: dict[str, Filter]
) -> QuerySet[Model]:
    """Apply all known filters; unknown ones are ignored.

    A filter with an empty list matches nothing.

    :raises Malformed: naming the filter with the invalid value.
    """
    for name, values in requested.items():
        if name not in available:
            continue
        try:
            queryset = available[name](queryset, values) if values else queryset.none()
        except WrongValue as error:
            raise Malformed({f"filters[{name[:50]}]": [str(error)]}) from None
    return queryset
