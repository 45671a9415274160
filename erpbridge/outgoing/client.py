"""One HTTP request: completely within its deadline or not at all, and only to permitted hosts.

Every call has its own connection: a reused one may turn out to be dead only after the request was
sent, and then it is unknown whether it arrived. The deadline covers the name lookup, every
attempted address, TLS, sending and reading. It is checked again right before the first byte of the
request; when it has passed, the connection is reset, so that nothing in a buffer still arrives.
``hosts`` checks the exact address that the socket is about to connect to.
"""

from __future__ import annotations

import socket
import struct
import threading
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

from erpbridge.outgoing import names
from erpbridge.outgoing.hosts import Allowed, address_problem
from erpbridge.outgoing.uptime import uptime

MOST_BYTES = 8_000_000
# For each address of a host.
CONNECT_SECONDS = 5.0
# SO_LINGER with a timeout of 0: closing sends RST and discards unsent data.
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Reply:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReply(Exception):
    """There is no response.

    ``began``: the first byte of the request may have been sent. ``late``: the deadline has passed.
    ``refused``: the host may not be called.
    """

    def __init__(
        self, reason: str, *, began: bool = False, late: bool = False, refused: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.began = began
        self.late = late
        self.refused = refused


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    seconds: float,
    allowed: Allowed,
    params: object = None,
    body: bytes | None = None,
) -> Reply:
    """Send one request and return the complete response. Redirects are not followed.

    :param seconds: the deadline for everything, from now.
    :param allowed: non-public hosts that may be called.
    :raises NoReply: when there is no response, or the host may not be called.
    """
    if problem := address_problem(url):
        raise NoReply(problem, refused=True)
    active = _Call(uptime() + seconds, allowed)
    own_headers = {"Connection": "close", "Accept-Encoding": "identity"}
    try:
        prepared = requests.Request(
            method, url, params=params, data=body, headers={**own_headers, **headers}
        )
        active.begin()
        return active.answer(prepared)
    except requests.exceptions.InvalidURL:
        raise NoReply("that is not a host name", refused=True) from None
    except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
        raise NoReply(
            _reason(error), began=active.began, late=active.late, refused=active.refused
        ) from None
    finally:
        active.end()


@dataclass
class _Call:
    """A request in progress, with its deadline ``until`` on the ``uptime()`` clock."""

    until: float
    allowed: Allowed
    refused: bool = False
    began: bool = False
    over: bool = False
    answered: bool = False
    timer: threading.Timer | None = field(default=None, repr=False)
    # A duplicate of the socket, because TLS takes over the first one.
    connection: socket.socket | None = field(default=None, repr=False)

    @property
    def late(self) -> bool:
        return self.over or uptime() >= self.until

    def left(self) -> float:
        """Return the remaining seconds.

        :raises TimeoutError: when the deadline has passed.
        """
        if self.late:
            raise TimeoutError("the time was over")
        # Not 0, which sockets take as non-blocking.
        return max(self.until - uptime(), 0.001)

    def begin(self) -> None:
        self.timer = threading.Timer(self.left(), self._cut)
        self.timer.daemon = True
        self.timer.start()

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            # Wait for a reset in progress, so that it cannot hit a reused file descriptor.
            self.timer.join()
        if self.connection is not None:
            # The socket's own time-out may come before the timer.
            if not self.answered:
                self._discard_unsent()
            self.connection.close()

    def _cut(self) -> None:
        """Reset the connection from the timer's thread, and drop what was not sent yet."""
        self.over = True
        self._discard_unsent()

    def _discard_unsent(self) -> None:
        if self.connection is not None:
            with suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.connection.shutdown(socket.SHUT_RDWR)

    def answer(self, request: requests.Request) -> Reply:
        with requests.Session() as session:
            # No proxies and no .netrc from the environment: they would change the host or the
            # credentials.
            session.trust_env = False
            # Replaces the pools that would reuse connections.
            session.mount(f"{urlsplit(request.url).scheme}://", _OneCall(self))
            with session.send(
                session.prepare_request(request),
                stream=True,
                timeout=self.left(),
                allow_redirects=False,
            ) as response:
                body = b""
                for piece in response.iter_content(65_536):
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise requests.ConnectionError(f"more than {MOST_BYTES} bytes")
                # A body without a length ends with the connection, so one that _cut() has ended
                # looks complete.
                if self.over:
                    raise TimeoutError
                self.answered = True
                return Reply(response.status_code, response.headers, body)

    def connect(
        self, host: str, port: int, options: Iterable[tuple[Any, ...]] | None
    ) -> socket.socket:
        """Connect to the first permitted address of the host that accepts."""
        # IPv6 addresses have brackets in a URL only.
        host = host.strip("[]")
        resolved = names.resolve(host, port, seconds=self.left())
        permitted = [
            candidate for candidate in resolved if self.allowed.takes(host, candidate[4][0])
        ]
        if not permitted:
            self.refused = bool(resolved)
            raise OSError("it has no public address")
        problem = OSError()
        # Each address gets at most CONNECT_SECONDS, so that a dead one leaves time for the next.
        for family, kind, protocol, _name, address in permitted:
            connection = socket.socket(family, kind, protocol)
            try:
                for option in options or ():
                    connection.setsockopt(*option)
                connection.settimeout(min(CONNECT_SECONDS, self.left()))
                connection.connect(address)
                self.connection = connection.dup()
                connection.settimeout(self.left())
            except OSError as error:
                problem = error
                connection.close()
                # Later addresses have no time left either.
                if self.late:
                    break
            else:
                return connection
        raise problem

    def sends(self) -> None:
        """Note that bytes are about to be sent.

        :raises TimeoutError: when the deadline has passed.
        """
        self.left()
        self.began = True


class _OneCall(HTTPAdapter):
    """Transport adapter that connects and sends through a :class:`_Call`."""

    def __init__(self, call: _Call) -> None:
        self.call = call
        # A retry below this level could send a request twice.
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        call = self.call

        class Timed(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                # Not ``host``, from which urllib3 removes the dot that ends an absolute name.
                return call.connect(self._dns_host, self.port, self.socket_options)

            def send(self, data: Any) -> None:
                # Connects before sends(): when that fails, ``began`` stays False.
                if self.sock is None:
                    self.connect()
                call.sends()
                super().send(data)

        class TimedTls(Timed, HTTPSConnection):
            pass

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Timed

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = TimedTls

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}


def _reason(error: BaseException) -> str:
    """Return the innermost reason, such as “Connection refused”, of nested library errors."""
    reason: BaseException | None = error
    while reason is not None:
        description = getattr(reason, "strerror", None) or str(reason)
        inner = (getattr(reason, "reason", None), *reason.args, reason.__cause__)
        reason = next(
            (inner_error for inner_error in inner if isinstance(inner_error, BaseException)), None
        )
    return (description or type(error).__name__).rstrip(".")
