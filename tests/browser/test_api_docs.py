"""The page of the API in a browser: under the strict policy, and with a call tried from it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from erpbridge.oauth.applications import Service
from tests.rest.fixtures import EVERYTHING, service_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def docs(page: Page, live_server) -> Page:
    page.goto(f"{live_server.url}/rest/docs")
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Vendors", exact=True)).to_be_visible()
    return page


def test_a_call_opens_under_the_strict_policy(docs):
    docs.get_by_role("link", name="Vendors", exact=True).click()
    docs.locator("#operations-Vendors-list_vendors button.opblock-summary-control").click()
    expect(docs.get_by_text("filters[origin_id]").first).to_be_visible()


def test_a_call_is_tried_with_the_id_and_secret_of_a_service_account(docs, account, ada):
    made = service_of(account, ada, "Trial", Service(levels=EVERYTHING)).made
    docs.get_by_role("button", name="Authorize").first.click()
    form = docs.locator(".auth-container", has_text="clientCredentials")
    form.get_by_label("client_id").fill(made.application.uid)
    form.get_by_label("client_secret").fill(made.secret)
    form.locator("button.authorize").click()
    expect(form.get_by_text("Logout")).to_be_visible()
    form.get_by_text("Close").click()
    docs.get_by_role("link", name="Me", exact=True).click()
    call = docs.locator("#operations-Me-show_me")
    call.locator("button.opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
