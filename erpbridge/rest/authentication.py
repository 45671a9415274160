"""Who calls: what the authentication class of the settings has read from the request."""

from __future__ import annotations

from typing import Any, Protocol, cast

from rest_framework.request import Request

from erpbridge.access.models import User

INVALID_TOKEN = "The access token is invalid"  # noqa: S105 - a message
CHALLENGE = 'Bearer realm="erpbridge"'


class Application(Protocol):
    """The program behind a call, as far as the conventions of the API need to know it."""

    pk: int
    account_id: int


def person_of(request: Request) -> User:
    """Whom an authenticated call acts for."""
    return cast(User, request.user)


def application_of(request: Request) -> Application:
    """The program behind an authenticated call."""
    return cast(Application, cast(Any, request.auth).application)
