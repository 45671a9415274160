"""Admin > Work Breakdown Structure > Cost Code, as the server answers it."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.models import CodeList, CostCode
from erp_integrations.models import ActiveConnection, Connection, Item, Request
from erp_integrations.models.states import State
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from tests.admin_wbs.cost_codes.test_services import code_labels, tree
from tests.factories import (
    CodeListFactory,
    ConnectionFactory,
    ItemFactory,
    MembershipFactory,
    UserFactory,
)
from tests.forms import shown_in

pytestmark = pytest.mark.django_db
PART = {"HX-Request": "true"}


@pytest.fixture
def erp_list(account) -> CodeList:
    """The list of the account's present connection, which was not tested yet."""
    connection = ConnectionFactory.create(account=account)
    ActiveConnection.objects.create(
        account=account, entity=list_services.CODE, connection=connection
    )
    return CodeListFactory.create(
        account=account, name="Ledger Standard Cost Codes", connection_id=connection.pk
    )


@pytest.fixture
def rita(account):
    """A reader of the Admin tool."""
    user = UserFactory.create(name="Rita Reader")
    MembershipFactory.create(user=user, account=account, admin=Level.READ_ONLY)
    return user


@pytest.fixture
def url(account):
    def address(name: str, *arguments: int) -> str:
        return reverse(f"admin_wbs:{name}", args=[account.pk, *arguments])

    return address


@pytest.fixture
def ada_client(client_of, ada):
    return client_of(ada)


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def rows(answer) -> list[str]:
    """The full codes of the table; those above in brackets."""
    return [
        f"({row.code.full_code})" if row.above else row.code.full_code
        for row in answer.context["listing"].rows
    ]


def messages(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


# --- lists ----------------------------------------------------------------------------------


def test_the_one_list_opens_straight_on_its_codes(ada_client, code_list, url):
    assert ada_client.get(url("lists")).headers["Location"] == url("list", code_list.pk)


def test_the_pages_of_an_erp_list_say_that_no_erp_is_connected(ada_client, code_list, url, ada):
    list_services.make_erp(code_list, by=ada)
    assert "ERP not connected" in text(ada_client.get(f"{url('lists')}?all"))
    page = text(ada_client.get(url("list", code_list.pk)))
    assert list_services.AWAITS in page
    assert "No ERP is connected to this account yet." in page
    assert "Send ticked" not in page
    assert list_services.AWAITS in text(ada_client.get(url("matrix", code_list.pk)))


def test_several_lists_are_a_table_with_their_numbers(ada_client, code_list, erp_list, url, ada):
    tree(erp_list, ada, "01 General", "02 Site")
    CostCode.objects.filter(full_code="01").update(origin_id="7")
    html = text(ada_client.get(url("lists")))
    assert "Ledger Standard Cost Codes" in html
    assert 'data-label="Codes">2<' in html
    assert 'data-label="Unsynced">1<' in html


def test_without_a_list_the_next_step_is_shown_to_who_may_take_it(
    ada_client, client_of, rita, url, account
):
    assert reverse("erp:connection", args=[account.pk]) in text(ada_client.get(url("lists")))
    assert url("list_add") not in text(client_of(rita).get(url("lists")))


def test_a_list_is_added_renamed_and_kept_from_new_projects(ada_client, url):
    ada_client.post(url("list_add"), {"name": "Homes", "for_new_projects": "on"})
    made = CodeList.objects.get()
    assert (made.name, made.for_new_projects) == ("Homes", True)
    ada_client.post(url("list_settings", made.pk), {"name": "Houses"})
    made.refresh_from_db()
    assert (made.name, made.for_new_projects) == ("Houses", False)


def test_a_name_that_is_taken_is_told_and_kept_in_the_field(ada_client, code_list, url):
    answer = ada_client.post(url("list_add"), {"name": "residential"})
    assert "A list of this name exists already" in text(answer)
    assert 'value="residential"' in text(answer)


def test_the_list_of_an_erp_keeps_its_name(ada_client, erp_list, url):
    ada_client.post(url("list_settings", erp_list.pk), {"name": "Mine"})
    erp_list.refresh_from_db()
    assert (erp_list.name, erp_list.for_new_projects) == ("Ledger Standard Cost Codes", False)


def test_a_copy_shows_its_counts_first(ada_client, code_list, erp_list, url, ada):
    tree(code_list, ada, "01 General", "01-100 Survey", "02 Site")
    tree(erp_list, ada, "02 Site work")
    preview = ada_client.get(url("list_copy", erp_list.pk), {"source": code_list.pk})
    assert "Copy 2 codes" in text(preview)
    fields = {"source": code_list.pk, "seen": preview.context["source"].revision}
    fields["list_seen"] = preview.context["list"].revision
    answer = ada_client.post(url("list_copy", erp_list.pk), fields, follow=True)
    assert messages(answer) == ["2 codes were copied from Residential."]
    assert code_labels(erp_list) == ["01 General", "01-100 Survey", "02 Site work"]


def test_a_copy_of_outdated_counts_is_not_made(ada_client, code_list, erp_list, url, ada):
    tree(code_list, ada, "01 General")
    fields = {"source": code_list.pk, "seen": 1, "list_seen": 1}
    answer = ada_client.post(url("list_copy", erp_list.pk), fields)
    assert "changed since you looked" in text(answer)
    assert not code_labels(erp_list)


# --- who sees what --------------------------------------------------------------------------


def test_a_reader_sees_the_codes_and_no_way_to_change_them(client_of, rita, erp_list, url, ada):
    tree(erp_list, ada, "01 General")
    html = text(client_of(rita).get(url("list", erp_list.pk)))
    assert "General" in html
    for word in ("add-form", 'value="delete"', "Send to ERP", "Copy codes", "data-tick"):
        assert word not in html


def test_a_reader_cannot_change_a_code_behind_the_page(client_of, rita, erp_list, url, ada):
    (made,) = tree(erp_list, ada, "01 General").values()
    client = client_of(rita)
    for address in (
        url("code_add", erp_list.pk),
        url("code_edit", made.pk),
        url("list_settings", erp_list.pk),
        url("list_add"),
        url("list_copy", erp_list.pk),
    ):
        assert client.post(address, {"code": "02", "description": "x"}).status_code == 403
    assert client.post(url("list_send", erp_list.pk), {"verb": "send"}).status_code == 403
    for action in ("delete", "deactivate", "send", "retrieve"):
        fields = {"action": action, "ids": made.pk, "confirm": 1}
        assert client.post(url("many", erp_list.pk), fields).status_code == 403


def test_accounting_without_the_admin_tool_is_told_what_is_missing(
    client_of, pat, code_list, url, ada
):
    (made,) = tree(code_list, ada, "01 General").values()
    answer = client_of(pat).get(url("code", made.pk))
    assert answer.status_code == 403
    assert "Needs Read Only on the account&#x27;s" in text(answer)


# --- tree and table -------------------------------------------------------------------------


@pytest.fixture
def made(code_list, ada):
    return tree(
        code_list,
        ada,
        *("01 General", "01-100 Survey", "01-100-1 Stakes", "01-200 Permits", "02 Site"),
        "02-100 Clearing",
    )


def test_the_table_shows_the_codes_right_under_the_selected_one(ada_client, code_list, made, url):
    home = url("list", code_list.pk)
    assert rows(ada_client.get(home)) == ["01", "02"]
    assert rows(ada_client.get(home, {"at": made["01"].pk})) == ["01-100", "01-200"]


def test_the_tree_is_open_down_to_the_selected_code_only(ada_client, code_list, made, url):
    answer = ada_client.get(url("list", code_list.pk), {"at": made["01-100"].pk})
    html = text(answer)
    assert "Stakes" in html.split("</nav>")[-3] or "Stakes" in html
    assert "Clearing" not in html


def test_a_branch_is_fetched_when_it_is_opened(ada_client, code_list, made, url):
    address = url("branch", code_list.pk)
    part = ada_client.get(address, {"at": made["02"].pk}, headers=PART)
    assert "Clearing" in text(part)
    assert "<html" not in text(part)
    whole = ada_client.get(address, {"at": made["02"].pk})
    assert whole.headers["Location"] == f"{url('list', code_list.pk)}?at={made['02'].pk}"


def test_a_search_goes_through_the_whole_list_and_keeps_the_parents(
    ada_client, code_list, made, url
):
    home = url("list", code_list.pk)
    answer = ada_client.get(home, {"q": "stakes", "at": made["02"].pk})
    assert rows(answer) == ["(01)", "(01-100)", "01-100-1"]
    assert rows(ada_client.get(home, {"q": "01-100"})) == ["(01)", "01-100", "01-100-1"]


def test_filters_by_status_and_erp_status(ada_client, erp_list, url, ada):
    made = tree(erp_list, ada, "01 General", "01-100 Survey", "02 Site")
    CostCode.objects.filter(pk=made["01-100"].pk).update(origin_id="9", erp_state=State.SYNCED)
    code_services.deactivate(erp_list, [made["02"].pk], by=ada)
    home = url("list", erp_list.pk)
    assert rows(ada_client.get(home, {"erp": "synced"})) == ["(01)", "01-100"]
    assert rows(ada_client.get(home, {"status": "inactive"})) == ["02"]
    assert "<strong>1 unsynced</strong>" in text(ada_client.get(home))


def test_a_wide_branch_is_cut_and_says_how_many_more(ada_client, code_list, url, ada):
    tree(code_list, ada, *[f"{n:03} Work" for n in range(60)])
    answer = ada_client.get(url("list", code_list.pk))
    assert "10 more in the table" in text(answer)
    assert text(answer).count('class="node"') == 50


def test_the_selected_code_is_in_the_tree_beyond_the_cut(ada_client, code_list, url, ada):
    made = tree(code_list, ada, *[f"{n:03} Work {n}" for n in range(60)])
    html = text(ada_client.get(url("list", code_list.pk), {"at": made["059"].pk}))
    assert "9 more in the table" in html
    assert 'aria-current="page" title="059 Work 59"' in html


def test_expand_all_opens_the_tiers_that_fit(ada_client, code_list, made, url, ada, monkeypatch):
    home = url("list", code_list.pk)
    assert text(ada_client.get(home, {"open": "all"})).count('class="node"') == 6
    monkeypatch.setattr("admin_wbs.tree.rendering.MOST_EXPANDED", 5)
    html = text(ada_client.get(home, {"open": "all"}))
    assert html.count('class="node"') == 5
    assert "Opened to tier 2 of 3" in html
    monkeypatch.setattr("admin_wbs.tree.rendering.MOST_EXPANDED", 1)
    assert "too long to be opened at once" in text(ada_client.get(home, {"open": "all"}))


def test_a_page_of_many_codes_asks_as_often_as_one_of_few(client_of, rita, erp_list, url, ada):
    few = tree(erp_list, ada, "01 General", "01-100 Survey", "01-100-1 Stakes")
    client = client_of(rita)
    questions = [{"at": few["01-100"].pk}, {"q": "stakes"}, {"open": "all"}]

    def count(question) -> int:
        with CaptureQueriesContext(database) as asked:
            assert client.get(url("list", erp_list.pk), question).status_code == 200
        return len(asked)

    CostCode.objects.filter(depth=1).update(erp_state=State.FAILED)
    before = [count(question) for question in questions]
    more = [f"02-{n:03} Work {n}" for n in range(40)]
    tree(erp_list, ada, "02 Site", *more, *[f"02-000-{n} Stakes {n}" for n in range(40)])
    CostCode.objects.filter(depth=1).update(erp_state=State.FAILED)
    assert [count(question) for question in questions] == before
    # Two of them find out whether somebody waits, and why.
    assert max(before) <= 32


# --- adding ---------------------------------------------------------------------------------


def test_a_code_is_added_under_the_selected_one_without_a_script(ada_client, code_list, made, url):
    fields = {"code": "300", "description": "Fees", "at": made["01"].pk}
    answer = ada_client.post(url("code_add", code_list.pk), fields, follow=True)
    assert rows(answer) == ["01-100", "01-200", "01-300"]
    assert messages(answer) == ["01-300 Fees was added."]
    assert "autofocus" in text(answer)


def test_what_was_typed_stays_beside_its_error(ada_client, code_list, made, url):
    fields = {"code": "", "description": "Fees", "at": made["01"].pk}
    answer = ada_client.post(url("code_add", code_list.pk), fields)
    assert "Code: This field is required." in text(answer)
    assert 'value="Fees"' in text(answer)
    assert rows(answer) == ["01-100", "01-200"]
    taken = ada_client.post(url("code_add", code_list.pk), {"code": "01", "description": "x"})
    assert "01 is taken by General" in text(taken)


def test_a_script_gets_the_new_row_and_the_numbers(ada_client, erp_list, url):
    fields = {"code": "01", "description": "General", "list_seen": erp_list.revision}
    answer = ada_client.post(url("code_add", erp_list.pk), fields, headers=PART)
    html = text(answer)
    assert "<html" not in html
    assert html.index("General") < html.index('id="said"')
    assert "1 unsynced" in html
    assert answer.headers["HX-Trigger-After-Swap"] == '{"codes-changed": {}}'


def test_a_script_gets_a_refused_row_as_it_was_typed_with_the_reason(
    ada_client, code_list, made, url
):
    fields = {"code": "02", "description": "Sitework", "key": "typed-7"}
    refused = text(ada_client.post(url("code_add", code_list.pk), fields, headers=PART))
    assert "02 is taken by Site." in refused
    assert 'id="typed-7_description" value="Sitework"' in refused
    assert "autofocus" not in refused
    odd = {"code": "02", "description": "x", "key": '"><script>'}
    assert "<script" not in text(ada_client.post(url("code_add", code_list.pk), odd, headers=PART))


def test_a_row_whose_answer_was_lost_is_not_called_taken_when_it_is_sent_again(
    ada_client, code_list, made, url
):
    fields = {"code": "02", "description": "Site", "again": "1"}
    answer = ada_client.post(url("code_add", code_list.pk), fields, headers=PART)
    assert f'id="row-{made["02"].pk}"' in text(answer)
    assert code_list.codes.filter(full_code="02").count() == 1


def test_ones_own_addition_leaves_the_page_fresh_and_somebody_elses_does_not(
    ada_client, client_of, erp_list, url, pat
):
    Membership.objects.filter(user=pat).update(admin=Level.ADMIN)
    address = url("code_add", erp_list.pk)
    seen = erp_list.revision
    mine = ada_client.post(
        address, {"code": "01", "description": "x", "list_seen": seen}, headers=PART
    )
    assert f'name="list_seen" value="{seen + 1}"' in text(mine)
    client_of(pat).post(address, {"code": "02", "description": "x"})
    late = {"code": "03", "description": "x", "list_seen": seen + 1}
    stale = text(ada_client.post(address, late, headers=PART))
    assert f'name="list_seen" value="{seen + 1}"' in stale
    assert "The list was changed" in stale


def test_nothing_goes_under_a_parent_that_has_been_deleted(ada_client, code_list, url, ada):
    (deleted,) = tree(code_list, ada, "01 General").values()
    code_services.delete(code_list, [deleted.pk], by=ada)
    fields = {"code": "02", "description": "x", "at": deleted.pk}
    answer = ada_client.post(url("code_add", code_list.pk), fields)
    assert "has been deleted" in text(answer)
    assert not code_labels(code_list)


# --- editing --------------------------------------------------------------------------------


def test_a_row_is_edited_in_its_place(ada_client, code_list, made, url):
    address = url("code_edit", made["02"].pk)
    form = ada_client.get(address, headers=PART)
    assert 'value="Site"' in text(form)
    fields = {"code": "02", "description": "Site work", "seen": form.context["seen"]}
    answer = ada_client.post(address, fields, headers=PART)
    assert "Site work" in text(answer)
    assert "edit-form" not in text(answer)
    page_without = ada_client.post(
        address, {"code": "03", "description": "Site work", "seen": 2}, follow=True
    )
    assert rows(page_without) == ["01", "03"]


def test_a_stale_edit_shows_both_values_and_takes_over_the_rest(
    ada_client, code_list, made, url, ada
):
    (code,) = code_services.add_many(code_list, [(["09"], "Finishes")], by=ada)
    code_services.edit(code, values={"code": "10", "description": "Fine finishes"}, seen=1, by=ada)
    fields = {"code": "09", "description": "All finishes", "seen": 1}
    answer = ada_client.post(url("code_edit", code.pk), fields, headers=PART)
    html = text(answer)
    assert "Description is now “Fine finishes”; you typed “All finishes”" in html
    assert 'value="All finishes"' in html
    assert 'value="10"' in html
    again = {"code": "10", "description": "All finishes", "seen": answer.context["seen"]}
    ada_client.post(url("code_edit", code.pk), again, headers=PART)
    code.refresh_from_db()
    assert str(code) == "10 All finishes"


def test_a_code_the_erp_knows_is_locked_with_its_reason(ada_client, erp_list, url, ada):
    (made,) = tree(erp_list, ada, "01 General").values()
    CostCode.objects.update(origin_id="7")
    for headers in ({}, PART):
        html = text(ada_client.get(url("code_edit", made.pk), headers=headers))
        assert "The code cannot be changed. The ERP knows it" in html
    fields = {"code": "99", "description": "Conditions", "seen": 1}
    ada_client.post(url("code_edit", made.pk), fields)
    assert code_labels(erp_list) == ["01 Conditions"]


def test_a_waiting_row_says_who_sent_it_and_the_others_stay_editable(
    ada_client, erp_list, url, ada
):
    made = tree(erp_list, ada, "01 General", "02 Site")
    send_by_hand(erp_list, made["01"], ada)
    html = text(ada_client.get(url("list", erp_list.pk)))
    assert "Locked: sent by Ada Admin" in html
    assert f'id="edit-{made["01"].pk}"' not in html
    assert f'id="edit-{made["02"].pk}"' in html
    closed = text(ada_client.get(url("code_edit", made["01"].pk)))
    assert "This code is locked" in closed
    assert "<form class=" not in closed
    late = ada_client.post(
        url("code_edit", made["01"].pk),
        {"code": "01", "description": "Late", "seen": 1},
        headers=PART,
    )
    assert "Sent to the ERP by Ada Admin" in text(late)
    assert 'value="Late"' in text(late)


def send_by_hand(erp_list, code, by) -> Item:
    """What Send leaves behind; the simulator takes no codes here."""
    CostCode.objects.filter(pk=code.pk).update(erp_state=State.READY)
    return ItemFactory.create(
        account=erp_list.account,
        connection=Connection.objects.get(pk=erp_list.connection_id),
        entity=list_services.CODE,
        record_id=code.pk,
        sent_by=by,
    )


# --- many -----------------------------------------------------------------------------------


def test_codes_are_deactivated_and_reactivated_by_ticks(ada_client, code_list, made, url):
    fields = {"action": "deactivate", "ids": [made["02"].pk, made["02-100"].pk]}
    answer = ada_client.post(url("many", code_list.pk), fields, follow=True)
    assert messages(answer) == ["2 codes deactivated."]
    answer = ada_client.post(
        url("many", code_list.pk), {**fields, "action": "reactivate"}, follow=True
    )
    assert messages(answer) == ["2 codes reactivated."]


def test_deleting_asks_first_and_lists_what_stays(ada_client, code_list, made, url):
    ids = [made["02"].pk, made["02-100"].pk, made["01"].pk]
    question = ada_client.post(url("many", code_list.pk), {"action": "delete", "ids": ids})
    assert "Delete 3 codes?" in text(question)
    assert code_list.codes.count() == 6
    hidden = dict(question.context["hidden"])
    fields = {**hidden, "ids": ids, "confirm": "1"}
    answer = ada_client.post(url("many", code_list.pk), fields)
    assert "1 code not deleted" in text(answer)
    assert "Codes are under it. Delete these too, or first." in text(answer)
    assert code_list.codes.count() == 4


def test_all_that_are_deleted_are_those_that_the_question_has_counted(
    ada_client, erp_list, url, ada
):
    tree(erp_list, ada, "01 General", "02 Site", "03 Concrete")
    waiting = erp_list.codes.filter(full_code="03")
    waiting.update(erp_state=State.READY)
    every = {"action": "delete", "all": "1", "query": "erp=none"}
    asked = ada_client.post(url("many", erp_list.pk), every)
    assert "Delete 2 codes?" in text(asked)
    # Retrieved meanwhile, which is no change of the list.
    waiting.update(erp_state="")
    form = next(form for form in shown_in(asked) if ("confirm", "1") in form.buttons)
    fields = form.values | {"confirm": "1"}
    assert "Delete 3 codes?" in text(ada_client.post(form.action, fields | {"all": "1"}))
    ada_client.post(form.action, fields)
    assert code_labels(erp_list) == ["03 Concrete"]


def test_a_confirmed_delete_of_a_list_that_changed_since_deletes_nothing(
    ada_client, code_list, made, url
):
    fields = {"action": "delete", "ids": made["02-100"].pk, "confirm": "1", "list_seen": "1"}
    answer = ada_client.post(url("many", code_list.pk), fields, follow=True)
    assert messages(answer)[0].startswith("Nothing was deleted. The list was changed by Ada Admin")
    assert code_list.codes.count() == 6


def test_all_that_match_are_meant_across_pages(ada_client, code_list, url, ada):
    tree(code_list, ada, *[f"{n:03} Work" for n in range(60)], "999 Other")
    fields = {"action": "deactivate", "all": "1", "query": "q=work"}
    ada_client.post(url("many", code_list.pk), fields)
    assert code_list.codes.filter(is_active=False).count() == 60


def test_more_than_fifty_are_sent_only_after_a_question_with_their_number(
    ada_client, erp_list, url, ada
):
    tree(erp_list, ada, *[f"{number:02} Work" for number in range(51)])
    erp_list.refresh_from_db()
    ids = list(erp_list.codes.values_list("pk", flat=True))
    seen = {"list_seen": erp_list.revision}
    whole = (url("list_send", erp_list.pk), {"verb": "send", **seen})
    ticked = (url("many", erp_list.pk), {"action": "send", "ids": ids, **seen})
    every = (ticked[0], {"action": "send", "all": "1", "query": "", **seen})
    asked = shown_in(ada_client.post(*every))
    assert [len(form.values["ids"]) for form in asked if "ids" in form.values] == [51]
    for address, fields in (whole, ticked):
        question = text(ada_client.post(address, fields))
        assert "Send 51 codes to the ERP?" in question
        assert all(f'name="{name}"' in question for name in fields)
        assert not Request.objects.exists()
    fifty = {**ticked[1], "ids": ids[:50]}
    assert "/requests/" in ada_client.post(ticked[0], fifty).headers["Location"]
    confirmed = {**whole[1], "confirm": "1"}
    assert "/requests/" in ada_client.post(whole[0], confirmed).headers["Location"]


def test_nothing_ticked_and_no_action_are_told(ada_client, code_list, made, url):
    answer = ada_client.post(url("many", code_list.pk), {"action": "delete"}, follow=True)
    assert messages(answer) == ["Nothing was done. Tick at least one row first."]
    fields = {"action": "paint", "ids": made["01"].pk}
    assert (
        "choose what to do"
        in messages(ada_client.post(url("many", code_list.pk), fields, follow=True))[0]
    )


# --- the ERP --------------------------------------------------------------------------------


def test_the_button_counts_and_gives_every_reason(ada_client, erp_list, url, ada):
    tree(erp_list, ada, "01 General", "02 Site")
    html = text(ada_client.get(url("list", erp_list.pk)))
    assert "Send to ERP (2)" in html
    assert 'id="why-send-list"' in html
    assert "It has not been tested yet" in html
    assert "The ERP data has not been synced yet" in html
    assert "Go to ERP connection" in html


def test_a_list_of_no_erp_has_no_button(ada_client, code_list, made, url):
    html = text(ada_client.get(url("list", code_list.pk)))
    assert "Send to ERP" not in html
    answer = ada_client.post(url("list_send", code_list.pk), {"verb": "send"}, follow=True)
    assert "belongs to no ERP" in messages(answer)[0]


def test_the_list_of_a_disconnected_erp_is_read_only_and_says_why(ada_client, erp_list, url, ada):
    tree(erp_list, ada, "01 General")
    ActiveConnection.objects.all().delete()
    html = text(ada_client.get(url("list", erp_list.pk)))
    assert html.count("belongs to an ERP that is not connected any more") >= 2
    assert "add-form" not in html
    answer = ada_client.post(url("code_add", erp_list.pk), {"code": "02", "description": "Site"})
    assert "not connected any more" in text(answer)
    assert code_labels(erp_list) == ["01 General"]


def test_a_stale_page_sends_nothing_and_says_so(ada_client, erp_list, url, ada):
    tree(erp_list, ada, "01 General")
    fields = {"verb": "send", "list_seen": erp_list.revision}
    answer = ada_client.post(url("list_send", erp_list.pk), fields, follow=True)
    assert "The list was changed by Ada Admin since you opened the page" in messages(answer)[0]
    assert not Request.objects.exists()


def test_an_open_page_learns_that_it_has_gone_stale(ada_client, erp_list, url, ada):
    address = url("erp_buttons", erp_list.pk)
    seen = {"list_seen": erp_list.revision}
    assert ada_client.get(address, seen, headers=PART).status_code == 204
    tree(erp_list, ada, "01 General")
    html = text(ada_client.get(address, seen, headers=PART))
    assert "The list was changed by Ada Admin" in html
    assert "hx-trigger" not in html


def test_a_click_leads_to_its_result_with_the_refused_codes(ada_client, erp_list, url, ada):
    tree(erp_list, ada, "01 General")
    erp_list.refresh_from_db()
    fields = {"verb": "send", "list_seen": erp_list.revision}
    answer = ada_client.post(url("list_send", erp_list.pk), fields, follow=True)
    assert answer.redirect_chain[0][0].endswith(f"/requests/{Request.objects.get().pk}/")
    assert "01 General" in text(answer)


def test_more_than_one_click_takes_is_told(ada_client, erp_list, url, ada, settings):
    settings.ERPBRIDGE_MOST_ROWS_A_CLICK = 2
    tree(erp_list, ada, "01 General", "02 Site", "03 Concrete")
    html = ada_client.get(url("list", erp_list.pk))
    assert "One click takes 2." in text(html)
    fields = {"verb": "send", "list_seen": html.context["seen"]}
    answer = ada_client.post(url("list_send", erp_list.pk), fields, follow=True)
    assert messages(answer) == ["One click takes 2 of the 3 codes; send again for the rest."]
    assert len(Request.objects.get().refused) == 2


def test_waiting_codes_are_retrieved_from_the_list(ada_client, erp_list, url, ada):
    made = tree(erp_list, ada, "01 General", "02 Site")
    send_by_hand(erp_list, made["01"], ada)
    html = text(ada_client.get(url("list", erp_list.pk)))
    assert "Retrieve from ERP (1)" in html
    assert "Re-send to ERP (1)" in html
    ada_client.post(url("list_send", erp_list.pk), {"verb": "retrieve"})
    assert Item.objects.get().state == State.RETRIEVED


# --- a code ---------------------------------------------------------------------------------


def test_a_code_shows_its_place_and_its_history(ada_client, code_list, made, url, ada):
    code_services.edit(made["01-100"], values={"description": "Surveying"}, seen=1, by=ada)
    html = text(ada_client.get(url("code", made["01-100"].pk)))
    assert f'href="{url("code", made["01"].pk)}"' in html
    assert 'data-label="From">Survey<' in html
    assert 'data-label="To">Surveying<' in html
    assert f"{url('list', code_list.pk)}?at={made['01'].pk}" in html


def test_a_rejected_code_tells_why(ada_client, erp_list, url, ada):
    (made,) = tree(erp_list, ada, "01 General").values()
    item = send_by_hand(erp_list, made, ada)
    Item.objects.filter(pk=item.pk).update(
        state=State.REJECTED, decision_note="Use division 00.", decided_by=ada
    )
    CostCode.objects.update(erp_state=State.REJECTED)
    html = text(ada_client.get(url("code", made.pk)))
    assert "Rejected by Ada Admin" in html
    assert "Use division 00." in html
