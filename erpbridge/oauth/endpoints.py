"""``/oauth/token``, ``/oauth/token/info`` and ``/oauth/revoke``: JSON endpoints for API clients.

Bodies may be JSON, forms or multipart, and clients may authenticate by HTTP Basic: Procore's own
clients and others differ in this (docs/design/procore-rest-conventions.md, "OAuth").
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import wraps
from urllib.parse import unquote_plus

import orjson
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from erpbridge.oauth import tokens
from erpbridge.oauth.models import Application
from erpbridge.oauth.tokens import ACCESS_SECONDS, IssuedTokens, Refused
from erpbridge.processes.client_address import client_network
from erpbridge.rest import throttles
from erpbridge.rest.responses import JsonAnswer

Endpoint = Callable[[HttpRequest], HttpResponse]
WRONG_CLIENT = "Client authentication failed: the client_id or the client_secret is wrong."


def endpoint(method: str) -> Callable[[Endpoint], Endpoint]:
    """Decorate a view without a session; errors are returned in the format of RFC 6749."""

    def decorate(view: Endpoint) -> Endpoint:
        # Clients authenticate in each request, without cookies, so there is nothing to forge.
        @csrf_exempt
        @login_not_required
        @wraps(view)
        def wrapper(request: HttpRequest) -> HttpResponse:
            if request.method != method:
                return HttpResponseNotAllowed([method])
            try:
                response = view(request)
            except Refused as refused:
                response = _refusal(refused)
            # RFC 6749, 5.1: responses with tokens must not be cached.
            response["Cache-Control"], response["Pragma"] = "no-store", "no-cache"
            return response

        return wrapper

    return decorate


def _refusal(refused: Refused) -> JsonAnswer:
    """Return the error, with ``errors`` and ``message`` as in all other API errors."""
    body = {
        "error": refused.error,
        "error_description": refused.description,
        "errors": refused.description,
        "message": refused.description,
        "code": refused.status,
    }
    response = JsonAnswer(body, refused.status)
    if refused.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="erpbridge"'
    return response


@endpoint("POST")
def token(request: HttpRequest) -> JsonAnswer:
    """Issue tokens for a code, a refresh token, or for a service account itself."""
    fields = _fields(request)
    application = _client(request, fields)
    grant = fields.get("grant_type", "")
    if not grant:
        raise Refused("invalid_request", "grant_type is missing.")
    if grant not in GRANTS:
        raise Refused("unsupported_grant_type", f"grant_type must be one of {', '.join(GRANTS)}.")
    return _token_response(GRANTS[grant](application, fields))


def _by_code(application: Application, fields: Mapping[str, str]) -> IssuedTokens:
    return tokens.redeem(
        application,
        _required(fields, "code"),
        redirect_uri=_required(fields, "redirect_uri"),
        verifier=fields.get("code_verifier", ""),
    )


def _by_refresh(application: Application, fields: Mapping[str, str]) -> IssuedTokens:
    return tokens.renew(application, _required(fields, "refresh_token"))


def _by_itself(application: Application, _fields: Mapping[str, str]) -> IssuedTokens:
    if application.service is None:
        message = "This application acts for people; use a service account."
        raise Refused("unauthorized_client", message)
    # It can ask again with its secret, so it gets no refresh token (RFC 6749, 4.4.3).
    return tokens.issue(application, application.service.user, refresh=False)


GRANTS: dict[str, Callable[[Application, Mapping[str, str]], IssuedTokens]] = {
    "authorization_code": _by_code,
    "refresh_token": _by_refresh,
    "client_credentials": _by_itself,
}


def _token_response(issued: IssuedTokens) -> JsonAnswer:
    body: dict[str, object] = {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "created_at": int(issued.created_at.timestamp()),
    }
    if issued.refresh:
        body["refresh_token"] = issued.refresh
    return JsonAnswer(body)


@endpoint("GET")
def info(request: HttpRequest) -> JsonAnswer:
    """Return who the token acts for, and how long it is valid."""
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    row = tokens.read(secret.strip()) if scheme.lower() == "bearer" else None
    if row is None:
        raise Refused("invalid_token", "The access token is invalid", 401)
    remaining = row.expires_at - timezone.now()
    return JsonAnswer(
        {
            "resource_owner_id": row.user_id,
            "scopes": [],
            "expires_in_seconds": max(0, int(remaining.total_seconds())),
            "application": {"uid": row.application.uid},
            "created_at": int(row.created_at.timestamp()),
        }
    )


@endpoint("POST")
def revoke(request: HttpRequest) -> JsonAnswer:
    """End a token and all tokens of its grant; also 200 for an unknown token (RFC 7009).

    Whoever has a token may end it, so client credentials are optional; wrong ones are still an
    error.
    """
    fields = _fields(request)
    authenticates = fields.get("client_secret") or request.headers.get(
        "Authorization", ""
    ).startswith("Basic ")
    application = _client(request, fields) if authenticates else None
    tokens.revoke(fields.get("token", ""), application=application)
    return JsonAnswer({})


def _fields(request: HttpRequest) -> dict[str, str]:
    """Return the text fields of a JSON, form or multipart body."""
    if request.content_type == "application/json":
        try:
            body = orjson.loads(request.body or b"{}")
        except orjson.JSONDecodeError as error:
            raise Refused("invalid_request", f"The body is not JSON: {error}") from None
        if not isinstance(body, dict):
            raise Refused("invalid_request", "The body must be a JSON object.")
        # What is not text cannot be a secret or a code, and is treated as missing.
        return {name: value for name, value in body.items() if isinstance(value, str)}
    return {name: value for name, value in request.POST.items() if isinstance(value, str)}


def _required(fields: Mapping[str, str], name: str) -> str:
    if not fields.get(name):
        raise Refused("invalid_request", f"{name} is missing.")
    return fields[name]


def _client(request: HttpRequest, fields: Mapping[str, str]) -> Application:
    """Return the application that authenticates with its secret.

    :raises Refused: 401 for a wrong secret, 429 for too many of them.
    """
    uid, secret = _credentials(request, fields)
    applications = (
        Application.objects.filter(uid=uid, deleted_at=None) if "\x00" not in uid else None
    )
    application = (
        applications.select_related("service__user").first() if applications is not None else None
    )
    # Also compared for an unknown client, so that both cases take the same time.
    stored = application.secret_digest if application else "0" * 64
    if constant_time_compare(stored, tokens.digest(secret)) and application is not None:
        return application
    # Only wrong secrets count: nobody who guesses can lock the application itself out.
    if throttles.wrong_secret(uid, client_network(request) or ""):
        message = "Too many wrong client secrets. Wait a quarter of an hour."
        raise Refused("invalid_client", message, 429)
    raise Refused("invalid_client", WRONG_CLIENT, 401)


def _credentials(request: HttpRequest, fields: Mapping[str, str]) -> tuple[str, str]:
    scheme, _space, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return fields.get("client_id", ""), fields.get("client_secret", "")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Refused("invalid_client", WRONG_CLIENT, 401) from None
    uid, _colon, secret = text.partition(":")
    # RFC 6749, 2.3.1: both parts are form-encoded in the Basic credentials.
    return unquote_plus(uid), unquote_plus(secret)
