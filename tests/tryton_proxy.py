"""A TCP proxy in front of an ERP that breaks things on demand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

NOT_JSON = b"<html><body><h1>It works!</h1></body></html>"


def response(status: str, body: bytes, kind: str = "text/html") -> bytes:
    """An answer that the proxy gives by itself."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Gate:
    """Holds back writes that contain ``text`` until a second one arrives or time is up."""

    text: bytes
    seconds: float
    arrived: int = 0
    opened: threading.Event = field(default_factory=threading.Event)

    def hold(self, request: bytes) -> None:
        """Hold this request back, if it is such a write."""
        if not request.startswith(b"POST") or self.text not in request:
            return
        self.arrived += 1
        if self.arrived > 1:
            self.opened.set()
        self.opened.wait(self.seconds)


@dataclass
class Faults:
    """What happens to the next calls. ``writes_only`` lets look-ups pass.

    ``kind`` is one of ``""``, ``answer`` (by ``with_answer``, without asking the ERP), ``delay``,
    ``refuse``, ``cut_before`` (the request reaches the ERP's side no more), ``cut_after`` (the ERP
    has answered, nobody hears it), ``cut_body`` (half of the answer), ``black_hole`` (no answer),
    ``trickle`` (one byte at a time) and ``trickle_head``. ``struck`` counts the calls that
    were hit. ``gates`` hold back what no fault answers.
    """

    kind: str = ""
    with_answer: bytes = b""
    seconds: float = 0.0
    writes_only: bool = True
    calls: int = 1_000_000
    struck: int = 0
    gates: list[Gate] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def set(self, kind: str, **settings: object) -> None:
        """Replace the fault; forgets what was seen."""
        self.kind, self.writes_only, self.calls = kind, True, 1_000_000
        self.with_answer, self.seconds, self.struck = b"", 0.0, 0
        self.requests.clear()
        for name, value in settings.items():
            setattr(self, name, value)

    def settle(self) -> None:
        """Wait until the ERP has seen and answered everything that came by."""
        while self.threads:
            self.threads.pop().join(timeout=30)

    def hits(self, request: bytes) -> str:
        """The fault of this request, counted down."""
        if self.writes_only and request[:4] not in (b"POST", b"PUT "):
            return ""
        if self.calls <= 0:
            return ""
        self.calls -= 1
        self.struck += 1
        return self.kind

    def written(self) -> list[bytes]:
        """The bodies of the writes that came by."""
        return [
            request.partition(b"\r\n\r\n")[2]
            for request in self.requests
            if request.startswith((b"POST", b"PUT "))
        ]


def read_request(client: socket.socket) -> bytes:
    """A whole request, as the client sent it."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(65_536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        chunk = client.recv(65_536)
        if not chunk:
            break
        body += chunk
        data += chunk
    return data


def ask(upstream: tuple[str, int], request: bytes) -> bytes:
    """The ERP's whole answer; empty for an empty request."""
    if not request:
        return b""
    with socket.create_connection(upstream, timeout=30) as server:
        server.sendall(request)
        answer = b""
        while chunk := server.recv(65_536):
            answer += chunk
    return answer


def serve_client(client: socket.socket, upstream: tuple[str, int], faults: Faults) -> None:
    with client, suppress(OSError):
        request = read_request(client)
        faults.requests.append(request)
        kind = faults.hits(request)
        if kind == "cut_before":
            return
        if kind == "black_hole":
            time.sleep(faults.seconds)
            return
        if kind == "answer":
            client.sendall(faults.with_answer)
            return
        if kind == "delay":
            time.sleep(faults.seconds)
        for gate in list(faults.gates):
            gate.hold(request)
        answer = ask(upstream, request)
        if kind == "cut_after":
            return
        if kind == "cut_body":
            client.sendall(answer[:-20])
            return
        head, _, body = answer.partition(b"\r\n\r\n")
        if kind == "trickle":
            client.sendall(head + b"\r\n\r\n")
            slowly(client, body, faults.seconds)
        elif kind == "trickle_head":
            slowly(client, answer, faults.seconds)
        else:
            client.sendall(answer)


def slowly(client: socket.socket, data: bytes, seconds: float) -> None:
    for place in range(len(data)):
        client.sendall(data[place : place + 1])
        time.sleep(seconds)


@contextmanager
def proxy(upstream: tuple[str, int]) -> Iterator[tuple[str, Faults]]:
    """The proxy's address and its faults."""
    faults = Faults()
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                thread = threading.Thread(
                    target=serve_client, args=(client, upstream, faults), daemon=True
                )
                thread.start()
                faults.threads.append(thread)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", faults
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(timeout=2)
