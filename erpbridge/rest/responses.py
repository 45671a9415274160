"""JSON responses: one serializer for values, one body for every error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from django.http import HttpRequest, HttpResponse

# Times end in Z and have no fraction (docs/design/procore-rest-conventions.md, "Formats").
OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_NON_STR_KEYS
Errors = str | list[str] | Mapping[str, list[str]]


class JsonAnswer(HttpResponse):
    """A JSON response; the value None makes a response without a body."""

    def __init__(self, value: object, status: int = 200, *, media_type: str = "") -> None:
        body = b"" if value is None else dumps(value)
        super().__init__(body, status=status, content_type=media_type or "application/json")
        if value is None:
            del self["Content-Type"]


def dumps(value: object) -> bytes:
    """Serialize a value as JSON; decimals and similar types become text."""
    return orjson.dumps(value, option=OPTIONS, default=str)


def etag(body: bytes) -> str:
    """Return a strong ETag of these bytes."""
    # Of the bytes, so that the same view of the same state has the same tag in every process.
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def error_answer(
    request: HttpRequest, status: int, errors: Errors, message: str = ""
) -> JsonAnswer:
    """Return an error response in the format of the route's version and of ``Accept``.

    v1 clients read ``errors``, ``message`` or ``code``; v2 wraps everything in ``error``; with
    ``Accept: application/problem+json`` the fields of RFC 9457 are added.
    """
    message = message or _first_message(errors) or HTTPStatus(status).phrase
    body: dict[str, object] = {"errors": errors, "message": message, "code": status}
    if request.path.startswith("/rest/v2"):
        body = {"error": _v2_error(status, errors, message)}
    if "application/problem+json" not in request.headers.get("Accept", ""):
        return JsonAnswer(body, status)
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": request.path,
    }
    return JsonAnswer(problem | body, status, media_type="application/problem+json")


def _first_message(errors: Errors) -> str:
    """Return the first message, with its field, as one line for people."""
    if isinstance(errors, str):
        return errors
    if isinstance(errors, Mapping):
        for field, messages in errors.items():
            if messages:
                return messages[0] if field == "base" else f"{field}: {messages[0]}"
        return ""
    return errors[0] if errors else ""


def _v2_error(status: int, errors: Errors, message: str) -> dict[str, object]:
    fields = errors if isinstance(errors, Mapping) else {"base": [message]}
    details = [
        {"reason_code": "invalid", "message": text, "source": field}
        for field, texts in fields.items()
        for text in texts
    ]
    code = HTTPStatus(status).name
    return {"code": code, "message": message, "details": details}
