"""Codes go to the ERP in the form of its connection, and are judged by it before they go."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models import F

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.models import Connection, Item, Link
from erp_integrations.sendable import Done
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.access import policy
from erpbridge.access.models import Account, User
from erpbridge.access.policy import Access
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, CostCodeFactory

pytestmark = pytest.mark.django_db
DOTS = {"code_delimiter": ".", "code_zeros": "first"}
Send = Callable[..., Done]


@pytest.fixture
def connection(account: Account, ada: User) -> Connection:
    return steps.connect(account, by=ada)


@pytest.fixture
def erp_list(connection: Connection) -> CodeList:
    code_list = list_services.erp_list(connection.account_id)
    assert code_list is not None
    return code_list


@pytest.fixture
def send(account: Account, ada: User) -> Send:
    def click(*codes: CostCode) -> Done:
        access = access_in(account, ada)
        return sendable.send("cost_code", [code.pk for code in codes], access=access)

    return click


def access_in(account: Account, user: User) -> Access:
    access = policy.load(user, account, None)
    assert access is not None
    return access


def export(connection: Connection, by: User) -> None:
    """Accept everything that was sent and let it go out."""
    decisions = [
        accept_services.Decision(item.pk, item.digest, {"income_account": "4000"})
        for item in Item.objects.filter(state="ready")
    ]
    access = access_in(connection.account, by)
    assert accept_services.accept(decisions, entity="cost_code", access=access).refused == ()
    steps.export(connection)


def refusals(done: Done) -> dict[str, list[str]]:
    return {
        refusal.label: [problem.message for problem in refusal.problems] for refusal in done.refused
    }


def test_what_is_sent_previewed_and_kept_by_the_erp_is_the_erps_code(
    connection, erp_list, send, pat
):
    steps.change_config(connection, **DOTS)
    top = CostCodeFactory.create(list=erp_list, code="03")
    below = CostCodeFactory.create(list=erp_list, parent=top, code="300")
    assert send(top, below).refused == ()
    payloads = Item.objects.order_by("depth").values_list("payload", flat=True)
    assert [payload["full_code"] for payload in payloads] == ["3", "3.300"]
    export(connection, pat)
    erp_records = steps.ledger_of(connection).cost_codes()
    assert [record.key for record in erp_records] == ["3", "3.300"]
    assert erp_records[1].values["parent"] == str(erp_records[0].id)
    below.refresh_from_db()
    assert (below.full_code, below.origin_code) == ("03-300", "3.300")


def test_a_child_whose_answer_was_lost_is_recognized_below_its_parent(
    connection, erp_list, send, pat
):
    top = CostCodeFactory.create(list=erp_list, code="03")
    send(top)
    export(connection, pat)
    send(CostCodeFactory.create(list=erp_list, parent=top, code="300"))
    steps.break_erp(connection, "timeout_after")
    export(connection, pat)
    steps.let_pass(30)
    steps.export(connection)
    assert list(Item.objects.values_list("state", flat=True)) == ["synced", "synced"]
    assert len(steps.ledger_of(connection).effects()) == 2


def test_a_code_drifts_only_when_the_code_that_goes_out_is_another(connection, erp_list, send, pat):
    steps.change_config(connection, **DOTS)
    code = CostCodeFactory.create(list=erp_list, code="03", description="Concrete")
    send(code)
    export(connection, pat)
    ids = [code.pk]
    sendable.note_edits("cost_code", erp_list.account_id, ids)
    code.refresh_from_db()
    assert (code.drifted, sendable.news("cost_code", erp_list.account_id, code)) == (False, [])
    assert Link.objects.get().synced_payload["full_code"] == "3"
    CostCode.objects.filter(pk=code.pk).update(description="Cement", revision=F("revision") + 1)
    sendable.note_edits("cost_code", erp_list.account_id, ids)
    code.refresh_from_db()
    assert code.drifted
    (news,) = sendable.news("cost_code", erp_list.account_id, code)
    assert news.heading == "Changed since it was synced: Description"


def test_codes_that_break_the_form_are_listed_with_the_rule_and_the_others_go(
    connection, erp_list, send
):
    steps.change_config(connection, code_characters="digits", code_tiers=2)
    top = CostCodeFactory.create(list=erp_list, code="03")
    below = CostCodeFactory.create(list=erp_list, parent=top, code="300")
    deep = CostCodeFactory.create(list=erp_list, parent=below, code="10", description="Deep")
    named = CostCodeFactory.create(list=erp_list, code="B1", description="Named")
    done = send(top, below, deep, named)
    assert done.done == 2
    assert refusals(done) == {
        "03-300-10 Deep": ["Code may have 2 tiers; it has 3."],
        "B1 Named": ["Code: tier 1, “B1”, must be digits only."],
    }


def test_two_codes_that_become_one_name_each_other_and_the_others_go(connection, erp_list, send):
    steps.change_config(connection, code_zeros="all")
    plain = CostCodeFactory.create(list=erp_list, code="3", description="Plain")
    padded = CostCodeFactory.create(list=erp_list, code="03", description="Padded")
    other = CostCodeFactory.create(list=erp_list, code="04")
    done = send(plain, padded, other)
    assert done.done == 1
    assert refusals(done) == {
        "3 Plain": ["In the ERP it would be 3, and so would 03 Padded."],
        "03 Padded": ["In the ERP it would be 3, and so would 3 Plain."],
    }


# --- another ERP -------------------------------------------------------------------------------


def test_installed_adapters_say_what_they_take():
    adapters = {adapter.key: adapter for adapter in sendable.installed_adapters()}
    assert adapters["simulator"].label == "Simulator ERP"
    assert adapters["simulator"].takes("cost_code")
    assert adapters["tryton"].takes("vendor")
    assert not adapters["tryton"].takes("project")


def test_a_list_is_checked_against_an_adapter_that_nobody_has_connected(code_list):
    good = CostCodeFactory.create(list=code_list, code="03")
    long = CostCodeFactory.create(list=code_list, parent=good, code="3" * 18, description="D" * 41)
    ids = [good.pk, long.pk]
    (failure,) = sendable.check_against("cost_code", code_list.account_id, ids, "simulator")
    assert (failure.record_id, failure.label) == (long.pk, str(long))
    assert [(problem.field, problem.rule, problem.limit) for problem in failure.problems] == [
        ("full_code", "max_length", "20"),
        ("description", "max_length", "40"),
    ]
    (failure,) = sendable.check_against(
        "cost_code", code_list.account_id, [*ids, _tall(code_list).pk], "tryton"
    )
    assert [problem.rule for problem in failure.problems] == ["max_length"]


def _tall(code_list: CodeList) -> CostCode:
    return CostCodeFactory.create(list=code_list, code="05", description="D" * 101)


def test_codes_of_another_account_are_not_checked(code_list):
    strange = CostCodeFactory.create(code="$")
    ids = [strange.pk]
    assert sendable.check_against("cost_code", code_list.account_id, ids, "simulator") == []


def test_companies_are_checked_by_the_adapters_own_rules_too(account):
    good = CompanyFactory.create(account=account)
    bad = CompanyFactory.create(account=account, entity_type="ein", entity_id="99-12")
    ids = [good.pk, bad.pk]
    (failure,) = sendable.check_against("vendor", account.pk, ids, "simulator")
    assert (failure.record_id, [problem.field for problem in failure.problems]) == (
        bad.pk,
        ["entity_id"],
    )


def test_an_adapter_that_is_not_there_is_said(account):
    with pytest.raises(AdapterUnavailable, match="not in the list"):
        sendable.check_against("vendor", account.pk, [], "nobody")


def test_checking_a_long_list_asks_the_database_little(code_list, django_assert_max_num_queries):
    ids = [code.pk for code in CostCodeFactory.create_batch(60, list=code_list)]
    with django_assert_max_num_queries(3):
        assert sendable.check_against("cost_code", code_list.account_id, ids, "tryton") == []
