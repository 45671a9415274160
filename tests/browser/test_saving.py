"""What saves itself as it is picked or typed: "saved" is said by the server alone.

Nothing typed is lost, whatever happens between browser and server; the faults are real ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from playwright.sync_api import Locator, Page, Route, expect

from admin_wbs.models import CodeCostType, CodeList, CostCode, Segment, SegmentItem
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erp_integrations.models import Item
from erpbridge.access import policy
from erpbridge.db.busy import DISK
from tests.admin_wbs import steps as codes
from tests.erp_integrations import steps
from tests.factories import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

PROXY = "<p>a page of a proxy</p>"
NOT_SAVED = {
    "offline": "Not saved: the server cannot be reached.",
    "signed out": "Not saved: you are no longer signed in.",
    403: "Not saved: you may not do this.",
    409: "Not saved: somebody else has changed it meanwhile.",
    500: "Not saved: something broke on the server (error 500).",
    503: f"Not saved: {DISK.reason}",
}


@dataclass
class Place:
    """A place of the product that saves itself: its page, the field and what to do with it."""

    name: str
    address: str
    change: Callable[[Page], Locator]
    again: str
    value: Callable[[Locator], None]
    stored: Callable[[], bool]


@pytest.fixture
def erp_list(account, ada) -> CodeList:
    steps.connect(account, by=ada)
    return CodeList.objects.get(account=account, connection_id__isnull=False)


@pytest.fixture
def erin(account):
    """Edits codes and accepts them."""
    user = UserFactory.create(name="Erin Everything")
    MembershipFactory.create(
        user=user, account=account, account_admin=True, can_push_to_accounting=True
    )
    return user


@pytest.fixture
def phase(account, ada) -> Segment:
    made = segment_services.add(account, name="Phase", tiered=True, by=ada)
    segment_items.add(made, code="01", description="Shell", by=ada)
    return made


@pytest.fixture
def to(live_server, account) -> Callable[..., str]:
    def url(name: str, *arguments: object) -> str:
        return live_server.url + reverse(name, args=[account.pk, *arguments])

    return url


def fails(page: Page, fault: str | int) -> None:
    """Every POST of the page meets the fault."""
    if fault == "signed out":
        page.context.clear_cookies(name="sessionid")
        return

    def meet(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
        elif fault == "offline":
            route.abort("internetdisconnected")
        else:
            body = render_to_string("503.html", {"trouble": DISK}) if fault == 503 else PROXY
            route.fulfill(status=int(fault), body=body)

    page.route("**/*", meet)


def places(to, erp_list: CodeList, phase: Segment, waiting: Item, other: CostCode) -> list[Place]:
    """Every place that saves as one picks or types."""

    def type_over(link: str, field: str, text: str) -> Callable[[Page], Locator]:
        def change(page: Page) -> Locator:
            page.get_by_role("link", name=link, exact=True).click()
            box = page.get_by_label(field, exact=True)
            box.fill(text)
            box.press("Enter")
            return box

        return change

    def type_row(code: str, text: str) -> Callable[[Page], Locator]:
        def change(page: Page) -> Locator:
            page.get_by_role("textbox", name="Code", exact=True).fill(code)
            page.get_by_role("textbox", name="Description", exact=True).fill(text)
            page.keyboard.press("Tab")
            return page.get_by_label("Description of an unsaved row")

        return change

    def pick_account(page: Page) -> Locator:
        box = page.get_by_label(f"GL Account – Income of {waiting.label}")
        box.fill("4000")
        box.press("Enter")
        return box

    def tick(page: Page) -> Locator:
        box = page.get_by_label(f"{other.full_code}: Labor")
        box.click()
        return box

    def holds(text: str) -> Callable[[Locator], None]:
        return lambda field: expect(field).to_have_value(text)

    code_list = to("admin_wbs:list", erp_list.pk)
    items = to("admin_wbs:segment_items", phase.pk)
    return [
        Place(
            "acceptance field",
            to("erp:items", "cost-codes"),
            pick_account,
            "Contract income – saved",
            holds("4000"),
            lambda: Item.objects.get(pk=waiting.pk).acceptance.get("income_account") == "4000",
        ),
        Place(
            "cost type",
            to("admin_wbs:matrix", erp_list.pk),
            tick,
            "ticked. Saved.",
            lambda box: expect(box).to_be_checked(),
            CodeCostType.objects.exists,
        ),
        Place(
            "renamed code",
            code_list,
            type_over(f"Edit {other}", f"Description of {other.full_code}", "Earth"),
            "02 Earth was saved.",
            holds("Earth"),
            CostCode.objects.filter(description="Earth").exists,
        ),
        Place(
            "new code",
            code_list,
            type_row("03", "Concrete"),
            "03 Concrete was added.",
            holds("Concrete"),
            CostCode.objects.filter(full_code="03", description="Concrete").exists,
        ),
        Place(
            "renamed item",
            items,
            type_over("Edit 01 Shell", "Description of 01", "Core"),
            "Saved 01.",
            holds("Core"),
            SegmentItem.objects.filter(description="Core").exists,
        ),
        Place(
            "new item",
            items,
            type_row("02", "Fit-out"),
            "Added 02 Fit-out.",
            holds("Fit-out"),
            SegmentItem.objects.filter(full_code="02", description="Fit-out").exists,
        ),
    ]


def test_no_place_says_saved_before_the_server_did_and_every_one_can_be_tried_again(
    page, sign_in, erin, to, phase, erp_list, ada, account, console_errors
):
    codes.tree(erp_list, ada, "01 General")
    access = policy.load(ada, account)
    assert access is not None
    codes.send(erp_list, access)
    (waiting,) = codes.waiting(erp_list)
    (other,) = codes.tree(erp_list, ada, "02 Site").values()
    sign_in(erin)
    page.on("dialog", lambda dialog: dialog.accept())
    for place in places(to, erp_list, phase, waiting, other):
        page.goto(place.address)
        for fault, words in NOT_SAVED.items():
            case = f"{place.name}, {fault}"
            fails(page, fault)
            if fault == "offline":
                field = place.change(page)
            else:
                page.get_by_role("button", name="Try again").click()
            expect(page.locator("[data-not-saved]"), case).to_contain_text(words)
            expect(page.locator("main"), case).not_to_contain_text(place.again)
            place.value(field)
            assert not place.stored(), case
            page.unroute_all()
            sign_in(erin)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("main"), place.name).to_contain_text(place.again)
        expect(page.locator("[data-not-saved]"), place.name).to_have_count(0)
        assert place.stored(), place.name
    console_errors.clear()


def type_rows(page: Page, rows: list[str]) -> None:
    """As a quick typist does: one key after the other, without looking at the page."""
    page.get_by_role("textbox", name="Code", exact=True).focus()
    for row in rows:
        code, _, text = row.partition(" ")
        page.keyboard.type(code)
        page.keyboard.press("Tab")
        page.keyboard.type(text)
        page.keyboard.press("Tab")


@pytest.fixture
def slow(page: Page) -> Iterator[list[str]]:
    """Every POST takes its time; what was posted, in order."""
    posted: list[str] = []

    def delay(route: Route) -> None:
        if route.request.method == "POST":
            posted.append(route.request.post_data or "")
            time.sleep(0.4)
        route.continue_()

    page.route("**/*", delay)
    yield posted
    page.unroute_all()


ROWS = [
    "10 Concrete",
    "20 Masonry",
    "30 Metals",
    "40 Wood",
    "50 Thermal",
    "60 Openings",
    "70 Finishes",
    "80 Specialties",
]


def test_eight_rows_typed_while_the_server_is_slow_arrive_as_typed_and_in_order(
    page, sign_in, erin, to, erp_list, slow
):
    sign_in(erin)
    page.goto(to("admin_wbs:list", erp_list.pk))
    type_rows(page, ROWS)
    expect(page.locator("tr.typed")).not_to_have_count(0)
    expect(page.locator("tr.typed")).to_have_count(0, timeout=30_000)
    stored = CostCode.objects.filter(list=erp_list).order_by("pk")
    assert [str(code) for code in stored] == ROWS
    assert len(slow) == len(ROWS)
    expect(page.get_by_role("textbox", name="Code", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Send to ERP (8)")).to_be_enabled()
    assert page.get_by_text("The list was changed").count() == 0


def test_a_refused_row_stays_with_its_reason_and_holds_up_no_other(
    page, sign_in, erin, to, erp_list, ada
):
    codes.tree(erp_list, ada, "20 Masonry")
    sign_in(erin)
    page.goto(to("admin_wbs:list", erp_list.pk))
    type_rows(page, ["10 Concrete", "20 Bricks", "30 Metals"])
    expect(page.locator("#said")).to_contain_text("30 Metals was added.")
    refused = page.locator("tr.typed")
    expect(refused).to_contain_text("20 is taken by Masonry.")
    expect(refused.get_by_label("Description")).to_have_value("Bricks")
    refused.get_by_label("Code").fill("21")
    refused.get_by_label("Code").press("Enter")
    expect(page.locator("#said")).to_contain_text("21 Bricks was added.")
    expect(refused).to_have_count(0)


def test_rows_behind_one_that_did_not_get_through_wait_and_go_in_order_afterwards(
    page, sign_in, erin, to, erp_list, console_errors
):
    sign_in(erin)
    page.goto(to("admin_wbs:list", erp_list.pk))
    fails(page, "offline")
    type_rows(page, ROWS[:4])
    rows = page.locator("tr.typed")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("Not saved yet: it waits for the row below")
    expect(rows.nth(3)).to_contain_text("Not saved: the server cannot be reached.")
    assert not CostCode.objects.filter(list=erp_list).exists()
    rows.nth(1).get_by_role("button", name="Discard").click()
    page.unroute_all()
    rows.get_by_role("button", name="Try again").click()
    expect(rows).to_have_count(0)
    stored = CostCode.objects.filter(list=erp_list).order_by("pk")
    assert [str(code) for code in stored] == [ROWS[0], ROWS[1], ROWS[3]]
    console_errors.clear()


def test_a_row_whose_answer_was_lost_is_there_once_and_said_to_be(
    page, sign_in, erin, to, erp_list, console_errors
):
    sign_in(erin)
    page.goto(to("admin_wbs:list", erp_list.pk))

    def lose_the_answer(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        route.fetch()
        route.abort("connectionreset")

    page.route("**/*", lose_the_answer)
    type_rows(page, ROWS[:1])
    expect(page.locator("tr.typed")).to_contain_text("Not saved: the server cannot be reached.")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#said")).to_contain_text("10 Concrete was added.")
    assert [str(code) for code in erp_list.codes.all()] == ROWS[:1]
    console_errors.clear()
