"""The ledger's HTTP server: JSON, an API key, and a limit of writes per minute.

Start it by hand with ``python -m erpbridge_http_ledger.server --port 8765 --file ledger.json``.

| call | answer |
| --- | --- |
| ``GET /v1/ledger`` | its name and the number of vendors |
| ``GET /v1/types``, ``GET /v1/accounts`` | the vendor types, the accounts |
| ``GET /v1/vendors?code=A&code=B`` | the vendors with these codes |
| ``GET /v1/vendors/7`` | one vendor, or 404 ``no_vendor`` |
| ``GET /v1/changes?since=0&limit=100`` | what changed after this number, in order |
| ``POST /v1/vendors`` | ``{"operation": ..., "rows": [...]}``: one result per row |
"""

from __future__ import annotations

import argparse
import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from erpbridge_http_ledger.ledger import ACCOUNTS, MOST_ROWS, TYPES, Ledger, Refused

MOST_LISTED = 100
NOT_FOUND = (404, "no_page", "There is no such page.")


class LedgerServer(ThreadingHTTPServer):
    """A ledger behind HTTP.

    :param key: the API key that callers need.
    :param per_minute: how many writing calls it takes per minute.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, port: int, key: str, per_minute: int = 600, file: Path | None = None
    ) -> None:
        self.ledger = Ledger(file)
        self.key = key
        self.per_minute = per_minute
        self.writes: deque[float] = deque()
        super().__init__(("127.0.0.1", port), Handler)

    def seconds_to_wait(self) -> int:
        """How long a writing call has to wait for its turn; 0 if it is counted now."""
        with self.ledger.lock:
            now = time.monotonic()
            while self.writes and self.writes[0] <= now - 60:
                self.writes.popleft()
            if len(self.writes) < self.per_minute:
                self.writes.append(now)
                return 0
            return int(60 - (now - self.writes[0])) + 1 if self.writes else 60


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: LedgerServer
    body = b""

    def do_GET(self) -> None:
        """Answer a question."""
        self.respond(self.ask)

    def do_POST(self) -> None:
        """Carry out a write."""
        # Read whatever comes of it: a connection that is closed with something unread is reset.
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.respond(self.write)

    def respond(self, step: Callable[[], Any]) -> None:
        """Check the key, then answer with what ``step`` returns, as JSON."""
        try:
            given = self.headers.get("X-Api-Key", "").encode()
            if not hmac.compare_digest(given, self.server.key.encode()):
                raise Refused(401, "key", "The API key is not valid.")
            self.send(200, step())
        except Refused as refused:
            answer = {"code": refused.code, "message": str(refused)}
            self.send(refused.status, answer, refused.retry_after)
        except (KeyError, TypeError, ValueError) as error:
            self.send(400, {"code": "request", "message": f"It cannot be read: {error!r}"})

    def ask(self) -> Any:
        """The answer to a GET."""
        place = urlsplit(self.path)
        asked = parse_qs(place.query)
        ledger = self.server.ledger
        match place.path.strip("/").split("/"):
            case ["v1", "ledger"]:
                return {"name": "Example ledger", "vendors": len(ledger.vendors)}
            case ["v1", "types"]:
                return {"types": [{"code": code, "name": name} for code, name in TYPES.items()]}
            case ["v1", "accounts"]:
                return {
                    "accounts": [
                        {"code": code, "name": name, "kind": kind}
                        for code, (name, kind) in ACCOUNTS.items()
                    ]
                }
            case ["v1", "changes"]:
                most = min(int(asked.get("limit", [MOST_LISTED])[0]), MOST_LISTED)
                return ledger.changes(int(asked["since"][0]), most)
            case ["v1", "vendors"]:
                return {"vendors": ledger.with_codes(asked["code"][:MOST_ROWS])}
            case ["v1", "vendors", number]:
                if vendor := ledger.vendors.get(int(number)):
                    return {"vendor": dict(vendor)}
                raise Refused(404, "no_vendor", f"There is no vendor {number}.")
        raise Refused(*NOT_FOUND)

    def write(self) -> Any:
        """Carry out a POST."""
        message = json.loads(self.body)
        if urlsplit(self.path).path != "/v1/vendors":
            raise Refused(*NOT_FOUND)
        if len(message["rows"]) > MOST_ROWS:
            raise Refused(413, "rows", f"At most {MOST_ROWS} rows in one call.")
        if wait := self.server.seconds_to_wait():
            raise Refused(429, "rate", "Too many calls in one minute.", retry_after=wait)
        return {"results": self.server.ledger.write(message["operation"], message["rows"])}

    def send(self, status: int, answer: Any, retry_after: int = 0) -> None:
        """Send an answer as JSON."""
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve a new ledger until Ctrl-C."""
    parser = argparse.ArgumentParser(description="An example ledger, called over HTTP.")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--key", default="ledger-demo-key", help="the API key that callers need")
    parser.add_argument("--per-minute", type=int, default=600, help="writing calls per minute")
    parser.add_argument("--file", type=Path, help="where the ledger is kept; else it is forgotten")
    options = parser.parse_args()
    server = LedgerServer(options.port, options.key, options.per_minute, options.file)
    with server:
        host, port = server.server_address[:2]
        print(f"Ledger: http://{host}:{port}, API key: {options.key}", flush=True)  # noqa: T201
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Ended.")  # noqa: T201


if __name__ == "__main__":
    main()
