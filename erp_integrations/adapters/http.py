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

MOST_EXCERPT = 300
SAFE_METHODS = frozenset({"GET", "HEAD"})
CREDENTIALS = re.compile(r"(?i)\b(bearer|basic|session)\s+[\w.~+/=-]{6,}")
HIDDEN = "[hidden]"


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
    def text(self) -> str:
        """The body as text without secrets."""
        return self.redact(self.body.decode("utf-8", "replace"))

    @property
    def excerpt(self) -> str:
        """Enough of the body to recognise what it is."""
        return " ".join(self.text.split())[:MOST_EXCERPT]

    def json(self) -> Any:
        """The body as JSON. :raises AdapterError: naming what came instead."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            said = f"The answer (status {self.status}) is not JSON: {self.excerpt}"
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
        :raises AdapterError: transient, where there is no answer.
        """
        safe = method in SAFE_METHODS if safe is None else safe
        seconds = min(seconds, self.io.deadline.left())
        try:
            reply = client.call(
                method,
                self.base_url + path,
                headers={**self.headers, **(headers or {})},
                seconds=seconds,
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
        reason = self.redact(problem.reason)[:MOST_EXCERPT]
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
