"""What can go wrong in an API call, and the answer to each."""

from __future__ import annotations

from typing import Any

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
# What Django raises before or beside a view.
PLAIN: dict[type[Exception], tuple[int, str]] = {
    Http404: (404, NOT_FOUND),
    RequestDataTooBig: (413, "The request body is too large."),
    BadRequest: (400, UNREADABLE),
    SuspiciousOperation: (400, UNREADABLE),
    TooManyFieldsSent: (400, UNREADABLE),
}


class ApiError(Exception):
    """An answer other than success, with its status and what ``errors`` is to hold."""

    def __init__(self, status: int, errors: Errors, message: str = "") -> None:
        self.status, self.errors, self.message = status, errors, message
        super().__init__(message or str(errors))


class Malformed(ApiError):
    """400: the request itself is wrong, whatever the data."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(400, errors)


class Invalid(ApiError):
    """422: understood, and against a rule. ``{field: [messages]}``, ``base`` for the whole."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(422, errors)


def by_field(error: ValidationError) -> dict[str, list[str]]:
    """A validation error as ``{field: [messages]}``; what belongs to no field is ``base``."""
    if not hasattr(error, "error_dict"):
        return {"base": list(error.messages)}
    found = error.message_dict
    return {"base" if name == NON_FIELD_ERRORS else name: found[name] for name in found}


def answer_to(request: HttpRequest, error: Exception) -> JsonAnswer | None:
    """The answer to an exception; None for one that is a fault of ours."""
    if isinstance(error, drf.APIException):
        return _of_drf(request, error)
    if trouble := trouble_of(error):
        answer = error_answer(request, 503, trouble.text)
        answer["Retry-After"] = str(trouble.retry_after)
        return answer
    told = _told(error)
    return error_answer(request, *told) if told else None


def _told(error: Exception) -> tuple[int, Errors, str] | None:
    """Status, errors and message."""
    if isinstance(error, ApiError):
        return error.status, error.errors, error.message
    if isinstance(error, ValidationError):
        return 422, by_field(error), ""
    if isinstance(error, PermissionDenied):
        return 403, [str(error) or FORBIDDEN], ""
    found = (plain for kinds, plain in PLAIN.items() if isinstance(error, kinds))
    return next(((status, text, "") for status, text in found), None)


def _of_drf(request: HttpRequest, error: drf.APIException) -> JsonAnswer:
    detail: Any = error.detail
    text = detail if isinstance(detail, str) else UNREADABLE
    answer = error_answer(request, error.status_code, str(text))
    if error.status_code == 401:
        answer["WWW-Authenticate"] = CHALLENGE
    return answer
