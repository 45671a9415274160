from django.urls import reverse

from tests.factories import PASSWORD


def test_signing_in_leads_to_the_account(live_server, page, ada, account):
    page.goto(live_server.url)
    page.get_by_label("E-mail address").fill(ada.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/accounts/{account.pk}/**")
    assert account.name in page.inner_text("body")


def test_a_wrong_password_is_told_beside_the_form(live_server, page, ada):
    page.goto(live_server.url + reverse("login"))
    page.get_by_label("E-mail address").fill(ada.email)
    page.locator("input[name=password]").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").wait_for()
    assert page.url.startswith(live_server.url + reverse("login"))


def test_a_policy_violation_would_fail_the_test(live_server, page, console_errors):
    page.goto(live_server.url + reverse("login"))
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    page.wait_for_timeout(200)
    assert any("Content Security Policy" in error for error in console_errors)
    console_errors.clear()
