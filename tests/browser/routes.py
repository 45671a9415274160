"""The way to a record, by clicking only.

See docs/design/sending-to-erp.md, "Sending a company" and "Sending cost codes".
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect


def to_project_directory(page: Page, project: Any) -> None:
    """Steps 1 and 2 of the page on companies, from wherever a person of the project is."""
    # 1. Navigate to the Project level Directory tool.
    page.locator("details.place summary").filter(has_text="Project").click()
    page.locator(".menu-panel").get_by_role("link", name=str(project), exact=True).click()
    page.locator("details.tools summary").click()
    tools = page.get_by_role("list", name=str(project))
    tools.get_by_role("link", name="Directory", exact=True).click()
    expect(page.get_by_role("heading", name="Directory", level=1)).to_be_visible()
    # 2. Click the Companies tab.
    tabs = page.get_by_role("navigation", name="Directory")
    tabs.get_by_role("link", name="Companies", exact=True).click()


def to_cost_codes(page: Page, code_list: Any, *, several: bool) -> None:
    """Steps 1 to 4 of the page on cost codes, from wherever a person of the account is."""
    # 1. Navigate to the company's Admin tool.
    page.locator("details.tools summary").click()
    page.locator(".menu-panel").get_by_role("link", name="Admin", exact=True).click()
    expect(page.get_by_role("heading", name="Admin", level=1)).to_be_visible()
    # 2. Under Company Settings, click Work Breakdown Structure.
    settings = page.get_by_role("region", name="Company Settings")
    settings.get_by_role("link", name="Work Breakdown Structure").click()
    # 3. Under Segments, click Cost Code.
    segments = page.get_by_role("region", name="Segments")
    segments.get_by_role("link", name="Cost Code", exact=True).click()
    # 4. With several lists, select the ERP Standard Cost Codes list; the only one is open.
    if several:
        page.get_by_role("link", name=code_list.name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(code_list.name)
