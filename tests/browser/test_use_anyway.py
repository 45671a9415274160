"""An approver is asked about an ERP ID that a program named, and says that it is the same."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from erp_integrations.models import Item, Link
from erp_integrations.models.states import State
from erp_integrations.sendable import Origin, link
from tests.browser.test_leading_elsewhere import shoot
from tests.browser.test_main_job import connected, log_in, quarry
from tests.erp_integrations import steps
from tests.factories import CompanyFactory

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["connected", "quarry"]


@pytest.mark.parametrize("width", [1280, 390])
def test_what_differs_is_shown_with_both_sides_and_decided_by_keyboard(
    page, live_server, account, ada, pat, connected, quarry, access_of, width
):
    page.set_viewport_size({"width": width, "height": 800})
    (item,) = steps.send_all([quarry], access_of(ada))
    steps.decide([item], access_of(pat), vendor_id="QUARRY01")
    steps.export(connected)
    item.refresh_from_db()
    assert steps.unlink(Link.objects.get(), by=ada) == {}
    other = CompanyFactory.create(account=account, name="Summit Steel")
    origins = {other.pk: Origin(id=item.erp_id)}
    assert link("vendor", origins, access=access_of(ada)) == {}
    update = steps.update_item(other, access_of(ada), "Summit Steel, Inc.")
    steps.decide([update], access_of(pat))
    steps.export(connected)

    log_in(page, live_server.url, pat)
    page.goto(f"{live_server.url}/accounts/{account.pk}/erp/items/{update.public_id}/")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("“Quarry & Sons, LLC” in the ERP, “Summit Steel” here")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shoot(page, f"use-{width}")
    page.get_by_label("How do you know?").first.focus()
    page.keyboard.type("They changed their name.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Use it anyway")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("now uses the ERP ID that was named")).to_be_visible()
    steps.export(connected)
    assert Item.objects.get(pk=update.pk).state == State.SYNCED
