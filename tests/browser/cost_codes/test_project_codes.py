"""Cost codes of a project in a browser: the tree with many ticks, search, and the way back."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from admin_wbs.models import ProjectCostCode
from admin_wbs.models.full_code import full_code
from tests.admin_wbs.books import do_jobs, enter, erp_list, seen
from tests.admin_wbs.conftest import connection, owner
from tests.admin_wbs.cost_codes.test_services import tree
from tests.factories import CodeListFactory

__all__ = ["connection", "owner"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def residential(account, ada):
    code_list = CodeListFactory.create(account=account, name="Residential")
    rows = ("01 General", "01-100 Survey", "01-100-5 Stakes", "01-200 Permits", "02 Site")
    tree(code_list, ada, *rows)
    return code_list


@pytest.fixture
def home(live_server, account, project):
    return live_server.url + reverse("admin_wbs:project_codes", args=[account.pk, project.pk])


def on(project) -> list[str]:
    rows = ProjectCostCode.objects.filter(project=project).select_related("cost_code")
    return [full_code(row.cost_code.path) for row in rows.order_by("cost_code__sort_path")]


def test_codes_are_ticked_in_the_tree_and_added(
    page: Page, sign_in, ada, residential, project, home
):
    sign_in(ada)
    page.goto(home)
    page.get_by_role("link", name="Cost Codes from Company").first.click()
    expect(page.get_by_label("02 Site")).to_be_visible()
    expect(page.get_by_label("01-200 Permits")).to_have_count(0)
    # Keyboard: the branch is opened by Enter, and its codes come without leaving the page.
    page.get_by_text("Codes under 01", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("01-200 Permits")).to_be_visible()
    page.get_by_label("01 General").check()
    expect(page.get_by_label("01-200 Permits")).to_be_checked()
    # A branch opened under a ticked code comes ticked.
    page.get_by_text("Codes under 01-100", exact=True).click()
    expect(page.get_by_label("01-100-5 Stakes")).to_be_checked()
    page.get_by_label("01-200 Permits").uncheck()
    expect(page.get_by_label("01 General")).not_to_be_checked()
    expect(page.get_by_label("01-100 Survey")).to_be_checked()
    page.get_by_role("button", name="Add").first.click()
    expect(page.get_by_text("3 cost codes added to the project.")).to_be_visible()
    assert on(project) == ["01", "01-100", "01-100-5"]
    page.get_by_label("Select 01-100-5 Stakes").check()
    page.get_by_role("button", name="Remove from Project").click()
    expect(page.get_by_text("1 cost code removed from the project.")).to_be_visible()
    assert on(project) == ["01", "01-100"]


def test_a_search_is_selected_as_a_whole(page: Page, sign_in, ada, residential, project, home):
    sign_in(ada)
    page.goto(home + "add/")
    page.get_by_label("Search cost codes").fill("permits")
    page.keyboard.press("Enter")
    page.get_by_label("Select all 1 codes that match").check()
    page.get_by_role("button", name="Add").first.click()
    expect(page.get_by_text("2 cost codes added to the project.")).to_be_visible()
    assert on(project) == ["01", "01-200"]


def test_a_refresh_shows_a_green_banner_until_it_is_done(
    page: Page, sign_in, ada, owner, account, live_server, monkeypatch
):
    send = "erpbridge.jobs.wakeups.current_app.send_task"
    monkeypatch.setattr(send, lambda *_args, **_more: None)
    enter(owner, "01 General", "01-100 Survey")
    sign_in(ada)
    code_list = erp_list(account)
    page.goto(live_server.url + reverse("admin_wbs:list", args=[account.pk, code_list.pk]))
    page.get_by_role("link", name="Refresh from ERP").click()
    page.get_by_role("button", name="Fetch the codes").click()
    expect(page.get_by_text("Waiting to start")).to_be_visible()
    do_jobs()
    page.get_by_role("link", name="Look at the changes").click()
    page.get_by_role("button", name="Apply 2 changes").click()
    expect(page.locator(".job-running")).to_be_visible()
    do_jobs()
    expect(page.get_by_text("2 added.")).to_be_visible()
    expect(page.locator(".job-running")).to_have_count(0)
    assert seen(code_list) == ["01 General", "01-100 Survey"]
