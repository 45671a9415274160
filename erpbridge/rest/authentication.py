"""The caller of a request, as the authentication class of the settings determined it."""

from __future__ import annotations

from typing import Any, Protocol, cast

from rest_framework.request import Request

from erpbridge.access.models import User

INVALID_TOKEN = "The access token is invalid"  # noqa: S105 - a message
CHALLENGE = 'Bearer realm="erpbridge"'


class Application(Protocol):
    """The API client behind a call, as far as the REST package needs to know it."""

    pk: int
    account_id: int


def person_of(request: Request) -> User:
    """Return the user an authenticated call acts for."""
    return cast(User, request.user)


def application_of(request: Request) -> Application:
    """Return the API client behind an authenticated call."""
    return cast(Application, cast(Any, request.auth).application)
