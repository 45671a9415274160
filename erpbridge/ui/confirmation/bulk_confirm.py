"""Bulk requests: the message when no row is ticked, and the question before very many rows."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

NOTHING_TICKED = "Nothing was done. Tick at least one row first."
# Bulk requests with more rows than this ask for confirmation and show the number.
MOST_UNASKED = 50


def must_ask(request: HttpRequest, count: int) -> bool:
    """Whether a bulk request on ``count`` rows needs a confirmation first."""
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
    """Render the question. Confirming it posts the fields of ``keep`` again.

    :param ids: the counted rows, sent in place of "all that match", which may be other rows by
        then.
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
