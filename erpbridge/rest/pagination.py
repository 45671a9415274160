"""Lists: filters, order, pages, and the headers that link to the other pages.

The ids of a page are read first, from an index alone, and only then the rows, so that a late page
costs no more than its ids. ``Total`` is an exact count of the filtered ids; a first page that shows
them all has counted them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db.models import F, Model, QuerySet
from django.db.models.expressions import Expression, OrderBy
from rest_framework.request import Request

from erpbridge.rest.errors import Malformed
from erpbridge.rest.requests import filters
from erpbridge.rest.requests.filters import Filter
from erpbridge.rest.requests.parameters import filters_of, whole_number
from erpbridge.rest.responses import JsonAnswer

PER_PAGE = 100
# Turns ids into one JSON object each, in a fixed number of queries.
Shape = Callable[[Sequence[int]], Mapping[int, object]]
Sorts = Mapping[str, str | Expression]
USUAL_SORTS: Sorts = {"id": "pk"}
USUAL_FILTERS: dict[str, Filter] = {"include_deleted": filters.include_deleted}


@dataclass(frozen=True)
class Listing:
    """The filters, sort keys and page size of one list."""

    filters: dict[str, Filter] = field(default_factory=dict)
    sorts: Sorts = field(default_factory=lambda: USUAL_SORTS)
    default_sort: str = "id"
    # None: the setting ERPBRIDGE_REST_MOST_PER_PAGE applies.
    most_per_page: int | None = None
    paged: bool = True

    def page(self, request: Request, queryset: QuerySet[Model], shape: Shape) -> JsonAnswer:
        """Return the requested page as a JSON array, with ``Total``, ``Per-Page`` and ``Link``.

        :raises Malformed: for an invalid page, filter value or sort.
        """
        query = request.query_params
        pairs = [(name, value) for name, values in query.lists() for value in values]
        queryset = filters.apply(queryset, filters_of(pairs), USUAL_FILTERS | self.filters)
        number = whole_number(query.get("page") or 1, "page")
        ordered = queryset.order_by(*self._order(query.get("sort") or ""))
        ordered_ids = ordered.values_list("pk", flat=True)
        if self.paged:
            size = self._size(query.get("per_page") or "")
            ids, total = _page_of(ordered_ids, number, size)
        else:
            # One page of all rows.
            ids = list(ordered_ids)
            number, size, total = 1, max(len(ids), 1), len(ids)
        objects = shape(ids) if ids else {}
        # A row may have been deleted between the two queries.
        response = JsonAnswer([objects[pk] for pk in ids if pk in objects])
        response["Total"], response["Per-Page"] = str(total), str(size)
        links = _links(request, pairs, number=number, size=size, total=total)
        if links:
            response["Link"] = links
        return response

    def _size(self, text: str) -> int:
        most = self.most_per_page or settings.ERPBRIDGE_REST_MOST_PER_PAGE
        return min(whole_number(text, "per_page"), most) if text else min(PER_PAGE, most)

    def _order(self, text: str) -> list[OrderBy]:
        """Return the requested sort order."""
        terms = [term.strip() for term in text.split(",") if term.strip()] or [self.default_sort]
        order = []
        for term in terms:
            name = term.removeprefix("-")
            if name not in self.sorts:
                valid = ", ".join(sorted(self.sorts))
                raise Malformed({"sort": [f"“{name[:50]}” is not one of: {valid}"]})
            key = self.sorts[name]
            expression = F(key) if isinstance(key, str) else key
            descending = term.startswith("-")
            order.append(expression.desc() if descending else expression.asc())
        # The id comes last, so that the order is total and paging never skips a row.
        return [*order, F("pk").asc()]


def _page_of(ordered_ids: QuerySet[Model, int], number: int, size: int) -> tuple[list[int], int]:
    """Return the ids of a page, and how many ids there are."""
    start = (number - 1) * size
    if start == 0:
        # One more than shown says whether there are more.
        ids = list(ordered_ids[: size + 1])
        if len(ids) <= size:
            return ids, len(ids)
        return ids[:size], ordered_ids.order_by().count()
    total = ordered_ids.order_by().count()
    return (list(ordered_ids[start : start + size]) if start < total else []), total


def _links(
    request: Request, pairs: Sequence[tuple[str, str]], *, number: int, size: int, total: int
) -> str:
    """Return RFC 8288 links, joined and encoded the way Procore's own clients parse them."""
    last = max(1, -(-total // size))
    pages: dict[str, int] = {}
    if number > 1:
        pages |= {"first": 1, "prev": min(number - 1, last)}
    if number < last:
        pages |= {"last": last, "next": number + 1}
    other_pairs = [(name, value) for name, value in pairs if name not in ("page", "per_page")]
    base = request.build_absolute_uri(request.path)
    return ", ".join(
        f'<{base}?{_query([*other_pairs, ("page", page), ("per_page", size)])}>; rel="{rel}"'
        for rel, page in pages.items()
    )


def _query(pairs: Sequence[tuple[str, object]]) -> str:
    return urlencode(pairs, quote_via=quote, safe="")
