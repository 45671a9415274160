"""What is typed or pasted is kept whole, counted as it is stored, and refused if too long."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from directory.models import Company
from tests.erp_integrations.conftest import connection
from tests.factories import CodeListFactory, CompanyFactory

__all__ = ["connection"]

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "03-300-CAST-IN-PLACE-CONCRETE-NORTHWING"
PASTE = """(field, text) => {
  field.focus();
  document.execCommand("insertText", false, text);
}"""


def paste(field: Locator, text: str) -> None:
    """As from a clipboard: the browser heeds a maxlength, as ``fill`` would not."""
    field.evaluate(PASTE, text)


def test_a_code_that_is_too_long_is_kept_said_and_refused(
    page: Page, live_server, sign_in, account, ada
):
    assert len(LONG) == 39
    codes = CodeListFactory.create(account=account)
    sign_in(ada)
    page.goto(live_server.url + reverse("admin_wbs:list", args=[account.pk, codes.pk]))
    code = page.get_by_label("Code", exact=True).last
    paste(code, LONG)
    expect(code).to_have_value(LONG)
    expect(page.get_by_text("At most 30 characters; these are 39.")).to_be_visible()
    page.get_by_label("Description", exact=True).last.fill("Concrete")
    page.get_by_role("button", name="Add code", exact=True).click()
    refused = page.get_by_role("row").filter(has_text="at most 30 characters (it has 39)")
    expect(refused.get_by_role("textbox").first).to_have_value(LONG)
    assert not codes.codes.exists()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_name_that_is_too_long_is_said_beside_it(
    page: Page, live_server, sign_in, account, ada, width
):
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(ada)
    page.goto(live_server.url + reverse("admin_wbs:list_add", args=[account.pk]))
    name = page.get_by_label("Name", exact=False).first
    paste(name, "n" * 151)
    expect(page.get_by_text("At most 150 characters; these are 151.")).to_be_visible()
    page.get_by_role("button", name="Add list").click()
    assert name.evaluate("field => field.validationMessage") != ""
    paste(name, "")
    name.fill("n" * 150)
    expect(page.get_by_text("At most 150 characters")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# Text -> how many characters of it are stored.
COUNTED = {
    "  Quarry  &  Sons  ": 15,
    "e\u0301lectricite\u0301": 11,
    "soft\u00adhyphen and zero\u200bwidth": 24,
    "flag \U0001f3d7\ufe0f": 6,
    "two\u00a0\u00a0blanks": 10,
    "\u2800braille\u2800": 7,
    "O\u2019Hara": 6,
}


def test_a_counter_counts_what_is_stored(
    page: Page, live_server, sign_in, account, ada, connection
):
    company = CompanyFactory.create(account=account)
    sign_in(ada)
    page.goto(
        live_server.url + reverse("directory:account_company_edit", args=[account.pk, company.pk])
    )
    for text, length in COUNTED.items():
        page.locator("#id_name").fill(text)
        expect(page.locator("#id_name_counter")).to_contain_text(f"{length} characters.")
    page.locator("#id_notes").fill("two\nlines")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    stored = Company.objects.get()
    assert (stored.name, stored.notes) == ("O\u2019Hara", "two\nlines")
