"""The seed page, step by step: a company goes from the Project Directory to the ERP."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from directory.models import ProjectCompany
from erpbridge.access.levels import Level
from tests.erp_integrations import steps
from tests.factories import (
    PASSWORD,
    CompanyFactory,
    MembershipFactory,
    ProjectMembershipFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connected(account, ada):
    return steps.connect(account, by=ada, latency_ms=50)


@pytest.fixture
def petra(account, project):
    """Admin of the project's Directory, and of nothing else."""
    user = UserFactory.create(name="Petra Project")
    membership = MembershipFactory.create(user=user, account=account)
    ProjectMembershipFactory.create(membership=membership, project=project, directory=Level.ADMIN)
    return user


@pytest.fixture
def quarry(account, project):
    company = CompanyFactory.create(account=account, name="Quarry & Sons, LLC", city="Easton")
    ProjectCompany.objects.create(project=project, company=company)
    return company


def log_in(page: Page, address: str, user) -> None:
    page.goto(f"{address}/login/")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def log_out(page: Page) -> None:
    page.context.clear_cookies()


def test_a_company_goes_from_the_project_directory_to_the_erp(
    page, live_server, worker, connected, petra, pat, quarry, project
):
    # 1. Navigate to the Project level Directory tool. 2. Click the Companies tab.
    log_in(page, live_server.url, petra)
    page.goto(
        f"{live_server.url}/accounts/{project.account_id}/projects/{project.pk}/directory/companies/"
    )
    # 3. Click the company name. 4. Review the record.
    page.get_by_role("link", name="Quarry & Sons, LLC", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Quarry & Sons, LLC")
    expect(page.get_by_text("Not in ERP")).to_be_visible()
    # 5. Click Send to ERP.
    page.get_by_role("button", name="Send to ERP").click()
    expect(page.get_by_role("button", name="Retrieve from ERP")).to_be_visible()
    expect(page.get_by_text("Waiting for accounting").first).to_be_visible()
    expect(page.get_by_role("link", name="Edit", exact=True)).to_have_count(0)
    log_out(page)

    # Accounting opens ERP Integrations, looks at it and accepts it.
    log_in(page, live_server.url, pat)
    page.goto(f"{live_server.url}/accounts/{project.account_id}/erp/companies/")
    page.get_by_role("link", name="Quarry & Sons, LLC").click()
    expect(page.get_by_text("vendor_name", exact=True)).to_be_visible()
    page.get_by_label("Vendor type").select_option(index=1)
    expect(page.get_by_label("Vendor ID")).to_have_value("QUARRYS001")
    page.get_by_role("button", name="Accept").click()

    # The page follows the export by itself.
    expect(page.locator("#status").get_by_text("Synced")).to_be_visible(timeout=30_000)

    # The company has arrived in the ERP, and the record carries its ERP id.
    page.goto(
        f"{live_server.url}/accounts/{project.account_id}/erp/connection/{connected.pk}/holds/companies/"
    )
    expect(page.get_by_role("cell", name="QUARRYS001")).to_be_visible()
    expect(page.get_by_role("cell", name="Quarry & Sons, LLC")).to_be_visible()
    quarry.refresh_from_db()
    assert quarry.origin_code == "QUARRYS001"


@pytest.fixture
def unsendable(account, project):
    """A company on a project without ERP; three reasons stand against sending it."""
    company = CompanyFactory.create(
        account=account, name="N" * 42, entity_type="ein", entity_id="1"
    )
    ProjectCompany.objects.create(project=project, company=company)
    project.use_with_erp = False
    project.save()
    return company


def address_of(live_server, project, company) -> str:
    place = f"/accounts/{project.account_id}/projects/{project.pk}"
    return f"{live_server.url}{place}/directory/companies/{company.pk}/"


def expect_reasons(page: Page) -> None:
    tip = page.get_by_role("tooltip").first
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("Name must be 30 characters or fewer; it has 42.")
    expect(tip).to_contain_text("is not used with the ERP")
    expect(tip).to_contain_text(re.compile("Tax ID", re.I))


def test_a_disabled_button_shows_every_reason_when_it_or_its_mark_is_reached(
    page, live_server, connected, petra, project, unsendable
):
    log_in(page, live_server.url, petra)
    page.goto(address_of(live_server, project, unsendable))
    send = page.get_by_role("button", name="Send to ERP", exact=True)
    why = page.get_by_role("button", name="Why Send to ERP is disabled")
    tip = page.get_by_role("tooltip").first
    expect(send).to_be_disabled()
    for reached in (send, why):
        expect(tip).to_be_hidden()
        reached.hover()
        expect_reasons(page)
        page.mouse.move(0, 700)
        expect(tip).to_be_hidden()
        reached.focus()
        expect_reasons(page)
        page.keyboard.press("Escape")
    page.get_by_role("link", name="Go to Project Settings").focus()
    page.keyboard.press("Tab")
    expect(send).to_be_focused()
    page.keyboard.press("Enter")
    expect_reasons(page)
    assert page.url == address_of(live_server, project, unsendable)


def test_a_disabled_button_that_is_tapped_says_why_without_scripts_too(
    browser, live_server, client_of, connected, petra, project, unsendable
):
    cookie = client_of(petra).cookies["sessionid"].value
    for scripts in (True, False):
        context = browser.new_context(
            java_script_enabled=scripts, has_touch=True, viewport={"width": 390, "height": 800}
        )
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.goto(address_of(live_server, project, unsendable))
        page.get_by_role("button", name="Send to ERP", exact=True).tap(force=True)
        expect_reasons(page)
        assert page.url == address_of(live_server, project, unsendable)
        context.close()
    unsendable.refresh_from_db()
    assert unsendable.erp_state == ""
