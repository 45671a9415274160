"""Middleware for ``/rest``, ``/oauth`` and ``/vapid``: JSON responses and rate limit headers.

It also covers responses that no API view produces: unknown routes, bodies that are too large,
errors of other middleware.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from erpbridge.rest import throttles
from erpbridge.rest.errors import NOT_FOUND, answer_to
from erpbridge.rest.responses import error_answer

logger = logging.getLogger(__name__)
PREFIXES = ("/rest", "/oauth", "/vapid")
# Under the same prefixes, but HTML pages for people.
PAGES = ("/oauth/authorize", "/rest/docs")
MESSAGES = {
    404: NOT_FOUND,
    411: "Send the length of the body (Content-Length).",
    413: "The request body is too large.",
}
VAPID = "The /vapid routes were removed. The same resources are at /rest/v1.0."


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
        # docs/design/procore-rest-conventions.md, "Habits of published clients".
        request.path_info = _without_slash(request.path_info)
        if not is_api(request.path_info):
            return self.get_response(request)
        request.path = _without_slash(request.path)
        if request.method == "OPTIONS":
            # Not a preflight request of a browser: CorsMiddleware has answered those.
            response = HttpResponse(status=204)
        else:
            response = self._as_json(request, self.get_response(request))
        # Callers that are not counted get the headers of an unused window.
        for name, value in throttles.untouched().headers().items():
            response.headers.setdefault(name, value)
        if response.status_code in (429, 503) and "Retry-After" not in response:
            seconds_left = int(response["X-Rate-Limit-Reset"]) - int(time.time())
            response["Retry-After"] = str(max(1, seconds_left))
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
