"""Time zones: of a person, else of the account, else of the installation; pages show times in them.

Programs get times in UTC whatever is chosen here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

# Names that other zones have too, or that mean no place.
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
    """The zones that can be chosen, in alphabetical order; UTC first."""
    places = {one for one in available_timezones() if "/" in one and not one.startswith(NO_PLACES)}
    return ("UTC", *sorted(places))


def choices(otherwise: str) -> list[tuple[str, str]]:
    """For a form; ``otherwise`` says what holds where nothing is chosen."""
    return [("", otherwise), *((one, one.replace("_", " ")) for one in names())]


def check(name: str) -> None:
    """:raises ValidationError: for what is no zone."""
    if name not in available_timezones():
        raise ValidationError("Choose a time zone such as America/Chicago from the list.")


def first_of(*chosen: str) -> ZoneInfo:
    """The first that was chosen and that this machine knows."""
    known = (one for one in chosen if one and one in available_timezones())
    return ZoneInfo(next(known, settings.TIME_ZONE))


class ZoneMiddleware:
    """Each page begins in the zone of the person; a page of an account goes on in that account's
    where the person has chosen none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """What is answered is rendered before the zone ends."""
        chosen = "" if _is_for_programs(request) else getattr(request.user, "time_zone", "")
        with timezone.override(first_of(chosen)):
            return self.get_response(request)


def _is_for_programs(request: HttpRequest) -> bool:
    """Without a session nobody is signed in, and nobody has to be looked up."""
    return settings.SESSION_COOKIE_NAME not in request.COOKIES or request.path.startswith("/rest/")
