"""Time zones of pages: the person's, else the account's, else the installation's.

The API always returns times in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

# Aliases of other zones, and zones that are not a place.
NO_PLACES = (
    "Etc/",
    "SystemV/",
    "US/",
    "Canada/",
    "Brazil/",
    "Chile/",
    "Mexico/",
    "posix/",
    "right/",
)


@cache
def names() -> tuple[str, ...]:
    """Return the zones that can be chosen, in alphabetical order, UTC first."""
    places = {
        zone for zone in available_timezones() if "/" in zone and not zone.startswith(NO_PLACES)
    }
    return ("UTC", *sorted(places))


def choices(otherwise: str) -> list[tuple[str, str]]:
    """Return form choices; ``otherwise`` is the label of "no choice"."""
    return [("", otherwise), *((zone, zone.replace("_", " ")) for zone in names())]


def check(name: str) -> None:
    """Validate the name of a time zone.

    :raises ValidationError: when the name is not a time zone.
    """
    if name not in available_timezones():
        raise ValidationError("Choose a time zone such as America/Chicago from the list.")


def first_of(*chosen: str) -> ZoneInfo:
    """Return the first chosen zone that this machine knows, else the installation's."""
    # A stored zone may be unknown to this machine, whose list is another one than that of the form.
    names_known = (name for name in chosen if name and name in available_timezones())
    return ZoneInfo(next(names_known, settings.TIME_ZONE))


class ZoneMiddleware:
    """Activate the person's time zone for each page.

    On pages of an account, :func:`erpbridge.access.scoping.scoped` switches to the account's zone
    if the person has chosen none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Render the response inside the override, before the zone is reset."""
        chosen = "" if _is_for_programs(request) else getattr(request.user, "time_zone", "")
        # override() restores the zone for the thread's next request.
        with timezone.override(first_of(chosen)):
            return self.get_response(request)


def _is_for_programs(request: HttpRequest) -> bool:
    """Whether the request needs no session; this avoids loading the user for API calls."""
    return settings.SESSION_COOKIE_NAME not in request.COOKIES or request.path.startswith("/rest/")
