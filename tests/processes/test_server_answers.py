"""What the web server makes of requests before, and instead of, the application."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.programs import ROOT, environment, running, wait_for
from tests.servers import free_port


@dataclass
class Server:
    """One that runs, and what ``manage.py api_client`` prints for it."""

    port: int
    client: dict[str, str]
    token: str = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[Any, bytes]:
        streamed = "Transfer-Encoding" in headers
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, headers, encode_chunked=streamed)
            response = connection.getresponse()
            return response, response.read()

    def send(self, raw: bytes) -> tuple[int, Any]:
        """Status and JSON of the answer to exactly these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(raw)
            head, _blank, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(
                b"\r\n\r\n"
            )
        assert b"application/json" in head
        return int(head.split()[1]), json.loads(body)

    @property
    def authorized(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Procore-Company-Id": self.client["COMPANY_ID"],
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    env = environment(ERPBRIDGE_DATA_DIR=str(folder), ERPBRIDGE_LOG_LEVEL="ERROR")
    for name in ("DATABASE_URL", "REDIS_URL", "ERPBRIDGE_MODE", "ERPBRIDGE_SECRET_KEY"):
        env.pop(name, None)
    port = free_port()
    manage = [sys.executable, "manage.py"]
    with running([*manage, "serve", "--port", str(port)], env) as process:
        wait_for(lambda: "is ready at" in process.said(), program=process)
        printed = subprocess.run(
            [*manage, "api_client"], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        credentials = dict(word.split("=", 1) for word in shlex.split(printed.stdout))
        made = Server(port, credentials)
        given = {
            "client_id": credentials["CLIENT_ID"],
            "client_secret": credentials["CLIENT_SECRET"],
        }
        given["grant_type"] = "client_credentials"
        _response, body = made.call(
            "POST", "/oauth/token", json.dumps(given), **{"Content-Type": "application/json"}
        )
        made.token = json.loads(body)["access_token"]
        yield made


HEAD = b"GET /rest/v1.0/me HTTP/1.1\r\nHost: localhost\r\n"
STREAMED = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}


def test_api_client_prints_the_address_that_serve_runs_on(server):
    assert server.client["BASE_URL"] == f"http://127.0.0.1:{server.port}"


def test_a_streamed_body_of_a_call_is_read(server):
    pieces = iter([b'{"vendor": ', b'{"name": "Streamed Concrete"}}'])
    sent = server.authorized | STREAMED
    response, body = server.call("POST", "/rest/v1.0/vendors", pieces, **sent)
    assert (response.status, json.loads(body)["name"]) == (201, "Streamed Concrete")


def test_a_streamed_form_of_a_page_is_read(server):
    response, page = server.call("GET", "/login/")
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = b"csrfmiddlewaretoken=" + token[1] + b"&username=nobody&password=wrong"
    sent = STREAMED | {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    response, page = server.call("POST", "/login/", iter([form[:50], form[50:]]), **sent)
    assert response.status == 200
    assert b"nobody" in page


def test_a_streamed_body_that_is_too_large_is_413_in_json(server):
    pieces = iter([b" " * 1024 * 1024] * 17)
    sent = server.authorized | STREAMED
    response, body = server.call("POST", "/rest/v1.0/vendors", pieces, **sent)
    assert (response.status, json.loads(body)["code"]) == (413, 413)


def test_a_streamed_body_that_breaks_off_is_400_in_json(server):
    head = (
        b"POST /rest/v1.0/vendors HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert server.send(head + b"zz\r\n")[0] == 400


def test_an_address_may_have_eight_kilobytes(server):
    long = "a" * 8_000
    response, _body = server.call("GET", f"/rest/v1.0/vendors?x={long}", **server.authorized)
    assert response.status == 200
    response, body = server.call("GET", f"/rest/v1.0/vendors?x={long}{long}", **server.authorized)
    assert response.status == 414
    assert "8,190" in json.loads(body)["errors"]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (
            b"GET /rest/v1.0/me HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
            431,
        ),
        (b"GET\r\n\r\n", 400),
        (HEAD + b"bad header\r\n\r\n", 400),
    ],
    ids=["long header", "no address", "no colon"],
)
def test_what_the_server_refuses_by_itself_is_json(server, raw, status):
    answered, body = server.send(raw)
    assert (answered, body["code"]) == (status, status)
    assert body["message"] == body["errors"]
