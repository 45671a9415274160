"""Wrong passwords: counted per login name and per address, and stopped for a while.

django-axes counts in the database, so that all processes count together and a Redis that is away
changes nothing. It locks by name; with one limit for both, a few mistyped passwords would lock a
whole office, so the address has a limit of its own here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from erpbridge.ui.resent_form import carried


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # axes ships no types
    """Locks an address too, whatever names it tried."""

    def is_locked(self, request: Any, credentials: Any = None) -> bool:
        """Asked before a password is looked at."""
        request.address_is_locked = _failures_of(request) >= settings.ERPBRIDGE_FAILURES_PER_ADDRESS
        return request.address_is_locked or bool(super().is_locked(request, credentials))

    def user_login_failed(
        self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any
    ) -> None:
        """From a locked address nothing is counted: it could lock everybody's name otherwise."""
        if getattr(request, "address_is_locked", False):
            request.axes_locked_out = True
            return
        super().user_login_failed(sender, credentials, request, **kwargs)


def _failures_of(request: Any) -> int:
    """Of the address; none where it is not known, as then it could be anybody's."""
    if request.axes_ip_address is None:
        return 0
    lately = AccessAttempt.objects.filter(
        ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
    )
    return lately.aggregate(Sum("failures_since_start"))["failures_since_start__sum"] or 0


def locked_out(request: HttpRequest, _answer: Any = None, _credentials: Any = None) -> HttpResponse:
    """Says what is locked, and for how long."""
    seconds = int(get_cool_off(request).total_seconds())
    address = getattr(request, "address_is_locked", False)
    typed = carried(request)
    page = _page(address, seconds // 60, typed) if typed else _bare_page(address, seconds // 60)
    return HttpResponse(page, status=429, headers={"Retry-After": str(seconds)})


@cache
def _bare_page(address: bool, minutes: int) -> str:
    """Made once, and without the request: whoever guesses asks for it all the time."""
    return _page(address, minutes, ())


def _page(address: bool, minutes: int, typed: tuple[tuple[str, str], ...]) -> str:
    context = {"address": address, "minutes": minutes, "most": settings.AXES_FAILURE_LIMIT}
    return render_to_string("access/locked_out.html", context | {"carried": typed})
