"""Cost codes in a browser: the five steps, and codes typed by keyboard alone.

See docs/design/sending-to-erp.md, "Sending cost codes".
"""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.models import CodeList
from erp_integrations.models import Item
from erpbridge.access.levels import Level
from tests.admin_wbs.cost_codes.test_services import code_labels, tree
from tests.browser.routes import to_cost_codes
from tests.browser.test_main_job import log_in
from tests.erp_integrations import steps
from tests.factories import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def erp_list(account, ada) -> CodeList:
    steps.connect(account, by=ada)
    code_list = list_services.erp_list(account.pk)
    assert code_list is not None
    return code_list


@pytest.fixture
def cora(account):
    """Admin of the account's Admin tool, and of nothing else."""
    user = UserFactory.create(name="Cora Codes")
    MembershipFactory.create(user=user, account=account, admin=Level.ADMIN)
    return user


@pytest.fixture
def opened(page: Page, sign_in, cora, live_server, account):
    """The page of a list, opened by Cora."""

    def at(code_list: CodeList, query: str = "") -> Page:
        sign_in(cora)
        address = reverse("admin_wbs:list", args=[account.pk, code_list.pk])
        page.goto(f"{live_server.url}{address}{query}")
        return page

    return at


@pytest.mark.parametrize(("lists_there", "width"), [("one", 390), ("several", 1280)])
def test_unsynced_codes_are_sent_as_the_seed_page_tells(
    page, live_server, account, erp_list, cora, ada, lists_there, width
):
    tree(erp_list, ada, "01 General", "01-100 Survey")
    if lists_there == "several":
        CodeList.objects.create(account=account, name="Residential")
    page.set_viewport_size({"width": width, "height": 844})
    log_in(page, live_server.url, cora)
    to_cost_codes(page, erp_list, several=lists_there == "several")
    expect(page.get_by_text("2 unsynced")).to_be_visible()
    # The main action and the first code stand on the first screen.
    expect(page.get_by_role("button", name="Send to ERP (2)")).to_be_in_viewport()
    expect(page.locator("tr.code").first).to_be_in_viewport(ratio=1)
    # 5. Click Send to ERP.
    page.get_by_role("button", name="Send to ERP (2)").click()
    page.wait_for_url("**/requests/**")
    assert sorted(Item.objects.values_list("label", flat=True)) == ["01 General", "01-100 Survey"]
    page.goto(live_server.url + reverse("admin_wbs:list", args=[account.pk, erp_list.pk]))
    expect(page.get_by_role("cell", name="Waiting for accounting")).to_be_visible()
    expect(page.get_by_text("Locked: sent by Cora Codes").first).to_be_visible()
    expect(page.get_by_role("button", name="Re-send to ERP", exact=True)).to_be_disabled()
    # Tips: hover your cursor over the button to view the reason the button is not available.
    page.get_by_role("button", name="Re-send to ERP", exact=True).hover()
    expect(page.get_by_text("all 2 are waiting for accounting")).to_be_visible()
    page.get_by_role("button", name="Retrieve from ERP (2)").click()
    page.wait_for_url("**/requests/**")


def test_a_page_that_has_to_be_refreshed_says_so_on_the_button(opened, erp_list, ada):
    made = tree(erp_list, ada, "01 General")
    page = opened(erp_list)
    code_services.edit(made["01"], values={"description": "Conditions"}, seen=1, by=ada)
    page.get_by_role("button", name="Send to ERP (1)").click()
    expect(page.get_by_text(re.compile("changed", re.I)).first).to_be_visible()
    assert not Item.objects.exists()


def test_the_rest_of_the_actions_is_a_menu_for_keyboards_and_without_scripts(
    browser, live_server, client_of, account, erp_list, cora, ada
):
    tree(erp_list, ada, "01 General")
    cookie = client_of(cora).cookies["sessionid"].value
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts)
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.goto(live_server.url + reverse("admin_wbs:list", args=[account.pk, erp_list.pk]))
        first = page.locator(".tool-actions :is(button, a, summary)").first
        expect(first).to_have_text("Send to ERP (1)")
        expect(page.get_by_role("link", name="Export CSV")).to_be_hidden()
        page.locator(".more-actions summary").focus()
        page.keyboard.press("Enter")
        for name in ("Import", "Export CSV", "Export XLSX", "Copy codes", "Cost Types"):
            expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
        page.get_by_role("link", name="Cost Types", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Cost types of")
        context.close()


def test_codes_are_typed_by_keyboard_alone(opened, erp_list):
    page = opened(erp_list)
    page.get_by_role("textbox", name="Code", exact=True).focus()
    for code, text in (("01", "General"), ("02", "Site"), ("03", "Concrete")):
        page.keyboard.type(code)
        page.keyboard.press("Tab")
        page.keyboard.type(text)
        page.keyboard.press("Tab")
        expect(page.locator("#said")).to_contain_text(f"Success: {code} {text} was added.")
        expect(page.get_by_role("textbox", name="Code", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Send to ERP (3)")).to_be_enabled()
    expect(page.get_by_role("navigation", name="Tree of cost codes")).to_contain_text("Concrete")
    assert code_labels(erp_list) == ["01 General", "02 Site", "03 Concrete"]
    page.get_by_role("button", name="Send to ERP (3)").click()
    page.wait_for_url("**/requests/**")
    assert Item.objects.count() == 3


def test_a_wrong_row_keeps_what_was_typed_and_is_not_left_unasked(opened, erp_list, ada):
    tree(erp_list, ada, "01 General")
    page = opened(erp_list)
    page.get_by_role("textbox", name="Code", exact=True).fill("01")
    page.get_by_role("textbox", name="Description", exact=True).fill("Conditions")
    page.keyboard.press("Enter")
    refused = page.locator("tr.typed")
    expect(refused).to_contain_text("01 is taken by General")
    expect(refused.get_by_label("Description")).to_have_value("Conditions")
    expect(page.get_by_role("textbox", name="Code", exact=True)).to_be_focused()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Cost Code", exact=True).click()
    page.wait_for_url("**/lists/**")
    assert asked == ["beforeunload"]


def test_a_half_filled_row_is_not_left_unasked_and_an_emptied_one_is(opened, erp_list):
    page = opened(erp_list)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("textbox", name="Code", exact=True).press_sequentially("0")
    page.keyboard.press("Escape")
    page.reload()
    assert asked == []
    page.get_by_role("textbox", name="Code", exact=True).press_sequentially("0")
    page.reload()
    assert asked == ["beforeunload"]


def test_a_branch_opens_where_it_stands_and_takes_codes_under_the_selected_one(
    opened, code_list_of_three
):
    page = opened(code_list_of_three)
    branch = page.get_by_role("navigation", name="Tree of cost codes")
    expect(branch.get_by_text("Survey")).to_have_count(0)
    branch.locator("summary").first.click(position={"x": 5, "y": 10})
    expect(branch.get_by_text("Survey")).to_be_visible()
    branch.get_by_role("link", name="100 Survey").click()
    page.get_by_role("textbox", name="Code", exact=True).fill("1")
    page.get_by_role("textbox", name="Description", exact=True).fill("Stakes")
    page.keyboard.press("Tab")
    expect(branch.get_by_text("Stakes")).to_be_visible()
    assert "01-100-1 Stakes" in code_labels(code_list_of_three)


@pytest.fixture
def code_list_of_three(account, ada) -> CodeList:
    code_list = list_services.create(account=account, name="Residential", by=ada)
    tree(code_list, ada, "01 General", "01-100 Survey", "02 Site")
    return code_list


def test_a_row_is_edited_in_place_saved_with_enter_and_left_with_escape(opened, code_list_of_three):
    page = opened(code_list_of_three)
    page.get_by_role("link", name="Edit 02 Site").click()
    field = page.get_by_role("textbox", name="Description of 02")
    expect(field).to_be_focused()
    field.fill("Something else")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Edit 02 Site")).to_be_visible()
    page.get_by_role("link", name="Edit 02 Site").click()
    field.fill("Site work")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Edit 02 Site work")).to_be_focused()
    expect(page.locator("#said")).to_contain_text("02 Site work was saved.")
    assert code_labels(code_list_of_three)[-1] == "02 Site work"


CLICK_AS_SOON_AS_IT_IS_THERE = """id => new MutationObserver((_, observer) => {
  const link = document.getElementById(id);
  if (!link) return;
  observer.disconnect();
  link.click();
}).observe(document.querySelector("main"), {childList: true, subtree: true})"""


def test_a_link_in_a_row_that_has_just_come_can_be_clicked_at_once(opened, code_list_of_three):
    page = opened(code_list_of_three)
    code = code_list_of_three.codes.get(full_code="02")
    address = page.url
    page.get_by_role("link", name="Edit 02 Site").click()
    field = page.get_by_role("textbox", name="Description of 02")
    expect(field).to_be_focused()
    page.evaluate(CLICK_AS_SOON_AS_IT_IS_THERE, f"edit-{code.pk}")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Cancel")).to_be_visible()
    expect(field).to_be_focused()
    assert page.url == address


def test_of_two_who_edit_a_row_the_second_sees_both_values(opened, code_list_of_three, ada):
    page = opened(code_list_of_three)
    page.get_by_role("link", name="Edit 02 Site").click()
    expect(page.get_by_role("textbox", name="Description of 02")).to_be_focused()
    code_services.edit(
        code_list_of_three.codes.get(full_code="02"),
        values={"description": "Earth"},
        seen=1,
        by=ada,
    )
    page.get_by_role("textbox", name="Description of 02").fill("Site work")
    page.keyboard.press("Enter")
    expect(page.locator(".editing")).to_contain_text("now “Earth”; you typed “Site work”")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Edit 02 Site work")).to_be_visible()


def test_the_tree_and_the_rows_work_without_scripts(
    browser, live_server, client_of, cora, account, code_list_of_three
):
    context = browser.new_context(java_script_enabled=False)
    cookie = client_of(cora).cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page = context.new_page()
    home = reverse("admin_wbs:list", args=[account.pk, code_list_of_three.pk])
    page.goto(live_server.url + home)
    page.get_by_role("navigation", name="Tree of cost codes").get_by_text("General").click()
    page.get_by_role("textbox", name="Code", exact=True).fill("200")
    page.get_by_role("textbox", name="Description", exact=True).fill("Permits")
    page.get_by_role("button", name="Add Code under 01").click()
    page.get_by_role("link", name="Edit 01-200 Permits").click()
    page.get_by_label("Description").fill("Fees")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Edit 01-200 Fees").wait_for()
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_window_and_all_is_accessible(
    opened, erp_list, ada, live_server, account, width
):
    made = tree(erp_list, ada, "01 General", "01-100 Survey", f"02 {'Site and soil ' * 15}")
    page = opened(erp_list)
    page.set_viewport_size({"width": width, "height": 900})
    home = reverse("admin_wbs:list", args=[account.pk, erp_list.pk])
    general = made["01"].pk
    for path in (
        home,
        f"{home}?at={general}&open=all",
        f"{home}?q=survey",
        f"{home}settings/",
        f"{home}copy/",
        reverse("admin_wbs:lists", args=[account.pk]) + "?all",
        reverse("admin_wbs:code", args=[account.pk, general]),
        reverse("admin_wbs:code_edit", args=[account.pk, general]),
    ):
        page.goto(live_server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        report = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})
        wrong = [
            (violation["id"], [node["html"] for node in violation["nodes"]])
            for violation in report.response["violations"]
        ]
        assert wrong == [], f"{path} at {width}"
