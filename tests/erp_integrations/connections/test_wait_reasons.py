"""Why something waits, and until when, is said wherever somebody waits because of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.urls import reverse

from admin_wbs.models import CodeList
from erp_integrations.clock import moment, now
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import wait_reasons
from erp_integrations.connections.wait_reasons import Cause
from erp_integrations.models import Connection, Halt, Item
from tests.admin_wbs.steps import send as send_codes
from tests.admin_wbs.steps import tree
from tests.db.transactions import taken_back
from tests.erp_integrations import steps
from tests.factories import CompanyFactory
from tests.rest.fixtures import EVERYTHING, Service, service_of

SOON = timedelta(minutes=3)


def in_a_while(at: datetime | None, wait: timedelta) -> bool:
    """By the wall clock, whatever the measured one reads; both go on while a test runs."""
    return at is not None and abs(at - moment().wall - wait) < timedelta(seconds=30)


def fail_the_test(connection: Connection, ada) -> None:
    steps.change_config(connection, fault="down")
    assert not connection_services.test(connection, by=ada)


def be_down(connection: Connection, ada) -> None:
    Connection.objects.update(breaker_failures=7, breaker_until=now() + SOON)


def pause(connection: Connection, ada) -> None:
    connection_services.pause(connection, by=ada, reason="Year-end closing")


def refuse_the_login(connection: Connection, ada) -> None:
    connection_services.halt(connection, Halt.LOGIN, message="Password expired")
    Connection.objects.update(breaker_until=now() + SOON)


def forbid_the_host(connection: Connection, ada) -> None:
    connection_services.halt(connection, Halt.SETUP, message="Address: erp.internal is not called.")
    Connection.objects.update(breaker_until=now() + SOON)


def ask_with_wrong_passwords(connection: Connection, ada) -> None:
    Connection.objects.update(inbound_locked_until=now() + SOON)


def use_up_the_rate(connection: Connection, ada) -> None:
    Connection.objects.update(next_slot_at=now() + SOON)


def lose_the_adapter(connection: Connection, ada) -> None:
    Connection.objects.update(adapter="gone")


# How it is caused, what is shown, and whether the time of the next attempt is known.
CAUSES: dict[Cause, tuple[Callable[..., None], str, bool]] = {
    Cause.TEST_FAILED: (fail_the_test, "failed: Connection to the simulator refused.", False),
    Cause.OUTAGE: (be_down, "7 calls failed in a row", True),
    Cause.PAUSED: (pause, "Year-end closing", False),
    Cause.LOGIN: (refuse_the_login, "The ERP refuses the login: Password expired", True),
    Cause.SETUP: (
        forbid_the_host,
        "Address: erp.internal is not called. An ERP administrator has to correct the settings",
        True,
    ),
    Cause.WRONG_PASSWORDS: (
        ask_with_wrong_passwords,
        "called several times with a wrong password",
        True,
    ),
    Cause.HELD_BACK: (use_up_the_rate, "takes no more for now", True),
    Cause.UNUSABLE: (lose_the_adapter, "cannot be used: ", False),
}


@pytest.fixture
def page_of(client_of, ada, account) -> Callable[..., str]:
    """A page of the account as Ada reads it, by the name of its route."""

    def page_text(name: str, *path: object, **query: str) -> str:
        url = reverse(name, args=[account.pk, *path])
        return unescape(client_of(ada).get(url, query, follow=True).content.decode())

    return page_text


@pytest.fixture
def sent(connection, account, ada, access_of) -> Item:
    """A company and a cost code that waited for accounting before the problem began."""
    tree(CodeList.objects.get(connection_id=connection.pk), ada, "01 General")
    send_codes(CodeList.objects.get(connection_id=connection.pk), access_of(ada))
    company = CompanyFactory.create(account=account, name="Quarry & Sons, LLC")
    (item,) = steps.send_all([company], access_of(ada))
    return item


def test_every_cause_is_said_on_every_surface(
    connection, sent, account, ada, pat, client_of, access_of, page_of
):
    for cause in CAUSES:
        with taken_back():
            walk(cause, connection, sent, account, ada, pat, client_of, access_of, page_of)
        connection.refresh_from_db()


def walk(cause: Cause, connection, sent, account, ada, pat, client_of, access_of, page_of) -> None:
    """Cause the problem, then read every place that must explain it."""
    bring_about, words, tried_again = CAUSES[cause]
    other = CompanyFactory.create(account=account, name="Tern Paving")
    accepted, *_ = steps.send_all([other], access_of(ada))
    assert steps.decide([accepted], access_of(pat)).done == 1
    bring_about(connection, ada)
    connection.refresh_from_db()
    code_list = CodeList.objects.get(connection_id=connection.pk)

    surfaces = {
        "health": page_of("erp:health"),
        "connection": page_of("erp:connection"),
        "what waits for a decision": page_of("erp:items", "companies"),
        "what is on its way": page_of("erp:items", "companies", status="exporting"),
        "an item that waits for a decision": page_of("erp:item", sent.public_id),
        "an accepted item": page_of("erp:item", accepted.public_id),
        "where an accepted item stands": page_of("erp:item_status", accepted.public_id),
        "the sender's record": page_of("directory:account_company", sent.record_id),
        "the accepted record": page_of("directory:account_company", accepted.record_id),
        "the record's edit page": page_of("directory:account_company_edit", sent.record_id),
        "the list of codes": page_of("admin_wbs:list", code_list.pk),
        "a code": page_of("admin_wbs:code", code_list.codes.get().pk),
        "what the click of sending did": page_of("erp:request", sent.sent_in_id),
    }
    if cause != Cause.UNUSABLE:
        surfaces |= _answers_to_accept(sent, account, ada, pat, client_of, access_of)
    silent = [name for name, text in surfaces.items() if words not in text]
    assert silent == [], cause
    if tried_again:
        untimed = [name for name, text in surfaces.items() if "Next attempt: " not in text]
        assert untimed == [], cause

    api = service_of(account, ada, "Sync", Service(levels=EVERYTHING, can_push_to_accounting=True))
    base = f"companies/{account.pk}"
    answers = {
        "an item": api.get(f"{base}/erp_queue/{accepted.pk}"),
        "a record": api.get(f"{base}/vendors/{accepted.record_id}/erp_status"),
        "a click": api.get(f"{base}/erp_requests/{accepted.sent_in_id}"),
    }
    waits = {name: answer.json()["waits"] for name, answer in answers.items()}
    waits["the queue"] = api.get(f"{base}/erp_queue?filters[id]={accepted.pk}").json()[0]["waits"]
    for name, wait in waits.items():
        assert wait["cause"] == cause, name
        assert words in wait["message"], name
        assert bool(wait["next_try_at"]) == tried_again, name


def _answers_to_accept(sent, account, ada, pat, client_of, access_of) -> dict[str, str]:
    """What an approver reads after accepting one item on its page, and one in a bulk."""
    companies = CompanyFactory.create_batch(2, account=account)
    waiting = Item.objects.filter(pk=sent.pk)
    item = waiting.get()
    url = reverse("erp:item_accept", args=[account.pk, item.public_id])
    values = {"vendor_id": "QUARRY01", "vendor_type": "SUB", "digest": item.digest}
    single = client_of(pat).post(url, values, follow=True)
    assert Item.objects.get(pk=sent.pk).state == "queued", single.content.decode()
    assert "on its way to the ERP" not in single.content.decode()
    many = steps.decide([_another(companies[0], item)], access_of(pat))
    page = client_of(pat).get(reverse("erp:request", args=[account.pk, many.request_id]))
    return {
        "the answer to accept": unescape(single.content.decode()),
        "the answer to accepting many": unescape(page.content.decode()),
    }


def _another(company, like: Item) -> Item:
    """An item that waits beside the first: a failed test lets nothing new be sent."""
    draft = {
        name: getattr(like, name)
        for name in ("account", "connection", "entity", "operation", "revision", "payload")
    }
    return Item.objects.create(
        **draft,
        record_id=company.pk,
        label=company.name,
        digest="0" * 64,
        sent_by=like.sent_by,
        state="ready",
    )


def test_while_all_goes_well_nobody_is_told_of_anything(
    connection, sent, account, ada, pat, access_of, page_of
):
    steps.decide([sent], access_of(pat))
    assert wait_reasons.of_connection(connection) is None
    sent.refresh_from_db()
    assert wait_reasons.of_item(sent) is None
    for text in (page_of("erp:item", sent.public_id), page_of("erp:items", "companies")):
        assert "Next attempt" not in text
        assert "Working" in page_of("erp:health")


def test_item_whose_try_failed_says_what_the_erp_said_and_when_it_is_tried_again(
    connection, accepted_item, account, page_of
):
    steps.break_erp(connection, "down", times=9)
    steps.export(connection)
    Item.objects.update(not_before=now() + SOON)
    accepted_item.refresh_from_db()
    wait = wait_reasons.of_item(accepted_item)
    assert wait.cause == Cause.RETRY
    assert "Tried once. The ERP said: Connection to the simulator refused." in wait.why
    assert in_a_while(wait.next_try_at, SOON)
    for text in (
        page_of("erp:item", accepted_item.public_id),
        page_of("directory:account_company", accepted_item.record_id),
        page_of("erp:items", "companies", status="exporting"),
    ):
        assert wait.until in text
        assert "Connection to the simulator refused." in text


def test_item_is_tried_no_earlier_than_itself_allows(connection, accepted_item, ada):
    be_down(connection, ada)
    Item.objects.update(not_before=now() + 2 * SOON)
    item = Item.objects.select_related("connection").get()
    assert in_a_while(wait_reasons.of_item(item).next_try_at, 2 * SOON)


def test_many_items_ask_once_about_their_connection(
    connection, account, ada, access_of, django_assert_num_queries
):
    steps.send_all(CompanyFactory.create_batch(20, account=account), access_of(ada))
    pause(connection, ada)
    items = list(Item.objects.select_related("connection"))
    with django_assert_num_queries(1):
        assert len(wait_reasons.of_items(items)) == 20
