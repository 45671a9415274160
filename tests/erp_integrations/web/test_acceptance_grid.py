"""The acceptance grid: values saved as they are picked, filled for many rows, or by a rule."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_wbs.models import CodeList
from erp_integrations.connections.adapter_loading import entity_manifest
from erp_integrations.models import AcceptanceDefault, Item, Link, Request
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import default_rules, field_values
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from tests.admin_wbs import steps
from tests.erp_integrations.steps import export, reasons
from tests.forms import shown_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def erp_list(connection):
    return CodeList.objects.get(connection_id=connection.pk)


@pytest.fixture
def items(erp_list, ada, access_of) -> list[Item]:
    rows = ("01 General", "01-100 Survey", "02 Site", "02-200 Clearing")
    steps.tree(erp_list, ada, *rows)
    steps.send(erp_list, access_of(ada))
    return steps.waiting(erp_list)


@pytest.fixture
def pats(client_of, pat, account):
    """Pat's client, and the address of a page of the cost codes."""
    client = client_of(pat)

    def address(name: str) -> str:
        return reverse(f"erp:{name}", args=[account.pk, "cost-codes"])

    return client, address


def account_of(item: Item, field: str = "income_account") -> str:
    item.refresh_from_db()
    return item.acceptance.get(field, "")


def value(item: Item, field: str = "income_account") -> str:
    return f"value-{item.pk}-{field}"


def texts(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_the_page_has_an_input_for_each_account_of_each_row(pats, items):
    client, address = pats
    page = client.get(address("items")).content.decode()
    for item in items:
        assert f'name="{value(item)}"' in page
        assert f'name="{value(item, "expense_account")}"' in page
    assert '<option value="4000">' in page


def test_rows_stand_as_in_the_list_and_say_what_the_erp_calls_their_account(pats, items):
    client, address = pats
    client.post(address("values"), {value(items[0]): "4000"})
    answer = client.get(address("items"))
    labels = [row["item"].label for row in answer.context["rows"]]
    assert labels == ["01 General", "01-100 Survey", "02 Site", "02-200 Clearing"]
    assert answer.context["rows"][0]["inputs"][0]["meaning"] == "Contract income"


def test_who_cannot_open_the_lists_is_not_led_there(
    pats, items, connection, access_of, pat, account
):
    done = steps.accept(items, access_of(pat))
    export(connection)
    client, address = pats
    listed = client.get(address("items") + "?status=synced")
    assert {row["record_url"] for row in listed.context["rows"]} == {""}
    click = client.get(reverse("erp:request", args=[account.pk, done.request_id]))
    assert "Go to Cost Codes" not in click.content.decode()
    item = client.get(listed.context["rows"][0]["url"])
    assert "Open cost code" not in item.content.decode()


def test_synced_codes_are_listed_by_division_whether_exported_or_linked(
    pats, items, connection, access_of, pat
):
    steps.accept(items, access_of(pat))
    export(connection)
    # A link that was made without an export keeps no payload of its own: its item has it.
    Link.objects.filter(item__payload__path__0="02").update(synced_payload={})
    client, address = pats
    page = client.get(address("items") + "?status=synced&division=02")
    assert page.context["divisions"] == ["01", "02"]
    assert sorted(row["link"].label[:6].strip() for row in page.context["rows"]) == [
        "02 Sit",
        "02-200",
    ]


def test_what_is_picked_is_saved_at_once(pats, items):
    client, address = pats
    answer = client.post(
        address("values"), {value(items[0]): "4000"}, headers={"HX-Request": "true"}
    )
    assert 'Contract income – <span class="saved">saved</span>' in answer.content.decode()
    assert account_of(items[0]) == "4000"
    assert account_of(items[1]) == ""


def test_an_account_that_the_erp_does_not_have_is_told_and_the_old_one_stays(pats, items):
    client, address = pats
    client.post(address("values"), {value(items[0]): "4000"})
    answer = client.post(
        address("values"), {value(items[0]): "9999999"}, headers={"HX-Request": "true"}
    )
    assert "9999999 is not one of the ERP" in answer.content.decode()
    assert account_of(items[0]) == "4000"


def test_a_row_that_somebody_decided_meanwhile_is_told_with_who(
    pats, items, ada, access_of, account
):
    account.senders_may_accept_own = True
    account.save()
    steps.accept(items[:1], access_of(ada))
    client, address = pats
    answer = client.post(
        address("values"), {value(items[0]): "4000"}, headers={"HX-Request": "true"}
    )
    assert "decided by Ada Admin" in answer.content.decode()


def test_a_column_is_filled_where_it_is_empty(pats, items):
    client, address = pats
    client.post(address("values"), {value(items[0]): "4000"})
    fill = {"field": "income_account", "fill_value": "4010", "only_empty": "1", "query": ""}
    client.post(address("fill"), fill)
    assert [account_of(item) for item in items] == ["4000", "4010", "4010", "4010"]


@pytest.mark.parametrize("typed", ["40\u200b10\n", "\u00a04010\ufeff"])
def test_what_is_filled_or_picked_is_saved_as_one_line(pats, items, typed):
    client, address = pats
    client.post(address("values"), {value(items[0]): typed})
    client.post(
        address("fill"),
        {"field": "income_account", "fill_value": typed, "only_empty": "1", "query": ""},
    )
    assert [account_of(item) for item in items] == ["4010"] * 4


def test_filling_with_what_cannot_be_seen_fills_nothing(pats, items):
    client, address = pats
    client.post(address("values"), {value(items[0]): "4000"})
    unseen = {"field": "income_account", "fill_value": "\u200b\u2800", "query": ""}
    answer = client.post(address("fill"), unseen, follow=True)
    assert texts(answer)[-1] == "Nothing was filled: choose a value first."
    assert [account_of(item) for item in items] == ["4000", "", "", ""]


def test_what_turns_the_direction_of_writing_is_neither_saved_nor_accepted(
    pats, items, pat, access_of
):
    client, address = pats
    turned = {"field": "income_account", "fill_value": "\u202e4010", "query": ""}
    answer = client.post(address("fill"), turned, follow=True)
    assert any("change the direction of writing" in text for text in texts(answer))
    assert not any(account_of(item) for item in items)
    values = {"income_account": "4010", "expense_account": "\u202e5000"}
    wanted = [Decision(items[0].pk, items[0].digest, values)]
    done = accept_services.accept(wanted, entity="cost_code", access=access_of(pat))
    assert (done.done, "change the direction of writing" in reasons(done)[0]) == (0, True)


def test_a_division_is_filled_alone(pats, items):
    client, address = pats
    fill = {"field": "income_account", "fill_value": "4010", "division": "02", "query": ""}
    client.post(address("fill"), fill)
    filled = {item.label: account_of(item) for item in items}
    assert filled == {
        "01 General": "", "01-100 Survey": "", "02 Site": "4010", "02-200 Clearing": "4010",
    }  # fmt: skip


def test_filling_with_what_the_erp_does_not_have_changes_nothing(pats, items):
    client, address = pats
    fill = {"field": "income_account", "fill_value": "nope", "query": ""}
    answer = client.post(address("fill"), fill, follow=True)
    assert any("nope is not one of the ERP" in text for text in texts(answer))
    assert not any(account_of(item) for item in items)


def test_the_longest_beginning_of_a_rule_decides_when_a_code_is_sent(
    connection, erp_list, ada, access_of
):
    manifest = entity_manifest(connection, "cost_code")
    for starts_with, account in (("", "4000"), ("02", "4010"), ("02-200", "4020")):
        default_rules.add(
            connection,
            manifest,
            field="income_account",
            starts_with=starts_with,
            value=account,
            by=ada,
        )
    steps.tree(erp_list, ada, "01 General", "02 Site", "02-200 Clearing")
    steps.send(erp_list, access_of(ada))
    given = [item.acceptance["income_account"] for item in steps.waiting(erp_list)]
    assert given == ["4000", "4010", "4020"]


def test_rules_are_kept_on_a_page_of_their_own(pats, items, connection):
    client, address = pats
    rule = {"field": "income_account", "starts_with": "02", "value": "4010"}
    client.post(address("defaults"), rule)
    again = client.post(address("defaults"), rule)
    assert "There is a rule for this field" in again.content.decode()
    wrong = client.post(address("defaults"), {**rule, "starts_with": "01", "value": "x"})
    assert "x is not one of the ERP" in wrong.content.decode()
    client.post(address("fill"), {"by": "rules", "query": ""})
    filled = {item.label for item in items if account_of(item) == "4010"}
    assert filled == {"02 Site", "02-200 Clearing"}
    client.post(address("defaults"), {"remove": AcceptanceDefault.objects.get().pk})
    assert not AcceptanceDefault.objects.exists()


def test_export_all_asks_first_and_says_how_many_lack_a_value(pats, items):
    client, address = pats
    client.post(address("values"), {value(items[0]): "4000"})
    everything = {"everything": "1", "query": "", "upto": items[-1].pk}
    question = client.post(address("export"), everything).content.decode()
    assert "Export 4 cost codes?" in question
    assert "3 of them lack a value" in question
    assert not Item.objects.exclude(state=State.READY).exists()
    client.post(address("export"), {**everything, "confirm": "1"})
    click = Request.objects.get(verb="accept")
    assert (click.done, len(click.refused)) == (1, 3)


def test_export_all_exports_what_the_question_has_counted(pats, items):
    client, address = pats
    last = Item.objects.filter(pk=items[-1].pk)
    last.update(state=State.RETRIEVED)
    everything = {"everything": "1", "query": "", "upto": items[-1].pk}
    asked = client.post(address("export"), everything)
    assert "Export 3 cost codes?" in asked.content.decode()
    last.update(state=State.READY)
    form = next(form for form in shown_in(asked) if ("confirm", "1") in form.buttons)
    client.post(form.action, form.values | {"confirm": "1"})
    click = Request.objects.get(verb="accept")
    assert click.done + len(click.refused) == 3


def test_a_wrong_value_in_a_row_that_is_to_go_stops_the_export(pats, items):
    client, address = pats
    client.post(address("values"), {value(item): "4000" for item in items})
    wrong = {value(items[0]): "9999"}
    for chosen in ({"ids": [items[0].pk]}, {"everything": "1", "confirm": "1"}):
        answer = client.post(address("export"), {**wrong, **chosen}, follow=True)
        assert any("9999 is not one of the ERP" in text for text in texts(answer))
        assert not Request.objects.filter(verb=Request.Verb.ACCEPT).exists()
    client.post(address("export"), {**wrong, "ids": [items[2].pk]})
    assert Request.objects.get(verb=Request.Verb.ACCEPT).done == 1


def test_filling_with_nothing_clears_nothing(pats, items):
    client, address = pats
    client.post(address("values"), {value(items[0]): "4000"})
    answer = client.post(address("fill"), {"field": "income_account", "query": ""}, follow=True)
    assert texts(answer)[-1] == "Nothing was filled: choose a value first."
    assert account_of(items[0]) == "4000"


def test_the_ticked_rows_go_with_what_is_typed_in_them(pats, items):
    client, address = pats
    ticked = {"ids": [items[0].pk], value(items[0]): "4000", value(items[1]): "4010", "query": ""}
    client.post(address("export"), ticked)
    items[0].refresh_from_db()
    assert items[0].state == State.QUEUED
    assert (items[0].acceptance["income_account"], account_of(items[1])) == ("4000", "4010")


def test_more_than_fifty_ticked_rows_go_only_after_a_question_with_their_number(
    pats, erp_list, ada, access_of
):
    steps.tree(erp_list, ada, *[f"{number:02} Work" for number in range(51)])
    steps.send(erp_list, access_of(ada))
    client, address = pats
    many = steps.waiting(erp_list)
    ticked = {"ids": [item.pk for item in many], "query": ""}
    ticked |= {value(item): "4000" for item in many}
    assert "Export 51 cost codes?" in client.post(address("export"), ticked).content.decode()
    assert not Item.objects.exclude(state=State.READY).exists()
    assert account_of(many[0]) == "4000"
    client.post(address("export"), {"ids": ticked["ids"], "confirm": "1"})
    assert Request.objects.get(verb="accept").done == 51


@pytest.mark.parametrize("click", ["export", "reject_many"])
def test_a_click_with_nothing_ticked_says_so_and_loses_nothing_that_was_typed(pats, items, click):
    client, address = pats
    typed = {value(items[2]): "4000", "query": "division=02"}
    answer = client.post(address(click), typed, follow=True)
    assert texts(answer) == ["Nothing was done. Tick at least one row first."]
    assert answer.request["QUERY_STRING"] == "division=02"
    assert account_of(items[2]) == "4000"


def test_rejecting_a_code_offers_what_is_under_it_and_each_row_its_own_reason(pats, items):
    client, address = pats
    by_label = {item.label: item for item in items}
    parent, other = by_label["01 General"], by_label["02 Site"]
    ids = [parent.pk, other.pk]
    question = client.post(address("reject_many"), {"ids": ids}).content.decode()
    assert "what is under them and waits too (2)" in question
    client.post(
        address("reject_many"),
        {
            "ids": ids,
            "confirm": "1",
            "reason": "Not now",
            "below": "on",
            f"reason-{other.pk}": "Use 03",
        },
    )
    notes = dict(Item.objects.values_list("label", "decision_note"))
    assert set(Item.objects.values_list("state", flat=True)) == {State.REJECTED}
    assert (notes["01-100 Survey"], notes["02 Site"]) == ("Not now", "Use 03")


def test_a_click_shows_each_row_as_it_stands(pats, items, connection, access_of, pat, account):
    client, _address = pats
    done = steps.accept(items, access_of(pat))
    here = reverse("erp:request_items", args=[account.pk, done.request_id])
    moving = client.get(here).content.decode()
    assert moving.count("Exporting") == 4
    assert "every 3s" in moving
    export(connection)
    settled = client.get(here).content.decode()
    assert settled.count("Synced") == 4
    assert "every 3s" not in settled


def test_who_may_not_decide_can_neither_save_nor_export(client_of, sam, items, account):
    client = client_of(sam)
    for name in ("values", "fill", "export", "defaults"):
        address = reverse(f"erp:{name}", args=[account.pk, "cost-codes"])
        assert client.post(address, {value(items[0]): "4000"}).status_code == 403
    assert account_of(items[0]) == ""


def test_saving_takes_as_many_statements_for_many_rows_as_for_two(items, pat, access_of):
    def statements(items: list[Item], account: str) -> int:
        values = {item.pk: {"income_account": account} for item in items}
        with CaptureQueriesContext(database) as seen:
            field_values.save(values, entity="cost_code", access=access_of(pat))
        return len(seen)

    assert statements(items, "4000") == statements(items[:2], "4010")
    assert [account_of(item) for item in items] == ["4010", "4010", "4000", "4000"]
