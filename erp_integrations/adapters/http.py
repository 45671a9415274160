"""The one HTTP client of adapters: in time, and honest about what fails.

What fails before the first byte of a request has left has not been applied; what fails later is
uncertain, unless it only reads. A call ends in its time, and in the time that the host gives the
adapter (:class:`~erp_integrations.adapters.base.Deadline`); once that is over, nothing leaves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from erp_integrations.adapters.base import AdapterError, Effect, ErpError, ErrorClass, Io
from erpbridge.outgoing import client
from erpbridge.outgoing.hosts import Allowed, address_problem

__all__ = ["Answer", "HttpClient", "Redaction", "address_problem"]

MOST_REASON = 300
SAFE_METHODS = frozenset({"GET", "HEAD"})
CREDENTIALS = re.compile(r"(?i)\b(bearer|basic|session)\s+[\w.~+/=-]{6,}")
HIDDEN = "[hidden]"
ALLOWING = (
    "Correct the address of the connection, or have whoever runs erpbridge allow this host in "
    "ERPBRIDGE_ALLOWED_PRIVATE_HOSTS."
)


class Redaction:
    """Takes known secrets, and whatever looks like credentials, out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longest first, so that one secret inside another leaves nothing behind.
        self.secrets = sorted({one for one in secrets if len(one) >= 4}, key=len, reverse=True)

    def __call__(self, text: object) -> str:
        """The text without them."""
        clean = str(text)
        for secret in self.secrets:
            clean = clean.replace(secret, HIDDEN)
        return CREDENTIALS.sub(rf"\1 {HIDDEN}", clean)


@dataclass(frozen=True)
class Answer:
    """What the server said. ``safe``: the request could change nothing."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    safe: bool
    redact: Redaction

    @property
    def unclear(self) -> Effect:
        """Whether the request was carried out, when the answer does not say."""
        return Effect.NOT_APPLIED if self.safe else Effect.UNCERTAIN

    @property
    def form(self) -> str:
        """What the body is, and nothing of it: it may be a page of whatever host was named."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        named = kind if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}", kind) else "no type"
        return f"{len(self.body):,} bytes of {named}"

    def json(self) -> Any:
        """The body as JSON. :raises AdapterError: naming what came instead."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            said = f"The answer (status {self.status}) is not JSON but {self.form}."
            raise AdapterError(ErpError(ErrorClass.BUG, self.unclear, said)) from error


class HttpClient:
    """Calls to one server. ``headers`` go with every call and are never logged.

    :param io: the adapter's own; its deadline ends every call.
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
        params: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool | None = None,
    ) -> Answer:
        """One request and its whole answer, within ``seconds``. Redirects are not followed.

        :param safe: that the request changes nothing, whatever its method.
        :raises AdapterError: transient, where there is no answer; of the set-up, where the host may
            not be called.
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
        """Why there is no answer, in words for people."""
        place = urlsplit(self.base_url).netloc.rpartition("@")[2]
        if problem.refused:
            return self._refused(place, problem.reason)
        reason = self.redact(problem.reason)[:MOST_REASON]
        if not problem.began:
            why = "the time for it was over, nothing was sent" if problem.late else reason
            said = f"{place} cannot be reached: {why}."
        elif problem.late:
            said = f"{place} did not answer within {seconds:.0f} seconds."
        else:
            said = f"{place} broke off the answer: {reason}."
        effect = Effect.UNCERTAIN if problem.began and not safe else Effect.NOT_APPLIED
        self.io.logger.warning("%s (%s)", said, effect)
        return AdapterError(ErpError(ErrorClass.TRANSIENT, effect, said))

    def _refused(self, place: str, reason: str) -> AdapterError:
        """The address itself is not told: it would show what this machine's network looks like."""
        self.io.logger.warning("%s is not called: %s", place, reason)
        said = f"Address: {place} is not called, {reason}."
        error = ErpError(ErrorClass.SETUP, Effect.NOT_APPLIED, said, advice=ALLOWING)
        return AdapterError(error)
