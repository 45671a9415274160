"""Lists as HTML pages: search, sort, keyset pagination, and a count up to a cap.

There is no OFFSET: the last page of a million rows costs as much as the first. A cursor is the sort
key and id of the first or last row of a page. It is signed, so that nobody can send a value that
the database rejects; an invalid or outdated cursor gives the first page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import DateTimeField, F, Field, Model, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from django.http import QueryDict

from erpbridge.ui.page_params import words

M = TypeVar("M", bound=Model)
SIZES = (25, 50, 100, 150)
DEFAULT_SIZE = 50
COUNT_CAP = 1000
SALT = "erpbridge.ui.listing"


@dataclass(frozen=True)
class Count:
    """The number of matching rows, exact up to the cap."""

    number: int
    capped: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}+" if self.capped else f"{self.number:,}"


def capped_count(queryset: QuerySet[Model], *, cap: int = COUNT_CAP) -> Count:
    """Count without reading more than ``cap`` + 1 rows."""
    # Unordered and of ids alone, so that the database can stop at any rows and computes nothing.
    number = queryset.order_by().values("pk")[: cap + 1].count()
    return Count(min(number, cap), capped=number > cap)


@dataclass(frozen=True)
class Token:
    """An active filter: its label and the link that removes it."""

    label: str
    href: str


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page of a list, with what a template needs to link to the others."""

    rows: list[M]
    params: QueryDict  # active search, filters, sort and size; never a cursor
    sort: str
    descending: bool
    size: int
    search: str
    count: Count
    next: str = ""
    previous: str = ""
    here: str = ""  # the query string of this page, with its cursor
    sizes: tuple[int, ...] = SIZES

    def without(self, *names: str) -> str:
        """Return the query string without some parameters, starting with ``?``."""
        params = self.params.copy()
        for name in names:
            params.pop(name, None)
        return f"?{params.urlencode()}"

    def token(self, name: str, label: str) -> Token:
        """Return a filter token for the parameter ``name``."""
        return Token(label, self.without(name))

    @property
    def filter_query(self) -> str:
        """The query string without sort and size, which identifies "all that match"."""
        return self.without("sort", "size")[1:]

    @property
    def first_href(self) -> str:
        """The link to the first page of this list."""
        return self.without()

    @property
    def several(self) -> bool:
        """Whether there is more than this page."""
        return bool(self.next or self.previous)


def list_page(
    queryset: QuerySet[M],
    params: QueryDict,
    *,
    sorts: Mapping[str, str | Combinable],
    default: str = "",
    search: Callable[[QuerySet[M], str], QuerySet[M]] | None = None,
) -> Page[M]:
    """Return one page of ``queryset`` for the parameters q, sort, size, after and before.

    ``sorts`` maps the word in the URL to a field path or expression that is never NULL (wrap it in
    ``Coalesce``); the id breaks ties. ``default`` is the default sort, with ``-`` in front for
    descending.
    """
    order = _Order.asked_for(params.get("sort", ""), sorts, default or next(iter(sorts)))
    text = params.get("size", "")
    size = int(text) if text in {str(size) for size in SIZES} else DEFAULT_SIZE
    query = words(params)
    if search and query:
        queryset = search(queryset, query)
    rows, before, after = _cut(order.apply(queryset), params, order=order, size=size)
    return Page(
        rows=rows,
        params=_clean(params, query),
        sort=order.name,
        descending=order.descending,
        size=size,
        search=query,
        # A page without others is its own count.
        count=capped_count(queryset) if before or after else Count(len(rows)),
        here=f"?{params.urlencode()}" if params else "",
        next=order.cursor(rows[-1]) if after else "",
        previous=order.cursor(rows[0]) if before else "",
    )


def _clean(params: QueryDict, query: str) -> QueryDict:
    """Return the parameters for links: no cursor, nothing empty, the search as used."""
    clean = QueryDict(mutable=True)
    for name, values in params.lists():
        present = [value for value in values if value]
        if present and name not in ("after", "before", "q"):
            clean.setlist(name, present)
    if query:
        clean["q"] = query
    return clean


@dataclass(frozen=True)
class _Order:
    name: str
    key: str | Combinable
    descending: bool

    @classmethod
    def asked_for(
        cls, requested: str, sorts: Mapping[str, str | Combinable], default: str
    ) -> _Order:
        if requested.removeprefix("-") not in sorts:
            requested = default
        name = requested.removeprefix("-")
        return cls(name, sorts[name], descending=requested.startswith("-"))

    def apply(self, queryset: QuerySet[M]) -> QuerySet[M]:
        key = F(self.key) if isinstance(self.key, str) else self.key
        keyed: QuerySet[M] = queryset.annotate(listing_key=key)  # type: ignore[assignment]
        if connections[queryset.db].vendor == "sqlite" and isinstance(_field(keyed), DateTimeField):
            # SQLite compares times as text, and one time has several spellings (".5", ".500000"),
            # so the cursor has to have the stored text.
            keyed = keyed.annotate(  # type: ignore[assignment]
                listing_stored=Cast("listing_key", TextField())
            )
        return keyed

    @property
    def spec(self) -> str:
        return f"-{self.name}" if self.descending else self.name

    def cursor(self, row: Model) -> str:
        """Return the signed sort key and id of a row.

        :raises ValueError: for a NULL key, which no comparison would match.
        """
        key = row.listing_key  # type: ignore[attr-defined]
        if key is None:
            raise ValueError(f"Sort {self.name!r} has a NULL key; wrap it in Coalesce.")
        key = getattr(row, "listing_stored", key)
        return signing.dumps([self.spec, _plain(key), _plain(row.pk)], salt=SALT)

    def position(self, queryset: QuerySet[M], cursor: str) -> tuple[object, object] | None:
        """Return the key and id of a cursor; None if it is invalid or of another sort."""
        try:
            spec, key, pk = signing.loads(cursor, salt=SALT)
            if spec != self.spec:
                return None
            if "listing_stored" in queryset.query.annotations:
                edge: object = Value(key, output_field=TextField())
            else:
                edge = _field(queryset).to_python(key)
            return edge, queryset.model._meta.pk.to_python(pk)
        except (signing.BadSignature, ValidationError, ValueError, TypeError):
            return None


def _field(queryset: QuerySet[Any]) -> Field[Any, Any]:
    """Return the field of the sort key."""
    field: Field[Any, Any] = queryset.query.annotations["listing_key"].output_field
    return field


def _plain(value: object) -> object:
    """Return a JSON value that the field's ``to_python`` converts back without loss."""
    return value if isinstance(value, (str, int)) else str(value)


def _cut(
    queryset: QuerySet[M], params: QueryDict, *, order: _Order, size: int
) -> tuple[list[M], bool, bool]:
    """Return the rows, and whether there are rows before and after them."""
    if position := order.position(queryset, params.get("after", "")):
        rows = _read(queryset, position, size=size, descending=order.descending)
        # What came after the cursor may have been deleted meanwhile.
        if rows:
            return rows[:size], True, len(rows) > size
    elif position := order.position(queryset, params.get("before", "")):
        rows = _read(queryset, position, size=size, descending=not order.descending)
        # With less than a page before the cursor, the first page is shown, which is full.
        if len(rows) > size:
            return rows[:size][::-1], True, True
    rows = _read(queryset, None, size=size, descending=order.descending)
    return rows[:size], False, len(rows) > size


def _read(
    queryset: QuerySet[M], position: tuple[object, object] | None, *, size: int, descending: bool
) -> list[M]:
    """Return up to one row more than a page, from ``position`` in the given direction."""
    sign, comparison = ("-", "lt") if descending else ("", "gt")
    if position:
        key, pk = position
        # The first condition bounds the index scan; the OR alone would not.
        beyond = Q(**{f"listing_key__{comparison}": key}) | Q(**{f"pk__{comparison}": pk})
        queryset = queryset.filter(Q(**{f"listing_key__{comparison}e": key}) & beyond)
    return list(queryset.order_by(f"{sign}listing_key", f"{sign}pk")[: size + 1])
