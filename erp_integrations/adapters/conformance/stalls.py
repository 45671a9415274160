"""Delay the adapter's network calls before the first byte of a request is sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

# Seconds of the adapter's deadline, and of the delay, which is longer.
GIVEN = 3.0
STALL = 3.5
# Start of a TLS handshake whose first message never ends.
ENDLESS = b"\x16\x03\x03\x40\x00" + b"\x02" * 200

# What happens around a connect.
During = Callable[[socket.socket], None]


@dataclass
class Stall:
    """Delays the network call number ``place`` to one port; ``calls`` counts the calls.

    At the end of the delay ``look`` is called, and its result is stored in ``seen``. ``struck`` is
    set when the delay begins, ``over`` when it ends.
    """

    port: int
    place: int
    look: Callable[[], object]
    calls: int = 0
    seen: object = None
    struck: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def hits(self, port: object) -> bool:
        """Count a call; True if it is the one to delay."""
        if str(port) != str(self.port):
            return False
        self.calls += 1
        if self.calls != self.place:
            return False
        self.struck.set()
        return True

    def wait(self) -> None:
        """Delay the call, even if its caller has given up meanwhile."""
        time.sleep(STALL)
        self.seen = self.look()
        self.over.set()

    def end(self) -> None:
        """Wait until the delay is over and the delayed call has gone on."""
        if self.struck.is_set():
            self.over.wait(10 * STALL)
            time.sleep(0.3)


@contextmanager
def resolution(stall: Stall) -> Iterator[None]:
    """Delay name resolution."""
    real = socket.getaddrinfo

    def slow(host: str, port: int, *how: Any, **more: Any) -> object:
        if stall.hits(port):
            stall.wait()
        return real(host, port, *how, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", slow)
        yield


@contextmanager
def connecting(stall: Stall) -> Iterator[None]:
    """Delay the connection; a caller with a shorter timeout gets a TimeoutError."""

    def before(connection: socket.socket) -> None:
        patience = connection.gettimeout()
        if patience is None or patience > STALL:
            stall.wait()
            return
        time.sleep(patience)
        stall.seen = stall.look()
        stall.over.set()
        raise TimeoutError("timed out")

    with _around_connect(stall, before=before):
        yield


@contextmanager
def first_byte(stall: Stall) -> Iterator[None]:
    """Delay the first byte after the connection is established."""
    with _around_connect(stall, after=lambda _connection: stall.wait()):
        yield


@contextmanager
def _around_connect(
    stall: Stall, *, before: During | None = None, after: During | None = None
) -> Iterator[None]:
    real = socket.socket.connect

    def connect(connection: socket.socket, address: Any) -> None:
        hit = isinstance(address, tuple) and stall.hits(address[1])
        if hit and before:
            before(connection)
        real(connection, address)
        if hit and after:
            after(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@contextmanager
def endless_tls() -> Iterator[str]:
    """URL of a server that starts a TLS handshake, sends one byte at a time, and never ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip(client: socket.socket) -> None:
            with client, suppress(OSError):
                for place in range(len(ENDLESS)):
                    client.sendall(ENDLESS[place : place + 1])
                    time.sleep(0.1)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=drip, args=(client,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=2)


STALLS = {
    "the resolution of a name": resolution,
    "the connection": connecting,
    "the first byte": first_byte,
}
