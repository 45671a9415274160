"""One id per request, for the response header, log lines and audit events."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from erpbridge.request_id import acting_for, current_request_id

# Limits what a caller can write into the log.
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Uses the caller's ``X-Request-Id`` if it is well-formed, else generates one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the response with the id in its header."""
        offered = request.headers.get("X-Request-Id", "")
        request_id = offered if ACCEPTABLE.fullmatch(offered) else uuid.uuid4().hex
        with acting_for(request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Adds ``request_id`` to every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; never drops a record."""
        record.request_id = current_request_id() or "-"
        return True
