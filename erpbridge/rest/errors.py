"""API errors, and the response to each exception."""

from __future__ import annotations

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    ValidationError,
)
from django.http import Http404, HttpRequest
from rest_framework import exceptions as drf

from erpbridge.db.busy import trouble_of
from erpbridge.rest.authentication import CHALLENGE
from erpbridge.rest.responses import Errors, JsonAnswer, error_answer

NOT_FOUND = "Not found."
FORBIDDEN = "You do not have permission to do this."
UNREADABLE = "The request cannot be read."
# Exceptions that Django raises before or outside a view.
PLAIN: dict[type[Exception], tuple[int, str]] = {
    Http404: (404, NOT_FOUND),
    RequestDataTooBig: (413, "The request body is too large."),
    BadRequest: (400, UNREADABLE),
    SuspiciousOperation: (400, UNREADABLE),
    TooManyFieldsSent: (400, UNREADABLE),
}


class ApiError(Exception):
    """An error response, with its status and the value of ``errors``."""

    def __init__(self, status: int, errors: Errors, message: str = "") -> None:
        self.status, self.errors, self.message = status, errors, message
        super().__init__(message or str(errors))


class Malformed(ApiError):
    """400: the request itself is invalid, independent of the stored data."""

    errors: dict[str, list[str]]

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(400, errors)


class Invalid(ApiError):
    """422: a validation rule failed. ``{field: [messages]}``; ``base`` is for the whole record."""

    errors: dict[str, list[str]]

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(422, errors)


def by_field(error: ValidationError) -> dict[str, list[str]]:
    """Return a validation error as ``{field: [messages]}``; non-field errors are under ``base``."""
    if not hasattr(error, "error_dict"):
        return {"base": list(error.messages)}
    messages = error.message_dict
    return {"base" if name == NON_FIELD_ERRORS else name: messages[name] for name in messages}


def answer_to(request: HttpRequest, error: Exception) -> JsonAnswer | None:
    """Return the response to an exception, or None if it is a bug on our side."""
    if isinstance(error, drf.APIException):
        return _drf_response(request, error)
    if trouble := trouble_of(error):
        response = error_answer(request, 503, trouble.text)
        response["Retry-After"] = str(trouble.retry_after)
        return response
    details = _details_of(error)
    return error_answer(request, *details) if details else None


def _details_of(error: Exception) -> tuple[int, Errors, str] | None:
    """Return status, errors and message of an exception, or None if it is unknown."""
    if isinstance(error, ApiError):
        return error.status, error.errors, error.message
    if isinstance(error, ValidationError):
        return 422, by_field(error), ""
    if isinstance(error, PermissionDenied):
        return 403, [str(error) or FORBIDDEN], ""
    matches = (plain for types, plain in PLAIN.items() if isinstance(error, types))
    return next(((status, text, "") for status, text in matches), None)


def _drf_response(request: HttpRequest, error: drf.APIException) -> JsonAnswer:
    detail: object = error.detail
    text = detail if isinstance(detail, str) else UNREADABLE
    response = error_answer(request, error.status_code, str(text))
    # RFC 9110 requires it with this status.
    if error.status_code == 401:
        response["WWW-Authenticate"] = CHALLENGE
    return response
