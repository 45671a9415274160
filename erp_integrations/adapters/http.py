"""HTTP client for adapters, with deadlines and errors that say whether a request was applied.

A call that fails before the first byte was sent is "not applied"; one that fails later is
"uncertain", unless it only reads. Every call ends within its own timeout and within the deadline
of the adapter (:class:`~erp_integrations.adapters.base.Deadline`); after that nothing is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from erp_integrations.adapters.base import AdapterError, Effect, ErpError, ErrorClass, Io
from erpbridge.outgoing import client
from erpbridge.outgoing.hosts import Allowed, address_problem

__all__ = [
    "AWAY",
    "REFUSALS",
    "Answer",
    "HttpClient",
    "Redaction",
    "address_problem",
    "status_error",
]

MOST_REASON = 300
SAFE_METHODS = frozenset({"GET", "HEAD"})
# Servers may repeat a header of the request in an error message.
CREDENTIALS = re.compile(r"(?i)\b(bearer|basic|session)\s+[\w.~+/=-]{6,}")
HIDDEN = "[hidden]"
# Status codes with which a server says that it did not carry out the request -> the class.
REFUSALS: Mapping[int, ErrorClass] = {
    HTTPStatus.BAD_REQUEST: ErrorClass.INVALID,
    HTTPStatus.UNAUTHORIZED: ErrorClass.AUTH_EXPIRED,
    HTTPStatus.FORBIDDEN: ErrorClass.FORBIDDEN,
    HTTPStatus.NOT_FOUND: ErrorClass.MISSING_REF,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorClass.UNSUPPORTED,
    HTTPStatus.CONFLICT: ErrorClass.CONFLICT,
    HTTPStatus.GONE: ErrorClass.MISSING_REF,
    HTTPStatus.PRECONDITION_FAILED: ErrorClass.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorClass.INVALID,
    HTTPStatus.UNPROCESSABLE_ENTITY: ErrorClass.INVALID,
    HTTPStatus.LOCKED: ErrorClass.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorClass.THROTTLED,
}
# Status codes of a proxy in front of a server that is down. It may have been reached all the same.
AWAY = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
ALLOWING = (
    "Correct the address of the connection, or have the operator allow this host in "
    "ERPBRIDGE_ALLOWED_PRIVATE_HOSTS."
)


class Redaction:
    """Removes known secrets, and anything that looks like credentials, from texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Shorter ones would be removed from ordinary words too.
        usable = {secret for secret in secrets if len(secret) >= 4}
        # Libraries quote a header that cannot be sent, with escapes in it.
        usable |= {repr(secret)[1:-1] for secret in usable}
        # Longest first, in case one secret contains another.
        self.secrets = sorted(usable, key=len, reverse=True)

    def __call__(self, text: object) -> str:
        """The text with the secrets replaced."""
        clean = str(text)
        for secret in self.secrets:
            clean = clean.replace(secret, HIDDEN)
        return CREDENTIALS.sub(rf"\1 {HIDDEN}", clean)


@dataclass(frozen=True)
class Answer:
    """The response of the server. ``safe``: the request cannot have changed anything."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    safe: bool
    redact: Redaction

    @property
    def unclear(self) -> Effect:
        """The effect of the request if the response does not tell it."""
        return Effect.NOT_APPLIED if self.safe else Effect.UNCERTAIN

    @property
    def retry_after(self) -> float | None:
        """Seconds of the header Retry-After; None if there is none, or no time to wait."""
        wait = self.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"[0-9]{1,6}", wait):
            return float(wait) or None
        try:
            # A time is compared with the server's own clock.
            until = parsedate_to_datetime(wait) - parsedate_to_datetime(
                self.headers.get("Date", "")
            )
        except (TypeError, ValueError):
            return None
        return max(until.total_seconds(), 0.0) or None

    @property
    def form(self) -> str:
        """Size and type of the body, for messages.

        Never its content: the URL may lead to any host, and users must not read that host's pages.
        """
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        media_type = (
            kind if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}", kind) else "no type"
        )
        return f"{len(self.body):,} bytes of {media_type}"

    def json(self) -> Any:
        """The body as JSON.

        :raises AdapterError: if the body is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            message = f"The answer (status {self.status}) is not JSON but {self.form}."
            raise AdapterError(ErpError(ErrorClass.BUG, self.unclear, message)) from error


def status_error(answer: Answer, message: str = "", *, field: str = "") -> ErpError:
    """The error of a response that is not 2xx, as its status alone tells it.

    Where the ERP says more in its body, correct the class with :func:`dataclasses.replace`. See
    docs/write-an-adapter.md, "Over HTTP".

    :param message: what the ERP says; default: the status, and size and type of the body.
    """
    status = answer.status
    effect = answer.unclear
    if status in REFUSALS:
        cls, effect = REFUSALS[status], Effect.NOT_APPLIED
    elif status in AWAY or (answer.safe and 500 <= status < 600):
        cls = ErrorClass.TRANSIENT
    else:
        cls = ErrorClass.BUG
    return ErpError(
        cls,
        effect,
        answer.redact(message) or f"The ERP answered with status {status} ({answer.form}).",
        field=field,
        erp_code=str(status),
        retry_after=answer.retry_after,
    )


class HttpClient:
    """HTTP client for one server.

    :param headers: sent with every call, never logged.
    :param secrets: removed from all error messages.
    :param io: the adapter's; its deadline ends every call.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: Iterable[str],
        io: Io,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = dict(headers)
        self.redact = Redaction(secrets)
        self.io = io
        self.allowed = Allowed.read(io.allowed_hosts)

    def call(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        params: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool | None = None,
    ) -> Answer:
        """Send one request and read the whole response. Redirects are not followed.

        :param seconds: timeout of the whole call.
        :param safe: whether the request only reads; default: GET and HEAD do.
        :raises AdapterError: TRANSIENT without a response; SETUP if the host must not be called.
        """
        safe = method in SAFE_METHODS if safe is None else safe
        seconds = min(seconds, self.io.deadline.left())
        try:
            reply = client.call(
                method,
                self.base_url + path,
                headers={**self.headers, **(headers or {})},
                seconds=seconds,
                allowed=self.allowed,
                params=params,
                body=body,
            )
        except client.NoReply as problem:
            raise self._failure(problem, seconds=seconds, safe=safe) from None
        self.io.logger.debug("%s %s: %d", method, path, reply.status)
        return Answer(reply.status, reply.headers, reply.body, safe, self.redact)

    def _failure(self, problem: client.NoReply, *, seconds: float, safe: bool) -> AdapterError:
        """The error for a call without a response, with a message for users."""
        # Without the user name and password that a URL may contain.
        place = urlsplit(self.base_url).netloc.rpartition("@")[2]
        if problem.refused:
            return self._refused(place, problem.reason)
        reason = self.redact(problem.reason)[:MOST_REASON]
        if not problem.began:
            cause = "the time for it was over, nothing was sent" if problem.late else reason
            message = f"{place} cannot be reached: {cause}."
        elif problem.late:
            message = f"{place} did not answer within {seconds:.0f} seconds."
        else:
            message = f"{place} broke off the answer: {reason}."
        # Once the first byte was sent, the server may have applied the request.
        effect = Effect.UNCERTAIN if problem.began and not safe else Effect.NOT_APPLIED
        self.io.logger.warning("%s (%s)", message, effect)
        return AdapterError(ErpError(ErrorClass.TRANSIENT, effect, message))

    def _refused(self, place: str, reason: str) -> AdapterError:
        """The error for a host that must not be called.

        Its IP address is not in the message, because it would reveal the network of this machine.
        """
        self.io.logger.warning("%s is not called: %s", place, reason)
        said = f"{place} is not called, {reason}" if place else reason
        message = f"Address: {said.removesuffix('.')}."
        error = ErpError(ErrorClass.SETUP, Effect.NOT_APPLIED, message, advice=ALLOWING)
        return AdapterError(error)
