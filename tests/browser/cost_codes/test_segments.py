"""Work Breakdown Structure in a browser: by keyboard, and boxes that save themselves."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from admin_wbs.models import CodeCostType, Segment, SegmentItem
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from tests.admin_wbs import erps
from tests.factories import CostCodeFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def to(live_server, account):
    def url(name: str, *arguments: int) -> str:
        return live_server.url + reverse(f"admin_wbs:{name}", args=[account.pk, *arguments])

    return url


@pytest.fixture
def erp_list(account, ada):
    return erps.connect(account, by=ada)


def names(account):
    return [segment.name for segment in Segment.objects.structure(account.pk)]


def test_a_segment_is_added_and_moved_by_keyboard(page: Page, sign_in, ada, account, to):
    sign_in(ada)
    page.goto(to("segments"))
    page.get_by_role("link", name="Add segment").press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Phase")
    page.get_by_label("Tiered").check()
    page.get_by_role("button", name="Add segment").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Phase")
    page.goto(to("segments"))
    expect(page.locator(".budget-code")).to_have_text("02-220.L.[Phase]")
    page.get_by_role("button", name="Move Phase up").press("Enter")
    again = page.get_by_role("button", name="Move Phase up")
    expect(again).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".budget-code")).to_have_text("[Phase].02-220.L")
    expect(page.get_by_role("button", name="Move Phase down")).to_be_focused()
    assert names(account) == ["Phase", "Cost Code", "Cost Type"]


def test_a_segment_is_deleted_from_its_menu_after_a_question(page: Page, sign_in, ada, account, to):
    segment_services.add(account, name="Phase", tiered=False, by=ada)
    sign_in(ada)
    page.goto(to("segments"))
    page.locator("summary[aria-label='Actions for Phase']").press("Enter")
    page.get_by_role("link", name="Delete").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete segment?")
    page.get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_text("Deleted the segment Phase.")).to_be_visible()
    assert names(account) == ["Cost Code", "Cost Type"]


def test_the_reason_why_no_segment_can_be_added_is_read_beside_the_button(
    page: Page, sign_in, ada, erp_list, to
):
    sign_in(ada)
    page.goto(to("segments"))
    expect(page.get_by_role("button", name="Add segment", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Why Add segment is disabled").focus()
    expect(page.get_by_role("tooltip")).to_contain_text("Tryton takes no custom segments")


def test_items_are_added_by_tab_and_tab(page: Page, sign_in, ada, account, to):
    phase = segment_services.add(account, name="Phase", tiered=True, by=ada)
    sign_in(ada)
    page.goto(to("segment_items", phase.pk))
    page.locator("#id_new-code").focus()
    for code, text in (("01", "Shell"), ("02", "Fit-out")):
        page.keyboard.type(code)
        page.keyboard.press("Tab")
        page.keyboard.type(text)
        page.keyboard.press("Tab")
        expect(page.get_by_text(f"Added {code} {text}.")).to_be_visible()
        expect(page.locator("#id_new-code")).to_be_focused()
    page.get_by_role("link", name="Add under 01 Shell").press("Enter")
    expect(page.locator("#id_new-code")).to_be_focused()
    page.keyboard.type("100")
    page.keyboard.press("Tab")
    page.keyboard.type("Piles")
    page.keyboard.press("Tab")
    expect(page.get_by_role("row", name="01-100")).to_be_visible()
    items = SegmentItem.objects.order_by("sort_path")
    assert [item.full_code for item in items] == ["01", "01-100", "02"]


def test_a_half_filled_row_asks_before_it_is_left(page: Page, sign_in, ada, account, to):
    phase = segment_services.add(account, name="Phase", tiered=True, by=ada)
    sign_in(ada)
    page.goto(to("segment_items", phase.pk))
    page.locator("#id_new-code").press_sequentially("01")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    assert asked == ["beforeunload"]


def test_boxes_save_as_they_are_ticked(page: Page, sign_in, ada, erp_list, account, to):
    code = CostCodeFactory.create(list=erp_list, code="03", description="Concrete")
    sign_in(ada)
    page.goto(to("matrix", erp_list.pk))
    box = page.get_by_label("03: Labor")
    box.focus()
    page.keyboard.press("Space")
    expect(page.locator("#said")).to_have_text("03: L Labor ticked. Saved.")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    assert CodeCostType.objects.get().code == code
    page.keyboard.press("Space")
    expect(page.locator("#said")).to_have_text("03: L Labor not ticked. Saved.")
    assert not CodeCostType.objects.exists()


def test_a_whole_column_is_ticked_after_a_question(page: Page, sign_in, ada, erp_list, to):
    for number in range(60):
        CostCodeFactory.create(list=erp_list, code=f"{number:03}")
    sign_in(ada)
    page.goto(to("matrix", erp_list.pk))
    page.get_by_role("link", name="All codes: Labor").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tick L Labor for 60 codes?")
    page.get_by_role("button", name="Tick").press("Enter")
    expect(page.get_by_text("Ticked L Labor for 60 codes.")).to_be_visible()
    assert CodeCostType.objects.count() == 60


def test_without_javascript_a_page_of_boxes_is_saved(
    browser, live_server, client_of, ada, erp_list, to
):
    CostCodeFactory.create(list=erp_list, code="03")
    plain = browser.new_context(java_script_enabled=False)
    cookie = client_of(ada).cookies["sessionid"].value
    plain.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page = plain.new_page()
    page.goto(to("matrix", erp_list.pk))
    page.get_by_label("03: Labor").check()
    page.get_by_label("03: Other").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved 2 changes.")).to_be_visible()
    plain.close()
    assert CodeCostType.objects.count() == 2


def test_sub_job_is_enabled(page: Page, sign_in, ada, account, to):
    default_structure.ensure(account.pk)
    sign_in(ada)
    page.goto(to("segments"))
    page.get_by_role("button", name="Enable Sub Job").click()
    expect(page.locator(".budget-code")).to_have_text("02-220.L.01")
