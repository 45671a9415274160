"""The one HTTP client of adapters: a deadline for the whole call, and honest failures.

A call is made once, on a connection of its own: a reused one may turn out to be dead only after
the request has left, and then nobody knows whether it arrived. What fails before there is a
connection has not been applied; what fails later is uncertain, unless it only reads. Only the
resolving of a name has limits of its own: those of the operating system.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from erp_integrations.adapters.base import AdapterError, Effect, ErpError, ErrorClass

MOST_BYTES = 8_000_000
MOST_EXCERPT = 300
CONNECT_SECONDS = 5.0
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


@dataclass
class _Call:
    """The connection of one call, and its end: at the deadline the connection is cut."""

    until: float
    connection: socket.socket | None = None
    over: bool = False
    timer: threading.Timer | None = field(default=None, repr=False)

    @property
    def left(self) -> float:
        return max(self.until - time.monotonic(), 0.001)

    def connected(self, connection: socket.socket) -> None:
        self.connection = connection
        self.timer = threading.Timer(self.left, self._cut)
        self.timer.daemon = True
        self.timer.start()

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def _cut(self) -> None:
        self.over = True
        assert self.connection is not None
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class _OneCall(HTTPAdapter):
    """Tells a call when its connection stands: TCP, and TLS where there is any."""

    def __init__(self, call: _Call) -> None:
        self.call = call
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        call = self.call

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                call.connected(self.sock)

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                call.connected(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}


class HttpClient:
    """Calls to one server. ``headers`` go with every call and are never logged."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: Iterable[str],
        logger: logging.Logger,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = dict(headers)
        self.redact = Redaction(secrets)
        self.logger = logger

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
        call = _Call(time.monotonic() + seconds)
        request = requests.Request(
            method, self.base_url + path, params=params, data=body, headers=self._headers(headers)
        )
        try:
            answer = self._answered(call, request, safe=safe)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise self._failure(call, error, seconds=seconds, safe=safe) from None
        finally:
            call.end()
        took = seconds - (call.until - time.monotonic())
        self.logger.debug("%s %s: %d in %.3f s", method, path, answer.status, took)
        return answer

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {
            **self.headers,
            "Connection": "close",
            "Accept-Encoding": "identity",
            **(more or {}),
        }

    def _answered(self, call: _Call, request: requests.Request, *, safe: bool) -> Answer:
        with requests.Session() as session:
            # Neither proxies nor a .netrc of the machine: they would change who is called as whom.
            session.trust_env = False
            session.mount(f"{urlsplit(self.base_url).scheme}://", _OneCall(call))
            timeout = (min(CONNECT_SECONDS, call.left), call.left)
            with session.send(
                session.prepare_request(request),
                stream=True,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = b""
                for some in response.iter_content(65_536):
                    body += some
                    if len(body) > MOST_BYTES:
                        raise requests.ConnectionError(f"more than {MOST_BYTES} bytes")
                if call.over:
                    raise requests.Timeout
                return Answer(response.status_code, response.headers, body, safe, self.redact)

    def _failure(
        self, call: _Call, error: Exception, *, seconds: float, safe: bool
    ) -> AdapterError:
        """Why there is no answer; the words of a library are not for people."""
        place = urlsplit(self.base_url).netloc.rpartition("@")[2]
        reached = call.connection is not None
        if not reached:
            said = f"{place} cannot be reached: {self._reason(error)}."
        elif call.over or isinstance(error, requests.Timeout):
            said = f"{place} did not answer within {seconds:.0f} seconds."
        else:
            said = f"{place} broke off the answer: {self._reason(error)}."
        effect = Effect.UNCERTAIN if reached and not safe else Effect.NOT_APPLIED
        self.logger.warning("%s (%s)", said, effect)
        return AdapterError(ErpError(ErrorClass.TRANSIENT, effect, said))

    def _reason(self, error: BaseException) -> str:
        """The innermost reason, such as “Connection refused”, out of layers of libraries."""
        reason: BaseException | None = error
        while reason is not None:
            named = getattr(reason, "strerror", None) or str(reason)
            inner = getattr(reason, "reason", None) or next(iter(reason.args), None)
            reason = inner if isinstance(inner, BaseException) else reason.__cause__
        return self.redact(named or type(error).__name__).rstrip(".")[:MOST_EXCERPT]
