"""Clicks on many rows: what is said when none is ticked, and the question before very many."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

NOTHING_TICKED = "Nothing was done. Tick at least one row first."
# A click that sends or accepts more rows than this is asked about, with their number.
MOST_UNASKED = 50


def must_ask(request: HttpRequest, count: int) -> bool:
    """Whether a click that sends or accepts ``count`` rows has to be confirmed first."""
    return count > MOST_UNASKED and not request.POST.get("confirm")


def ask(
    request: HttpRequest,
    question: str,
    *,
    what: list[str],
    confirm: str,
    back: str,
    keep: Iterable[str],
    ids: Iterable[int] = (),
) -> HttpResponse:
    """The question; confirmed, the click comes again with the posted fields of ``keep``.

    :param ids: the rows that were counted, in place of "all that match", which may be others by
        the time of the answer.
    """
    hidden = [(name, value) for name in keep for value in request.POST.getlist(name)]
    context = {
        "question": question,
        "what": what,
        "confirm": confirm,
        "cancel_href": back,
        "hidden": [*hidden, *(("ids", pk) for pk in ids)],
    }
    return render(request, "parts/confirm.html", context)
