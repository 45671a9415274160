"""Clicks on many rows: what they need is said before, and how many it will be."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from admin_wbs.cost_codes import list_services
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erp_integrations.models import Item
from erp_integrations.sendable import send
from erpbridge.access import policy
from tests.admin_wbs import steps as codes
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, MembershipFactory, TradeFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def erin(account):
    """Admin of everything, and an approver."""
    user = UserFactory.create(name="Erin Everything")
    MembershipFactory.create(
        user=user, account=account, account_admin=True, can_push_to_accounting=True
    )
    return user


@pytest.fixture
def to(live_server, account):
    def url(name: str, *arguments: object) -> str:
        return live_server.url + reverse(name, args=[account.pk, *arguments])

    return url


def test_buttons_for_ticked_rows_say_that_a_row_is_to_be_ticked(
    page: Page, sign_in, erin, ada, account, to
):
    phase = segment_services.add(account, name="Phase", tiered=False, by=ada)
    segment_items.add(phase, code="01", description="Shell", by=ada)
    steps.connect(account, by=ada)
    erp_list = list_services.erp_list(account.pk)
    access = policy.load(ada, account)
    assert erp_list is not None
    assert access is not None
    codes.tree(erp_list, ada, "01 General")
    codes.send(erp_list, access)
    send("vendor", [CompanyFactory.create(account=account).pk], access=access)
    sign_in(erin)
    places = {
        to("directory:account_companies"): ["Send to ERP", "Retrieve from ERP"],
        to("admin_wbs:list", erp_list.pk): ["Send ticked", "Retrieve ticked", "Delete"],
        to("admin_wbs:segment_items", phase.pk): ["Deactivate", "Reactivate", "Delete"],
        to("erp:items", "companies"): ["Accept", "Reject"],
        to("erp:items", "cost-codes"): ["Export ticked", "Reject ticked"],
    }
    for address, labels in places.items():
        page.goto(address)
        tick = page.locator("[data-tick]").first
        for label in labels:
            button = page.locator(".bulk").get_by_role("button", name=label, exact=True)
            expect(button, f"{label} at {address}").to_be_disabled()
            button.focus()
            expect(page.get_by_role("tooltip")).to_contain_text("Tick at least one row.")
            button.click(force=True)
            assert page.url == address
            tick.check()
            expect(button, f"{label} at {address}").to_be_enabled()
            tick.uncheck()
            expect(button, f"{label} at {address}").to_be_disabled()


@pytest.mark.parametrize("width", [1280, 390])
def test_many_are_accepted_with_fields_in_each_row(
    page: Page, sign_in, erin, ada, account, to, width
):
    connection = steps.connect(account, by=ada)
    access = policy.load(ada, account)
    assert access is not None
    known = {"city": "Easton", "entity_type": "ein", "entity_id": "12-3456789"}
    firms = CompanyFactory.create_batch(3, account=account, **known)
    firms[0].trades.add(TradeFactory.create(account=account, name="Masonry"))
    items = steps.send_all(firms, access)
    kind = connection.choices.filter(kind="vendor_type").first()
    sign_in(erin)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(to("erp:items", "companies"))
    for item in items:
        page.get_by_role("checkbox", name=f"Select {item.label}", exact=True).check()
    page.get_by_role("button", name="Accept", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Accept 3 companies?")
    expect(page.get_by_role("row", name=firms[0].name)).to_contain_text("Masonry")
    expect(page.get_by_role("cell", name=re.compile("12-3456789"))).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for item in items:
        page.get_by_label(f"Vendor type of {item.label}", exact=True).fill(kind.code)
    page.get_by_role("button", name="Accept and export").click()
    expect(page.get_by_text("3 companies accepted")).to_be_visible()
    assert {item.acceptance["vendor_type"] for item in Item.objects.all()} == {kind.code}
