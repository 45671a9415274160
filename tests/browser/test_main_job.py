"""Step by step: a company goes from the Project Directory to the ERP.

See docs/design/sending-to-erp.md, "Sending a company".
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from directory.models import ProjectCompany
from erp_integrations.models import Item
from erp_integrations.sendable import send
from erpbridge.access import policy
from erpbridge.access.levels import Level
from tests.browser.routes import to_project_directory
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


def by_edit(page: Page, name: str) -> None:
    page.get_by_role("link", name=f"Edit {name}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Edit {name}")


def by_the_name(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("open_it", [by_edit, by_the_name])
def test_the_seed_page_is_followed_along_each_of_its_routes(
    page, live_server, connected, petra, quarry, project, open_it, width
):
    page.set_viewport_size({"width": width, "height": 800})
    log_in(page, live_server.url, petra)
    to_project_directory(page, project)
    # 3. Click Edit next to the company. OR Click the company name. 4. Review the record.
    open_it(page, quarry.name)
    expect(page.get_by_text("Not in ERP")).to_be_visible()
    # 5. Click Send to ERP: in sight, without a scroll.
    send = page.get_by_role("button", name="Send to ERP").first
    expect(send).to_be_in_viewport()
    send.click()
    # If the Retrieve from ERP button appears, the data has already been sent.
    expect(page.get_by_role("button", name="Retrieve from ERP")).to_be_visible()
    expect(page.get_by_text("Waiting for accounting").first).to_be_visible()
    quarry.refresh_from_db()
    assert quarry.erp_state == "ready"
    # On the edit page too; it is retrieved there, edited, and sent again.
    page.goto(address_of(live_server, project, quarry) + "edit/")
    page.get_by_role("button", name="Retrieve from ERP").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Edit {quarry.name}")
    expect(page.get_by_role("button", name="Re-send to ERP").last).to_be_visible()
    page.get_by_label("City").fill("Dover")
    expect(page.get_by_role("button", name="Re-send to ERP")).to_have_count(0)
    page.get_by_role("button", name="Save and send").last.click()
    expect(page.get_by_text("was saved, and was sent to the ERP")).to_be_visible()
    item = Item.objects.latest("pk")
    assert (item.payload["city"], item.state) == ("Dover", "ready")


def test_a_name_that_is_too_long_is_mended_and_sent_in_one_click(
    page, live_server, connected, petra, quarry, project, console_errors
):
    quarry.name = "Quarry and Sons of the Harbor Incorporated"
    quarry.save()
    log_in(page, live_server.url, petra)
    to_project_directory(page, project)
    by_edit(page, quarry.name)
    send = page.get_by_role("button", name="Send to ERP", exact=True)
    tip = page.get_by_role("tooltip")
    for place in (send.first, send.last):
        expect(place).to_be_disabled()
        place.hover()
        expect(tip.filter(visible=True)).to_contain_text("30 characters or fewer; it has 42.")
    # Enter in a field saves, and sends nothing.
    page.locator("#id_name").fill("Quarry and Sons of the Harbour Inc")
    page.locator("#id_name").press("Enter")
    expect(page.get_by_text("was saved.")).to_be_visible()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("City").fill("Dover")
    page.get_by_role("button", name="Save and send").first.click()
    expect(page.get_by_text("Nothing was saved or sent")).to_be_visible()
    expect(page.get_by_label("City")).to_have_value("Dover")
    console_errors.clear()  # the browser calls the answer 409 an error
    page.locator("#id_name").fill("Quarry and Sons")
    page.get_by_role("button", name="Save and send").first.click()
    expect(page.get_by_role("button", name="Retrieve from ERP")).to_be_visible()
    quarry.refresh_from_db()
    assert (quarry.name, quarry.city, quarry.erp_state) == ("Quarry and Sons", "Dover", "ready")


def test_a_sent_company_is_accepted_by_accounting_and_arrives_in_the_erp(
    page, live_server, worker, connected, pat, petra, quarry, project
):
    access = policy.load(petra, project.account, project)
    assert send("vendor", [quarry.pk], access=access).done == 1
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
    page.get_by_role("button", name="Read again").click()
    # The page follows the job by itself.
    expect(page.get_by_text("The data of Ledger is up to date.")).to_be_visible()
    page.get_by_role("link", name="Back").last.click()
    expect(page.get_by_role("rowheader", name="QUARRYS001")).to_be_visible()
    expect(page.get_by_role("cell", name="Quarry & Sons, LLC")).to_be_visible()
    quarry.refresh_from_db()
    assert quarry.origin_code == "QUARRYS001"


@pytest.fixture
def unsendable(account, project):
    """A company on a project without ERP; it cannot be sent, for three reasons."""
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
    page.get_by_role("link", name="Go to project settings").focus()
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
