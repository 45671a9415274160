"""Lock-out after wrong passwords, counted per login name and per address.

django-axes counts in the database, so that all processes share the counts and losing Redis changes
nothing. It locks by name. Addresses have a separate, higher limit: with the limit of a name, a few
typing errors would lock out a whole office.
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
    """Locks an address as well, whatever login names it tried."""

    def is_locked(self, request: Any, credentials: object = None) -> bool:
        """Whether the name or the address is locked; called before a password is checked."""
        # Read by locked_out(), to say what is locked.
        request.address_is_locked = (
            _address_failures(request) >= settings.ERPBRIDGE_FAILURES_PER_ADDRESS
        )
        return request.address_is_locked or bool(super().is_locked(request, credentials))

    def user_login_failed(
        self, sender: object, credentials: object, request: Any = None, **kwargs: object
    ) -> None:
        """Count a failure, unless the address is locked: it could lock everybody's name."""
        if getattr(request, "address_is_locked", False):
            # What axes reads to show the page of a locked login.
            request.axes_locked_out = True
            return
        super().user_login_failed(sender, credentials, request, **kwargs)


def _address_failures(request: Any) -> int:
    """Return the recent failures of the address; 0 if it is unknown and could be anybody's."""
    if request.axes_ip_address is None:
        return 0
    recent_attempts = AccessAttempt.objects.filter(
        ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
    )
    return recent_attempts.aggregate(Sum("failures_since_start"))["failures_since_start__sum"] or 0


def locked_out(
    request: HttpRequest, _answer: object = None, _credentials: object = None
) -> HttpResponse:
    """Return the page that says what is locked and for how long."""
    seconds = int(get_cool_off(request).total_seconds())
    address = getattr(request, "address_is_locked", False)
    typed = carried(request)
    page = _page(address, seconds // 60, typed) if typed else _bare_page(address, seconds // 60)
    return HttpResponse(page, status=429, headers={"Retry-After": str(seconds)})


@cache
def _bare_page(address: bool, minutes: int) -> str:
    """Render the page once and without the request, because attackers request it all the time."""
    return _page(address, minutes, ())


def _page(address: bool, minutes: int, typed: tuple[tuple[str, str], ...]) -> str:
    context = {"address": address, "minutes": minutes, "most": settings.AXES_FAILURE_LIMIT}
    return render_to_string("access/locked_out.html", context | {"carried": typed})
