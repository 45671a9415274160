"""A person lets an application act for them, in a browser that obeys the page's policy."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

from erpbridge.access import policy
from erpbridge.oauth import applications
from erpbridge.oauth.applications import CreatedApplication
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
STATE = "st,ate 1"


class Program(BaseHTTPRequestHandler):
    """An application: /back is its redirect URI, /onward another one that leads to other hosts."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/onward":
            self.send_response(302)
            home = f"http://localhost:{self.server.server_address[1]}/home?{parts.query}"
            self.send_header("Location", home)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Estimator</title><h1>Back in Estimator</h1>")

    def log_message(self, *_said: object) -> None:
        """Log nothing."""


@pytest.fixture
def home() -> Iterator[str]:
    """The address of the application."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Program)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(account, ada, home) -> CreatedApplication:
    uris = [f"{home}/back", f"{home}/onward"]
    return applications.create("Estimator", redirect_uris=uris, by=policy.load(ada, account))


@pytest.fixture
def asking(live_server, app, home):
    def address(path: str) -> str:
        asked = {
            "response_type": "code",
            "client_id": app.application.uid,
            "redirect_uri": f"{home}{path}",
            "state": STATE,
        }
        return f"{live_server.url}/oauth/authorize?{urlencode(asked)}"

    return address


def query_of(page: Page) -> dict[str, list[str]]:
    expect(page.get_by_role("heading", level=1)).to_have_text("Back in Estimator")
    return parse_qs(urlsplit(page.url).query)


@pytest.mark.parametrize("path", ["/back", "/onward"])
def test_after_allow_the_browser_follows_to_the_application_and_its_code_works(
    page: Page, sign_in, sam, live_server, app, home, asking, path
):
    sign_in(sam)
    page.goto(asking(path))
    page.get_by_role("button", name="Allow").click()
    returned = query_of(page)
    assert returned["state"] == [STATE]
    given = {
        "grant_type": "authorization_code",
        "code": returned["code"][0],
        "redirect_uri": f"{home}{path}",
        "client_id": app.application.uid,
        "client_secret": app.secret,
    }
    tokens = requests.post(f"{live_server.url}/oauth/token", json=given, timeout=30)
    headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    me = requests.get(f"{live_server.url}/rest/v1.0/me", headers=headers, timeout=30)
    assert me.json()["id"] == sam.pk


def test_after_refuse_the_application_is_told(page: Page, sign_in, sam, asking):
    sign_in(sam)
    page.goto(asking("/back"))
    page.get_by_role("button", name="Refuse").click()
    assert query_of(page)["error"] == ["access_denied"]


def test_whoever_logs_in_first_comes_to_the_question_and_to_the_application(
    page: Page, sam, asking
):
    page.goto(asking("/back"))
    page.get_by_label("E-mail address").fill(sam.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Allow").click()
    assert query_of(page)["state"] == [STATE]
