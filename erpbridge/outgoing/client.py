"""One HTTP request: all of it within its time, nothing of it later, and only to hosts that may be.

A call has a connection of its own: a reused one may turn out to be dead only after the request has
left, and then nobody knows whether it arrived. Its time covers the name, every address that is
tried, TLS, sending and reading. It is read again right before the first byte of the request; when
it is over the connection is reset, so that nothing which still waits in a buffer arrives. A host
is called where ``hosts`` takes the very address that the socket is about to connect to.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
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
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReply(Exception):
    """There is no answer, and why.

    ``began``: the first byte of the request may have left. ``late``: the time was over.
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
    params: Any = None,
    body: bytes | None = None,
) -> Reply:
    """One request and its whole answer. Redirects are not followed.

    :param allowed: hosts that may be called although they are not public.
    :raises NoReply: where there is no answer, or the host may not be called.
    """
    if problem := address_problem(url):
        raise NoReply(problem, refused=True)
    one = _Call(uptime() + seconds, allowed)
    own = {"Connection": "close", "Accept-Encoding": "identity"}
    try:
        prepared = requests.Request(
            method, url, params=params, data=body, headers={**own, **headers}
        )
        one.begin()
        return one.answer(prepared)
    except requests.exceptions.InvalidURL:
        raise NoReply("that is no name of a host", refused=True) from None
    except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
        raise NoReply(_reason(error), began=one.began, late=one.late, refused=one.refused) from None
    finally:
        one.end()


@dataclass
class _Call:
    """A request on its way, until ``uptime()`` says that its time is over."""

    until: float
    allowed: Allowed
    refused: bool = False
    began: bool = False
    over: bool = False
    timer: threading.Timer | None = field(default=None, repr=False)
    # Another handle of the connection: TLS takes the first one away.
    connection: socket.socket | None = field(default=None, repr=False)

    @property
    def late(self) -> bool:
        return self.over or uptime() >= self.until

    def left(self) -> float:
        """Seconds that are left. :raises TimeoutError: where there are none."""
        if self.late:
            raise TimeoutError("the time was over")
        return max(self.until - uptime(), 0.001)

    def begin(self) -> None:
        self.timer = threading.Timer(self.left(), self._cut)
        self.timer.daemon = True
        self.timer.start()

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer.join()
        if self.connection is not None:
            self.connection.close()

    def _cut(self) -> None:
        """End the connection, whatever is being done with it, and drop what was not sent yet."""
        self.over = True
        if self.connection is not None:
            with suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.connection.shutdown(socket.SHUT_RDWR)

    def answer(self, request: requests.Request) -> Reply:
        with requests.Session() as session:
            # Neither proxies nor a .netrc of the machine: they would change who is called as whom.
            session.trust_env = False
            session.mount(f"{urlsplit(request.url).scheme}://", _OneCall(self))
            with session.send(
                session.prepare_request(request),
                stream=True,
                timeout=self.left(),
                allow_redirects=False,
            ) as response:
                body = b""
                for some in response.iter_content(65_536):
                    body += some
                    if len(body) > MOST_BYTES:
                        raise requests.ConnectionError(f"more than {MOST_BYTES} bytes")
                if self.over:
                    raise TimeoutError
                return Reply(response.status_code, response.headers, body)

    def connect(self, host: str, port: int, options: Any) -> socket.socket:
        """A connection to one of the host's addresses that may be called; each is tried for no
        more than is left.
        """
        host = host.strip("[]")
        found = names.resolve(host, port, seconds=self.left())
        taken = [one for one in found if self.allowed.takes(host, one[4][0])]
        if not taken:
            self.refused = bool(found)
            raise OSError("it has no public address")
        problem = OSError()
        for family, kind, protocol, _name, address in taken:
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
                if self.late:
                    break
            else:
                return connection
        raise problem

    def sends(self) -> None:
        """Right before some of the request leaves. :raises TimeoutError: where it is too late."""
        self.left()
        self.began = True


class _OneCall(HTTPAdapter):
    """Connects and sends as a call says."""

    def __init__(self, call: _Call) -> None:
        self.call = call
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        call = self.call

        class Timed(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return call.connect(self._dns_host, self.port, self.socket_options)

            def send(self, data: Any) -> None:
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
    """The innermost reason, such as “Connection refused”, out of layers of libraries."""
    reason: BaseException | None = error
    while reason is not None:
        named = getattr(reason, "strerror", None) or str(reason)
        inner = (getattr(reason, "reason", None), *reason.args, reason.__cause__)
        reason = next((one for one in inner if isinstance(one, BaseException)), None)
    return (named or type(error).__name__).rstrip(".")
