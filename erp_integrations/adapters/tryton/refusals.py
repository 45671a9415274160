"""Convert Tryton's error responses to errors of the adapter contract.

Tryton's own errors are JSON objects with a message, requested in English. Any other response comes
from the web server or a proxy; only its size and type are reported, because it may be a page of
another host that users of erpbridge must not read.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from erp_integrations.adapters.base import AdapterError, Effect, ErpError, ErrorClass
from erp_integrations.adapters.http import AWAY, Answer

BY_STATUS = {
    HTTPStatus.UNAUTHORIZED: ErrorClass.AUTH_EXPIRED,
    HTTPStatus.FORBIDDEN: ErrorClass.FORBIDDEN,
    HTTPStatus.NOT_FOUND: ErrorClass.MISSING_REF,
    HTTPStatus.CONFLICT: ErrorClass.CONFLICT,
    HTTPStatus.LOCKED: ErrorClass.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorClass.THROTTLED,
}
# The first match decides, so the more specific messages come first.
BY_MESSAGE = (
    (re.compile(r"code on party must be unique", re.I), ErrorClass.DUPLICATE, "vendor_id"),
    (re.compile(r"must be unique", re.I), ErrorClass.DUPLICATE, ""),
    (re.compile(r"Employer Identification Number", re.I), ErrorClass.INVALID, "entity_id"),
    (re.compile(r"not allowed|at least one of these rules", re.I), ErrorClass.FORBIDDEN, ""),
    (re.compile(r"according to its domain", re.I), ErrorClass.MISSING_REF, ""),
    (re.compile(r"don't exist|does not exist|doesn't exist", re.I), ErrorClass.MISSING_REF, ""),
)
ADVICE = {
    ErrorClass.AUTH_EXPIRED: "In Tryton, under the user's applications, validate the key of this "
    "connection; or enter another key here.",
    ErrorClass.FORBIDDEN: "Have Tryton's administrator give the user of the key the groups "
    "Accounting and Analytic Administration, and the company of this connection.",
    ErrorClass.DUPLICATE: "Link to the existing record, or choose another ID.",
    ErrorClass.MISSING_REF: "Look in Tryton whether what the record refers to is still there.",
    ErrorClass.CONFLICT: "Look at what changed in Tryton, then send again.",
}
# In an HTML page with status 400; Tryton has not called anything, so nothing was applied.
STILL_LOADING = b"Unable to get RPC method"
NOT_LOADED = "Tryton does not know what it is asked for: it is still starting, or lacks a module."
KEY_REFUSED = (
    "Tryton refuses the key: it is unknown, canceled, or was not validated yet by Tryton's "
    "administrator."
)


def refusal(answer: Answer) -> ErpError:
    """The error of a response that is not a success."""
    try:
        # Proxies may send a status that HTTP does not define.
        status = HTTPStatus(answer.status)
    except ValueError:
        return _failed(answer)
    if status is HTTPStatus.BAD_REQUEST:
        return _bad_request(answer)
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        message = "Tryton asks to slow down."
        return error(BY_STATUS[status], message, retry_after=answer.retry_after, code=429)
    if status in BY_STATUS:
        message = KEY_REFUSED if status is HTTPStatus.UNAUTHORIZED else _status_message(answer)
        return error(BY_STATUS[status], message, code=status)
    return _failed(answer)


def error(
    cls: ErrorClass,
    message: str,
    *,
    field: str = "",
    retry_after: float | None = None,
    code: int | None = None,
) -> ErpError:
    """A refusal that left Tryton as it was."""
    return ErpError(
        cls,
        Effect.NOT_APPLIED,
        message,
        field=field,
        erp_code="" if code is None else str(int(code)),
        advice=ADVICE.get(cls, ""),
        retry_after=retry_after,
    )


def _bad_request(answer: Answer) -> ErpError:
    message = _message_of(answer)
    if not message and STILL_LOADING in answer.body:
        return error(ErrorClass.TRANSIENT, NOT_LOADED, code=400)
    if not message:
        return error(ErrorClass.BUG, f"Tryton cannot read the request ({answer.form}).", code=400)
    for pattern, cls, field in BY_MESSAGE:
        if pattern.search(message):
            return error(cls, message, field=field, code=400)
    return error(ErrorClass.INVALID, message, code=400)


def _message_of(answer: Answer) -> str:
    """Message and description of a Tryton error; empty for any other response."""
    try:
        body = answer.json()
        message = " ".join(filter(None, (body["message"], body.get("description"))))
    except (AdapterError, KeyError, TypeError, AttributeError):
        return ""
    return answer.redact(message)


def _failed(answer: Answer) -> ErpError:
    """The error of a response that Tryton itself has not sent, as of a failing server or proxy."""
    status = answer.status
    # A redirect is not followed: it could lead the key to another host.
    if 300 <= status < 400:
        message = "The address redirects elsewhere; correct the address of this connection."
        return ErpError(ErrorClass.BUG, answer.unclear, message, erp_code=str(status))
    # A read can be retried after any server error; a write only if a proxy says Tryton is down.
    transient = status in AWAY or (answer.safe and 500 <= status < 600)
    cls = ErrorClass.TRANSIENT if transient else ErrorClass.BUG
    return ErpError(cls, answer.unclear, _status_message(answer), erp_code=str(status))


def _status_message(answer: Answer) -> str:
    return f"Tryton answered with status {answer.status}: {_message_of(answer) or answer.form}"
