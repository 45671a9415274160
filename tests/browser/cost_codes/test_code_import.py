"""The import of cost codes in a browser, from the file to the list and back to a file."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList
from erpbridge.files import workbooks

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = [
    ["Cost Code Level 1", "Cost Code Level 2", "Description"],
    ["01", "", "General"],
    ["01", "100", "Survey"],
    ["02", "100", "Clearing"],
]


@pytest.fixture
def code_list(account, ada) -> CodeList:
    return list_services.create(account=account, name="Residential", by=ada)


@pytest.fixture
def opened(page: Page, live_server, account, code_list, sign_in, ada) -> Page:
    """The list's page, as Ada."""
    sign_in(ada)
    page.goto(live_server.url + reverse("admin_wbs:list", args=[account.pk, code_list.pk]))
    return page


def test_a_workbook_goes_from_the_page_to_the_list_and_out_again(opened, code_list):
    page = opened
    page.get_by_role("link", name="Import", exact=True).click()
    content = workbooks.written(ROWS, title="Codes")
    file = {"name": "codes.xlsx", "mimeType": workbooks.CONTENT_TYPE, "buffer": content}
    page.get_by_label("CSV or Excel file").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("heading", name="3 rows checked")).to_be_visible()
    orphan = page.get_by_role("row").filter(has_text="Its parent 02 is missing")
    expect(orphan).to_contain_text("add one for 02")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Import 2 codes").click()
    expect(page.get_by_text("Some rows were not imported")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download what was not imported").click()
    assert download.value.suggested_filename == "codes-errors.csv"
    page.get_by_role("link", name="See the codes").click()
    page.locator(".more-actions summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export XLSX").click()
    rows = workbooks.read(download.value.path().read_bytes()).lines
    assert [row.cells for row in rows] == ROWS[1:3]


def test_an_empty_list_starts_with_the_starter_list(opened, code_list):
    expect(opened.get_by_text("choose Use the starter list under More")).to_be_visible()
    opened.locator(".more-actions summary").click()
    opened.get_by_role("button", name="Use the starter list").click()
    expect(opened.get_by_text("120 new")).to_be_visible()
    opened.get_by_role("button", name="Import 120 codes").click()
    expect(opened.get_by_text("The file is imported.")).to_be_visible()
    assert code_list.codes.count() == 120
