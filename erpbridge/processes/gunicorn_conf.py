"""Gunicorn settings for every way to start it, and the format of gunicorn's own errors.

``gunicorn --config=python:erpbridge.processes.gunicorn_conf erpbridge.wsgi``; ``manage.py serve``
uses them too.
"""

from __future__ import annotations

import gc
import socket

import orjson
from gunicorn import util

worker_class = "gthread"
threads = 8
# Loaded once and then forked, so that the processes share it.
preload_app = True
# Gunicorn's maximum. Filters with many ids make long URLs.
limit_request_line = 8190
WORDS = {
    400: "The request is not valid HTTP",
    414: "The address is too long: a request line may have 8,190 characters",
    417: "The Expect header has a value that is not supported",
    431: "The headers are too large: each may have 8,190 characters, and there may be 100",
    501: "This Transfer-Encoding is not supported; send the body chunked, or with Content-Length",
}


def when_ready(_arbiter: object) -> None:
    """Gunicorn hook, before the first fork: what is loaded stays shared with the processes.

    A collection writes to every object that it visits, and so copies its memory page.
    """
    gc.collect()
    gc.freeze()


def answer_in_json(client: socket.socket, status: int, reason: str, _message: str) -> None:
    """Answer a request that gunicorn rejects before it reaches the application.

    Mostly API clients send such requests, and they expect every error as JSON.
    """
    text = f"{WORDS.get(status, reason)}."
    body = orjson.dumps({"errors": text, "message": text, "code": status})
    head = (
        f"HTTP/1.1 {status} {reason}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "\r\n"
    )
    util.write_nonblock(client, head.encode("ascii") + body)


# Gunicorn has no setting for this.
util.write_error = answer_in_json
