"""Middleware for ``/rest``, ``/oauth`` and ``/vapid``: JSON responses, CORS, rate limit headers.

It also covers responses that no API view produces: unknown routes, bodies that are too large,
errors of other middleware.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from erpbridge.rest import throttles
from erpbridge.rest.errors import NOT_FOUND, answer_to
from erpbridge.rest.responses import error_answer

logger = logging.getLogger(__name__)
PREFIXES = ("/rest", "/oauth", "/vapid")
# Under the same prefixes, but HTML pages for people.
PAGES = ("/oauth/authorize", "/rest/docs")
METHODS = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"
ALLOWED_HEADERS = (
    "Accept, Accept-Language, Authorization, Content-Type, Idempotency-Key, Idempotency-Token, "
    "If-Match, If-None-Match, Procore-Company-Id, Procore-Sdk-Language, Procore-Sdk-Version, "
    "X-Request-Id"
)
EXPOSED_HEADERS = (
    "Deprecation, ETag, Idempotency-Replayed, Link, Per-Page, Retry-After, Total, "
    "X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Reset, X-Request-Id"
)
MESSAGES = {
    404: NOT_FOUND,
    411: "Send the length of the body (Content-Length).",
    413: "The request body is too large.",
}
VAPID = "The /vapid routes are gone. The same resources are at /rest/v1.0."


def is_api(path: str) -> bool:
    """Whether the path belongs to the API."""
    path = path.rstrip("/")
    if path in PAGES:
        return False
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


class RestMiddleware:
    """Give every API response the JSON body and the headers that API clients expect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle the request; a trailing slash is ignored."""
        request.path_info = _without_slash(request.path_info)
        if not is_api(request.path_info):
            return self.get_response(request)
        request.path = _without_slash(request.path)
        if request.method == "OPTIONS":
            # A CORS preflight request, which browsers send without credentials.
            response = HttpResponse(status=204)
        else:
            response = self._as_json(request, self.get_response(request))
        _allow_origin(request, response)
        # Callers that are not counted get the headers of an unused window.
        for name, value in throttles.untouched().headers().items():
            response.headers.setdefault(name, value)
        if response.status_code in (429, 503) and "Retry-After" not in response:
            response["Retry-After"] = str(_seconds_left(response))
        return response

    def _as_json(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Return a JSON response as it is; replace an HTML error page."""
        status = response.status_code
        if status < 400 or "json" in response.get("Content-Type", ""):
            return response
        message = VAPID if request.path.startswith("/vapid") else MESSAGES.get(status, "")
        error_response = error_answer(request, status, message or response.reason_phrase)
        if "Allow" in response:
            error_response["Allow"] = response["Allow"]
        return error_response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the response to an exception in a view outside the REST framework."""
        if not is_api(request.path_info):
            return None
        if (response := answer_to(request, error)) is not None and response.status_code == 503:
            return response
        # A 503 is expected under load and is not logged as an error.
        logger.error("API call failed: %s %s", request.method, request.path, exc_info=error)
        return error_answer(request, 500, "Something went wrong here.")


def _without_slash(path: str) -> str:
    if is_api(path) or path.rstrip("/") in PAGES:
        return path.rstrip("/") or "/"
    return path


def _allow_origin(request: HttpRequest, response: HttpResponse) -> None:
    """Allow calls from any web page: the API is authenticated by tokens, never by cookies."""
    origin = request.headers.get("Origin")
    # Also without an Origin, so that caches keep both kinds of response apart.
    patch_vary_headers(response, ["Origin"])
    if not origin:
        return
    # Not "*", which browsers reject together with credentials.
    response["Access-Control-Allow-Origin"] = origin
    response["Access-Control-Allow-Credentials"] = "true"
    response["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    if request.method == "OPTIONS":
        response["Access-Control-Allow-Methods"] = METHODS
        response["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response["Access-Control-Max-Age"] = "86400"


def _seconds_left(response: HttpResponse) -> int:
    return max(1, int(response["X-Rate-Limit-Reset"]) - int(time.time()))
