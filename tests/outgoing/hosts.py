"""Servers for tests that answer, send nothing, or stall."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"


@dataclass
class Host:
    """The data that a server on this machine received, in the order of its connections."""

    port: int
    received: list[bytearray] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    reads: threading.Event = field(default_factory=threading.Event)

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}"

    def heard(self) -> bytes:
        """Everything, once all its connections have ended."""
        self.reads.set()
        for thread in list(self.threads):
            thread.join(timeout=20)
        return b"".join(bytes(thread) for thread in self.received)


@contextmanager
def host(*, answer: bytes = ANSWER, reads: bool = True, drip: bytes = b"") -> Iterator[Host]:
    """A server that reads what it is sent, and answers its first bytes.

    :param reads: at once; otherwise when its data is asked for.
    :param drip: sent without end, a byte at a time, instead of an answer.
    """
    with socket.socket() as listener:
        # Small, so that a large request does not fit into the buffers.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = Host(listener.getsockname()[1])
        if reads:
            server.reads.set()

        def serve(client: socket.socket, seen: bytearray) -> None:
            with client, suppress(OSError):
                server.reads.wait(30)
                while drip:
                    for place in range(len(drip)):
                        client.sendall(drip[place : place + 1])
                        time.sleep(0.05)
                answered = False
                while part := client.recv(65_536):
                    seen += part
                    if answer and not answered and b"\r\n\r\n" in seen:
                        client.sendall(answer)
                        answered = True

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server.received.append(bytearray())
                    client_thread = threading.Thread(
                        target=serve, args=(client, server.received[-1])
                    )
                    client_thread.daemon = True
                    server.threads.append(client_thread)
                    client_thread.start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


@contextmanager
def silent(address: str, port: int = 0) -> Iterator[int]:
    """A port that accepts no connection: the queue of its listener is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect((address, port))
        yield port
