"""Back in the browser shows what is stored now, and nothing after logging out."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.django_db(transaction=True)


def test_back_shows_what_was_saved_meanwhile(page: Page, live_server, sign_in, ada, account):
    sign_in(ada)
    page.goto(live_server.url + reverse("own_settings"))
    page.goto(live_server.url + reverse("access:people", args=[account.pk]))
    ada.time_zone = "America/Chicago"
    ada.save(update_fields=["time_zone"])
    page.go_back()
    expect(page.locator("dl")).to_contain_text(re.compile(" C[SD]T"))


def test_back_after_logging_out_shows_nothing(page: Page, live_server, sign_in, ada, account):
    sign_in(ada)
    page.goto(live_server.url + reverse("access:people", args=[account.pk]))
    expect(page.get_by_role("cell", name=ada.email)).to_be_visible()
    page.locator(".you summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    expect(page.get_by_role("cell", name=ada.email)).to_have_count(0)
