"""An ERP administrator points a connection at another ERP, with the keyboard alone."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page, expect

from erp_integrations.models import Connection, Link
from tests.browser.test_main_job import connected, log_in, quarry
from tests.erp_integrations import steps

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["connected", "quarry"]


def shoot(page: Page, name: str) -> None:
    """Save a screenshot, if a folder for screenshots is named."""
    if folder := os.environ.get("ERPBRIDGE_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_it_waits_for_what_is_open_and_asks_what_becomes_of_the_links(
    page, live_server, worker, ada, pat, connected, quarry, access_of, width
):
    page.set_viewport_size({"width": width, "height": 800})
    (item,) = steps.send_all([quarry], access_of(ada))
    log_in(page, live_server.url, ada)
    page.goto(f"{live_server.url}/accounts/{connected.account_id}/erp/connection/")
    page.get_by_role("link", name="Settings", exact=True).click()
    shoot(page, f"settings-{width}")
    page.get_by_role("link", name="Change which ERP it connects to").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("It cannot be changed now")).to_be_visible()
    expect(page.get_by_role("link", name="1 company")).to_be_visible()
    expect(page.get_by_role("button", name="Change and test")).to_have_count(0)
    shoot(page, f"open-{width}")

    form = page.url
    steps.decide([item], access_of(pat), vendor_id="QUARRY01")
    page.goto(f"{live_server.url}/accounts/{connected.account_id}/erp/items/{item.public_id}/")
    expect(page.get_by_text("Synced", exact=True).first).to_be_visible()
    page.goto(form)
    page.get_by_label("Ledger").fill(f"other-{connected.public_id.hex}")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_label("The same books under a new address")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Other books: the links of 1 company end")).to_be_checked()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shoot(page, f"leads-{width}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ledger works, and its data is up to date.")).to_be_visible()
    assert not Link.objects.active().exists()
    assert Connection.objects.get().config["ledger"] == f"other-{connected.public_id.hex}"
