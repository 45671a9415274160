"""The import of companies in a browser, from the file to the list."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from directory.models import Company
from tests.generator import csv_text, firms

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def upload(page: Page, live_server, account, project, sign_in, ada):
    """Choose a file on the project's import page as Ada."""

    def choose(content: str, *, name: str = "firms.csv") -> Page:
        sign_in(ada)
        address = reverse("directory:project_import", args=[account.pk, project.pk])
        page.goto(live_server.url + address)
        file = {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
        page.get_by_label("CSV or XLSX file").set_input_files(file)
        page.get_by_role("button", name="Upload and check").click()
        return page

    return choose


def test_a_file_goes_from_the_page_to_the_list(upload, project):
    invented = firms(40, seed=11)
    page = upload(csv_text(invented) + "x" * 256 + ",,,ZZ,,,,,,,,,\n")
    expect(page.get_by_role("heading", name="41 rows checked")).to_be_visible()
    errors = page.get_by_role("row").filter(has_text="at most 255 characters; it has 256")
    expect(errors).to_contain_text("is not a state of the United States")
    page.get_by_role("link", name="New 40").click()
    expect(errors).to_have_count(0)
    page.get_by_role("button", name="Import companies").click()
    expect(page.get_by_text("Some rows were not imported")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download what was not imported").click()
    assert download.value.suggested_filename == "firms-errors.csv"
    page.get_by_role("link", name="See the companies").click()
    expect(page.get_by_role("link", name=invented[0]["name"], exact=True)).to_be_visible()
    assert Company.objects.on_project(project.pk).count() == 40


def test_columns_nobody_knows_are_put_into_fields_by_the_person(upload):
    page = upload("who,where\nThree Rivers Glass,Frederick\n")
    expect(page.get_by_text("Choose the column that holds the company's name.")).to_be_visible()
    page.get_by_label("Field for the column who").select_option("Name")
    page.get_by_label("Field for the column where").select_option("City")
    page.get_by_role("button", name="Check with these columns").click()
    page.get_by_role("button", name="Import companies").click()
    expect(page.get_by_text("The file is imported.")).to_be_visible()
    assert Company.objects.values_list("name", "city").get() == ("Three Rivers Glass", "Frederick")


def test_a_damaged_workbook_is_refused_in_words(upload):
    page = upload("PK\x03\x04", name="firms.xlsx")
    expect(page.get_by_text("The workbook is damaged")).to_be_visible()
    assert not Company.objects.exists()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_the_import_is_wider_than_the_window(upload, width):
    page = upload(csv_text(firms(5)) + "N" * 400 + ",,,,,,,,,,,,\n")
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_text("Columns of the file", exact=True).first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
