"""The Directory in a browser: live counters, the (?) with reasons, unsaved edits, ticks."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from directory.companies import services as company_services
from directory.models import Company
from erp_integrations.models import Item
from tests.directory.conftest import company
from tests.erp_integrations.conftest import connection
from tests.factories import CompanyFactory

__all__ = ["company", "connection"]

pytestmark = pytest.mark.django_db(transaction=True)

# Whether the control that has the focus is what a click in its middle meets.
SEEN = """() => {
  const control = document.activeElement, place = control.getBoundingClientRect();
  const met = document.elementFromPoint(place.x + place.width / 2, place.y + place.height / 2);
  return control.contains(met) || control.closest("label")?.contains(met);
}"""


@pytest.fixture
def to(live_server, account, project):
    def url(page: str, *arguments: int) -> str:
        place = [account.pk, project.pk, *arguments]
        return live_server.url + reverse(f"directory:project_{page}", args=place)

    return url


def test_the_name_is_counted_while_it_is_typed_and_the_edit_is_saved(
    page: Page, sign_in, ada, connection, company, to
):
    sign_in(ada)
    page.goto(to("company_edit", company.pk))
    counter = page.locator("#id_name_counter")
    expect(counter).to_have_text("18 characters. Simulator takes 30.")
    page.get_by_label("Name", exact=False).first.fill("Quarry and Sons of the Harbor Incorporated")
    expect(counter).to_have_text("42 characters. Simulator takes 30: 12 too many.")
    page.locator("#id_name").fill("Quarry and Sons of the Harbor")
    expect(counter).to_have_text("29 characters. Simulator takes 30.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Quarry and Sons of the Harbor")
    assert Company.objects.get().revision == 2


def test_leaving_unsaved_edits_asks_first(page: Page, sign_in, ada, company, to):
    sign_in(ada)
    page.goto(to("company_edit", company.pk))
    page.locator("#id_city").press_sequentially("x")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("link", name="General")).to_be_visible()
    assert asked == ["beforeunload"]


def test_ticked_rows_are_counted_and_sent(
    page: Page, sign_in, ada, account, connection, to, project
):
    for name in ("Alpha", "Beta", "Gamma"):
        CompanyFactory.create(account=account, name=name)
    ids = Company.objects.values_list("pk", flat=True)
    company_services.add_to_project(ids, project=project, by=ada)
    sign_in(ada)
    page.goto(to("companies"))
    page.get_by_label("Select Alpha").check()
    page.get_by_label("Select Gamma").check()
    expect(page.locator("[data-selected-count]")).to_have_text("2")
    page.get_by_role("button", name="Send to ERP").click()
    page.wait_for_url("**/requests/**")
    assert sorted(Item.objects.values_list("label", flat=True)) == ["Alpha", "Gamma"]


def test_on_a_phone_all_rows_are_ticked_at_once_and_headings_that_sort_are_seen(
    page: Page, sign_in, ada, account, connection, to, project
):
    firms = CompanyFactory.create_batch(2, account=account)
    company_services.add_to_project([firm.pk for firm in firms], project=project, by=ada)
    sign_in(ada)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(to("companies"))
    page.get_by_text("Select all on this page").click()
    expect(page.locator("[data-selected-count]")).to_have_text("2")
    page.keyboard.press("Tab")
    expect(page.locator(".sort:focus")).to_have_count(1)
    assert page.evaluate(SEEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_phone_the_reasons_do_not_cover_the_button_that_they_are_about(
    page: Page, sign_in, ada, account, connection, to, project
):
    firm = CompanyFactory.create(account=account)
    company_services.add_to_project([firm.pk], project=project, by=ada)
    sign_in(ada)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(to("companies"))
    lowest = page.get_by_role("button", name="Retrieve from ERP", exact=True).bounding_box()
    # The button is the last thing in sight.
    page.set_viewport_size({"width": 390, "height": round(lowest["y"] + lowest["height"] + 20)})
    page.get_by_role("button", name="Filter").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
        assert page.evaluate(SEEN)
    expect(page.locator(".why-tip:visible")).to_have_count(1)
