"""Authentication of REST calls by access token."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from erpbridge.access.models import User
from erpbridge.oauth import tokens
from erpbridge.oauth.models import Token
from erpbridge.rest.authentication import CHALLENGE, INVALID_TOKEN


class Bearer(BaseAuthentication):
    """``Authorization: Bearer <access token>``; ``request.auth`` is the token's row."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Return the token's user and row; None without an ``Authorization`` header.

        :raises AuthenticationFailed: for anything but a valid access token.
        """
        parts = get_authorization_header(request).split()
        if not parts:
            return None
        if len(parts) != 2 or parts[0].lower() != b"bearer":
            raise AuthenticationFailed(INVALID_TOKEN)
        # latin-1 decodes any byte; an invalid token is simply not found.
        token = tokens.read(parts[1].decode("latin-1"))
        if token is None:
            raise AuthenticationFailed(INVALID_TOKEN)
        tokens.used(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge, which makes a missing token a 401 instead of a 403."""
        return CHALLENGE
