"""What only a browser can show: keyboard, scripts, narrow screens. Needs Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from erpbridge.access.models import Account, Project, User
from tests.factories import ProjectFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
]
WIDTHS = (1280, 390)


@pytest.fixture
def entered(page: Any, live_server: Any, sign_in: Callable[[User], None], ada: User) -> Any:
    """A browser tab in which Ada is signed in; addresses are relative to the server."""
    sign_in(ada)
    page.at = lambda path: page.goto(f"{live_server.url}{path}")
    return page


def test_menus_open_by_keyboard_and_close_on_escape(entered: Any, account: Account) -> None:
    entered.at(f"/accounts/{account.pk}/projects/")
    tools = entered.locator("details.tools")
    tools.locator("summary").focus()
    entered.keyboard.press("Enter")
    assert tools.get_by_role("link", name="People").is_visible()
    entered.keyboard.press("Escape")
    assert not tools.get_by_role("link", name="People").is_visible()


def test_the_menus_work_without_scripts(
    browser: Any, live_server: Any, client_of: Callable[[User], Any], ada: User, account: Account
) -> None:
    context = browser.new_context(java_script_enabled=False)
    cookie = client_of(ada).cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/{account.pk}/projects/")
    page.locator("details.you summary").click()
    assert page.get_by_role("button", name="Log out").is_visible()
    assert not page.get_by_role("link", name="Account settings").is_visible()
    context.close()


def test_nothing_is_wider_than_the_screen_and_all_is_accessible(
    entered: Any, account: Account, project: Project
) -> None:
    ProjectFactory.create_batch(30, account=account)
    for width in WIDTHS:
        entered.set_viewport_size({"width": width, "height": 800})
        for path in (f"/accounts/{account.pk}/projects/", "/password/"):
            entered.at(path)
            assert entered.evaluate("document.documentElement.scrollWidth") <= width
            report = Axe().run(entered, options={"runOnly": ["wcag2a", "wcag2aa"]})
            assert report.response["violations"] == [], f"{path} at {width}"


def test_typed_changes_are_not_left_behind_unasked(entered: Any) -> None:
    entered.at("/password/")
    asked: list[str] = []

    def leave(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.accept()

    entered.on("dialog", leave)
    entered.fill("[name=old_password]", "something")
    entered.at("/")
    assert asked == ["beforeunload"]
