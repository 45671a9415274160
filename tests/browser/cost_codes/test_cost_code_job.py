"""Cost codes, step by step and on to the ERP's own books.

See docs/design/sending-to-erp.md, "Sending cost codes".
"""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Connection
from erpbridge.access.levels import Level
from erpbridge.access.models import User
from tests.admin_wbs import steps as codes
from tests.browser.routes import to_cost_codes
from tests.browser.test_main_job import log_in, log_out
from tests.erp_integrations import steps
from tests.factories import MembershipFactory, UserFactory
from tests.tryton import Erp, serving

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ("01 General", "01-100 Survey", "01-100-10 Stakes", "02 Site work", "02-200 Clearing")
# Code, name, type and the code of its parent, of everything under the root of the cost codes.
TREE = """
SELECT one.code, one.name, one.type, parent.code AS parent
FROM analytic_account_account AS one
JOIN analytic_account_account AS parent ON parent.id = one.parent
ORDER BY one.code
"""


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory):
    with serving(tmp_path_factory.mktemp("tryton")) as server:
        yield server.erp()


@pytest.fixture
def in_tryton(erp: Erp, account, ada) -> Connection:
    made = connection_settings.create(
        account=account,
        name="Tryton",
        adapter="tryton",
        config={"url": erp.url, "company": str(erp.facts["company"]), "root": "COSTCODES"},
        secrets={"key": erp.facts["key"]},
        by=ada,
    )
    connection_services.activate(made, by=ada)
    assert connection_services.test(made, by=ada), made.test_result
    assert connection_services.refresh(made, by=ada), made.refresh_problem
    return made


@pytest.fixture
def cora(account) -> User:
    """Admin of the company's Admin tool, and of nothing else."""
    user = UserFactory.create(name="Cora Codes")
    MembershipFactory.create(user=user, account=account, admin=Level.ADMIN)
    return user


def filled(account, by: User) -> CodeList:
    """The ERP list with codes that nobody has sent, and a second list."""
    code_list = list_services.erp_list(account.pk)
    assert code_list is not None
    codes.tree(code_list, by, *ROWS)
    list_services.create(account=account, name="Residential", by=by)
    return code_list


def send_as_the_seed_page_tells(page: Page, address: str, code_list: CodeList, cora: User) -> None:
    log_in(page, address, cora)
    to_cost_codes(page, code_list, several=True)
    expect(page.get_by_text("5 unsynced")).to_be_visible()
    # 5. Click Send to ERP.
    page.get_by_role("button", name="Send to ERP (5)").click()
    page.wait_for_url("**/requests/**")
    expect(page.get_by_text("5 cost codes sent")).to_be_visible()
    log_out(page)


def open_grid(page: Page, address: str, code_list: CodeList, pat: User) -> None:
    log_in(page, address, pat)
    page.goto(address + reverse("erp:items", args=[code_list.account_id, "cost-codes"]))
    expect(page.get_by_role("rowheader")).to_have_text(list(ROWS))


def test_codes_go_from_the_list_to_tryton_where_they_stand_as_a_tree(
    page, live_server, worker, erp, in_tryton, account, ada, cora, pat
):
    code_list = filled(account, ada)
    send_as_the_seed_page_tells(page, live_server.url, code_list, cora)

    # Accounting rejects one with a reason, and exports the rest.
    open_grid(page, live_server.url, code_list, pat)
    page.get_by_role("checkbox", name="02-200 Clearing").check()
    page.get_by_role("button", name="Reject ticked").click()
    page.get_by_label("Reason").fill("Booked with 02.")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(page.get_by_text("1 Cost Code Rejected")).to_be_visible()
    page.get_by_role("link", name="Go to ERP Integrations").click()
    page.get_by_role("button", name="Export all").click()
    page.get_by_role("button", name="Export", exact=True).click()
    # The page follows the export by itself.
    expect(page.get_by_text("4 of 4 synced")).to_be_visible(timeout=60_000)
    expect(page.locator("#click-items").get_by_text("Synced")).to_have_count(4, timeout=15_000)

    root = [row["parent"] for row in erp.rows(TREE) if row["code"] == "01"]
    assert [(row["code"], row["name"], row["parent"]) for row in erp.rows(TREE)] == [
        ("01", "General", *root),
        ("01-100", "Survey", "01"),
        ("01-100-10", "Stakes", "01-100"),
        ("02", "Site work", *root),
    ]

    # The sender reads why one was rejected, corrects it and sends it again.
    log_out(page)
    log_in(page, live_server.url, cora)
    page.goto(live_server.url + reverse("admin_wbs:list", args=[account.pk, code_list.pk]))
    page.get_by_role("link", name="1 rejected").click()
    expect(page.get_by_text("Booked with 02.")).to_be_visible()
    page.get_by_role("link", name="Edit 02-200 Clearing").click()
    page.get_by_label("Description of 02-200").fill("Clearing of trees")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Edit 02-200 Clearing of trees")).to_be_visible()
    page.get_by_role("button", name="Re-send to ERP (1)").click()
    expect(page.get_by_text("1 Cost Code Sent")).to_be_visible()


@pytest.fixture
def simulated(account, ada) -> Connection:
    return steps.connect(account, by=ada)


@pytest.fixture
def sent(account, ada, cora, simulated, page, live_server, pat) -> CodeList:
    """Five codes that wait for Pat to accept them."""
    code_list = filled(account, ada)
    send_as_the_seed_page_tells(page, live_server.url, code_list, cora)
    open_grid(page, live_server.url, code_list, pat)
    return code_list


def test_accounts_are_picked_by_keyboard_filled_and_exported(page, worker, simulated, sent):
    # Enter goes down the column, and every value is saved as it is picked.
    page.get_by_label("GL Account – Income of 01 General").focus()
    page.keyboard.type("4010")
    page.keyboard.press("Enter")
    expect(page.get_by_label("GL Account – Income of 01-100 Survey")).to_be_focused()
    expect(page.get_by_role("row", name="01 General")).to_contain_text(
        "Change order income – saved"
    )
    page.keyboard.type("nonsense")
    page.keyboard.press("Enter")
    survey = page.get_by_role("row", name="01-100 Survey")
    expect(survey).to_contain_text("nonsense is not one of the ERP's own")

    # A row that shows a value which was not saved is not exported.
    page.get_by_role("checkbox", name="01-100 Survey").check()
    page.get_by_role("button", name="Export ticked").click()
    expect(page.get_by_text("Nothing was exported")).to_be_visible()

    # The rest of one division by hand, of the other by a rule of its own.
    page.get_by_label("with", exact=True).fill("4000")
    page.get_by_label("in", exact=True).select_option("01")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Fill column").click()
    expect(page.get_by_text("2 rows were changed")).to_be_visible()
    page.get_by_role("link", name="Default rules").click()
    page.get_by_label("Code begins with").fill("02")
    page.get_by_label("Value").fill("4900")
    page.get_by_role("button", name="Add rule").click()
    expect(page.get_by_role("cell", name="4900 Other income")).to_be_visible()
    page.get_by_role("link", name="Cost Codes", exact=True).first.click()
    page.get_by_role("button", name="Fill by default rules").click()
    expect(page.get_by_text("2 rows were changed")).to_be_visible()

    page.get_by_role("button", name="Export all").click()
    expect(page.get_by_role("heading", name="Export 5 cost codes?")).to_be_visible()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("5 of 5 synced")).to_be_visible(timeout=60_000)
    assert sorted(codes.in_erp(simulated)) == [tuple(row.split(" ", 1)) for row in ROWS]
    records = steps.adapter_of(simulated).pull("cost_code").records
    accounts = {record.erp_code: record.data["income_account"] for record in records}
    assert accounts == {
        "01": "4010", "01-100": "4000", "01-100-10": "4000", "02": "4900", "02-200": "4900",
    }  # fmt: skip


def test_what_the_erp_refused_is_retried_alone(page, live_server, worker, simulated, sent):
    steps.break_erp(simulated, "refuse", match="02")
    page.get_by_label("with", exact=True).fill("4000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("5 rows were changed")).to_be_visible()
    page.get_by_role("button", name="Export all").click()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text(re.compile("3 of 5 synced, 1 failed"))).to_be_visible(timeout=60_000)
    row = page.locator("#click-items tr").filter(has_text="02-200")
    expect(row).to_contain_text("waits for 02 Site work, which the ERP refused", timeout=15_000)
    page.get_by_role("link", name="Go to ERP Integrations").click()
    page.get_by_role("link", name=re.compile("Failed to export")).click()
    page.get_by_role("button", name="Retry all").click()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("1 of 1 synced")).to_be_visible(timeout=60_000)
    page.goto(live_server.url + reverse("erp:items", args=[sent.account_id, "cost-codes"]))
    page.get_by_role("link", name=re.compile("Synced")).click()
    expect(page.get_by_role("rowheader")).to_have_count(5, timeout=30_000)


def test_without_scripts_what_is_typed_in_rows_is_kept_when_a_column_is_filled(
    browser, live_server, client_of, pat, simulated, sent
):
    context = browser.new_context(java_script_enabled=False)
    cookie = client_of(pat).cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + reverse("erp:items", args=[sent.account_id, "cost-codes"]))
    page.get_by_label("GL Account – Income of 02 Site work").fill("4900")
    page.get_by_label("with", exact=True).fill("4000")
    page.get_by_role("button", name="Fill column").click()
    values = [field.input_value() for field in page.locator("input[name$='-income_account']").all()]
    assert values == ["4000", "4000", "4000", "4900", "4000"]
    page.get_by_role("button", name="Export all").click()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("5 cost codes accepted")).to_be_visible()
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_grid_fits_its_window_and_is_accessible(page, live_server, sent, simulated, width):
    page.set_viewport_size({"width": width, "height": 900})
    grid = reverse("erp:items", args=[sent.account_id, "cost-codes"])
    for path in (grid, f"{grid}?division=02", f"{grid}defaults/"):
        page.goto(live_server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        report = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})
        wrong = [
            (violation["id"], [node["html"] for node in violation["nodes"]])
            for violation in report.response["violations"]
        ]
        assert wrong == [], f"{path} at {width}"
