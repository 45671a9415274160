"""The list's way into the ERP: send, retrieve, accept, reject, export, one code at a time."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp import send as send_to_erp
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CostCode
from erp_integrations.models import Item
from erp_integrations.sendable import badge
from erp_integrations.workflow import parents
from erp_integrations.workflow.accept import services as accept_services
from tests.admin_wbs import steps
from tests.erp_integrations.steps import break_erp, export, reasons

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(erp_list, ada):
    return steps.tree(
        erp_list,
        ada,
        "01 General",
        "01-100 Survey",
        "01-100-1 Stakes",
        "02 Site",
        "02-200 Clearing",
    )


def button(erp_list, user, access_of):
    return send_to_erp.button(erp_list, access_of(user))


# --- the button -----------------------------------------------------------------------------


def test_a_click_sends_every_code_and_accounting_sees_them_parents_first(
    erp_list, made, ada, access_of
):
    assert (button(erp_list, ada, access_of).label, button(erp_list, ada, access_of).count) == (
        "Send to ERP",
        5,
    )
    assert steps.send(erp_list, access_of(ada)).done == 5
    labels = [item.label for item in Item.objects.order_by("depth", "pk")]
    assert labels[:2] == ["01 General", "02 Site"]


def test_once_sent_the_button_says_re_send_and_why_it_is_disabled(erp_list, made, ada, access_of):
    steps.send(erp_list, access_of(ada))
    resend = button(erp_list, ada, access_of)
    assert (resend.label, resend.enabled, resend.waiting) == ("Re-send to ERP", False, 5)
    assert "all 5 are waiting for accounting" in resend.reasons[0].message


def test_an_empty_list_says_so(erp_list, ada, access_of):
    assert "no active cost codes" in button(erp_list, ada, access_of).reasons[0].message


def test_a_list_without_an_erp_has_no_button(code_list, ada, access_of):
    assert send_to_erp.button(code_list, access_of(ada)) is None


def test_who_may_not_send_has_no_button(erp_list, made, sam, access_of):
    assert button(erp_list, sam, access_of).label == ""


def test_a_page_from_before_a_change_is_told_so_and_sends_nothing(erp_list, made, ada, access_of):
    erp_list.refresh_from_db()
    seen = erp_list.revision
    code_services.add(erp_list, code="03", description="Concrete", by=ada)
    with pytest.raises(Stale, match="changed by Ada Admin"):
        send_to_erp.send(erp_list, access=access_of(ada), seen=seen)
    assert not Item.objects.exists()


# --- what goes ------------------------------------------------------------------------------


def test_a_chosen_code_takes_what_is_above_it_along(erp_list, made, ada, access_of):
    assert steps.send(erp_list, access_of(ada), made["01-100-1"]).done == 3
    assert set(Item.objects.values_list("label", flat=True)) == {
        "01 General",
        "01-100 Survey",
        "01-100-1 Stakes",
    }


def test_a_code_that_breaks_a_rule_is_named_with_it_and_the_others_go(
    erp_list, made, ada, access_of
):
    code_services.edit(made["02-200"], values={"description": "x" * 60}, seen=1, by=ada)
    done = steps.send(erp_list, access_of(ada))
    assert done.done == 4
    assert [(refusal.label[:6], refusal.problems[0].rule) for refusal in done.refused] == [
        ("02-200", "max_length")
    ]


def test_what_is_under_a_code_that_cannot_go_stays_with_that_reason(erp_list, made, ada, access_of):
    code_services.edit(made["01"], values={"description": "x" * 60}, seen=1, by=ada)
    done = steps.send(erp_list, access_of(ada))
    assert done.done == 2
    why = {refusal.label.split()[0]: refusal.problems[0].message for refusal in done.refused}
    assert why["01-100"].startswith("A code above it cannot be sent: Description must be")
    assert set(why) == {"01", "01-100", "01-100-1"}


def test_inactive_codes_stay(erp_list, made, ada, access_of):
    code_services.deactivate(erp_list, [made["02-200"].pk], by=ada)
    assert steps.send(erp_list, access_of(ada)).done == 4


def test_waiting_codes_are_locked_and_the_others_are_not(erp_list, made, ada, access_of):
    steps.send(erp_list, access_of(ada), made["02"])
    with pytest.raises(CodeRefused, match="Sent to the ERP by Ada Admin"):
        code_services.edit(made["02"], values={"description": "x"}, seen=1, by=ada)
    code_services.edit(made["01"], values={"description": "General conditions"}, seen=1, by=ada)


def test_retrieving_a_code_takes_what_is_under_it_along(erp_list, made, ada, access_of):
    steps.send(erp_list, access_of(ada))
    assert send_to_erp.retrieve(erp_list, access=access_of(ada), ids=[made["01"].pk]).done == 3
    assert steps.states(erp_list) == {
        "01": "retrieved",
        "01-100": "retrieved",
        "01-100-1": "retrieved",
        "02": "ready",
        "02-200": "ready",
    }
    assert send_to_erp.retrieve(erp_list, access=access_of(ada)).done == 2


# --- accept and export ----------------------------------------------------------------------


def test_everything_arrives_as_a_tree(connection, erp_list, made, ada, pat, access_of):
    steps.send(erp_list, access_of(ada))
    assert steps.accept(steps.waiting(erp_list), access_of(pat)).done == 5
    export(connection)
    assert set(steps.states(erp_list).values()) == {"synced"}
    assert steps.in_erp(connection) == [
        ("01", "General"),
        ("02", "Site"),
        ("01-100", "Survey"),
        ("02-200", "Clearing"),
        ("01-100-1", "Stakes"),
    ]
    assert all(code.origin_id for code in erp_list.codes.all())


def test_a_code_without_an_account_stays_and_the_others_go(erp_list, made, ada, pat, access_of):
    steps.send(erp_list, access_of(ada))
    items = steps.waiting(erp_list)
    steps_values = {item.pk: {"income_account": "4000"} for item in items[1:]}
    decisions = [
        accept_services.Decision(item.pk, item.digest, steps_values.get(item.pk, {}))
        for item in items
    ]
    done = accept_services.accept(decisions, entity="cost_code", access=access_of(pat))
    assert done.done == 4
    assert "GL Account" in reasons(done)[0]


def test_after_the_sync_an_edit_shows_as_drift_and_is_sent_again(
    connection, erp_list, made, ada, pat, access_of
):
    steps.send(erp_list, access_of(ada))
    steps.accept(steps.waiting(erp_list), access_of(pat))
    export(connection)
    assert button(erp_list, ada, access_of).count == 0
    code_services.edit(made["02"], values={"description": "Site work"}, seen=1, by=ada)
    changed = CostCode.objects.get(pk=made["02"].pk)
    assert badge(changed).key == "drifted"
    assert button(erp_list, ada, access_of).count == 1
    steps.send(erp_list, access_of(ada))
    steps.accept(steps.waiting(erp_list), access_of(pat))
    export(connection)
    changed.refresh_from_db()
    assert (badge(changed).key, ("02", "Site work") in steps.in_erp(connection)) == (
        "synced",
        True,
    )


def test_editing_back_what_the_erp_holds_is_no_drift(
    connection, erp_list, made, ada, pat, access_of
):
    steps.send(erp_list, access_of(ada))
    steps.accept(steps.waiting(erp_list), access_of(pat))
    export(connection)
    code_services.edit(made["02"], values={"description": "Site work"}, seen=1, by=ada)
    code_services.edit(made["02"], values={"description": "Site"}, seen=2, by=ada)
    assert not CostCode.objects.get(pk=made["02"].pk).drifted


def test_why_a_code_high_up_cannot_be_sent_is_said_once_however_deep_a_code_is(
    erp_list, ada, access_of
):
    steps.tree(erp_list, ada, f"01 {'Long ' * 40}", "01-100 Survey", "01-100-1 Stakes")
    done = steps.send(erp_list, access_of(ada))
    by_label = {refusal.label[:8]: refusal.problems for refusal in done.refused}
    (why,) = {problem.message for problem in by_label["01-100 S"] + by_label["01-100-1"]}
    assert why.startswith("A code above it cannot be sent: Description must be")
    assert why.count("above it") == 1


# --- a parent that the ERP refuses ----------------------------------------------------------


@pytest.fixture
def refused_parent(connection, erp_list, made, ada, pat, access_of):
    """01 was refused by the ERP; everything was accepted."""
    steps.send(erp_list, access_of(ada))
    break_erp(connection, "refuse", match="01", times=1)
    steps.accept(steps.waiting(erp_list), access_of(pat))
    export(connection)
    return Item.objects.get(label="01 General")


def test_children_of_a_refused_parent_wait_with_that_reason_and_the_rest_is_exported(
    connection, erp_list, refused_parent
):
    assert steps.states(erp_list) == {
        "01": "failed",
        "01-100": "queued",
        "01-100-1": "queued",
        "02": "synced",
        "02-200": "synced",
    }
    child = Item.objects.with_parent().get(label="01-100 Survey")
    assert (child.parent_label, child.parent_state) == ("01 General", "failed")
    assert child.parent_error


def test_once_the_parent_is_mended_in_its_description_the_children_follow(
    connection, erp_list, made, refused_parent, ada, pat, access_of
):
    only_it = Item.objects.filter(pk=refused_parent.pk)
    accept_services.reject(only_it, entity="cost_code", reason="Name it", access=access_of(pat))
    code_services.edit(made["01"], values={"description": "General conditions"}, seen=1, by=ada)
    steps.send(erp_list, access_of(ada))
    steps.accept(steps.waiting(erp_list), access_of(pat))
    export(connection)
    assert set(steps.states(erp_list).values()) == {"synced"}
    assert ("01", "General conditions") in steps.in_erp(connection)


def test_the_code_of_the_parent_is_mended_with_its_children_handed_back(
    connection, erp_list, made, refused_parent, ada, pat, access_of
):
    accept_services.reject(
        Item.objects.filter(pk=refused_parent.pk),
        entity="cost_code",
        reason="Wrong number",
        access=access_of(pat),
    )
    with pytest.raises(CodeRefused, match="A code under it waits"):
        code_services.edit(made["01"], values={"code": "09"}, seen=1, by=ada)
    below = parents.below([refused_parent])
    assert [item.label for item in below] == ["01-100 Survey", "01-100-1 Stakes"]
    done = accept_services.reject(
        Item.objects.filter(pk__in=[item.pk for item in below]),
        entity="cost_code",
        reason="Wrong number",
        access=access_of(pat),
    )
    assert done.done == 2
    code_services.edit(made["01"], values={"code": "09"}, seen=1, by=ada)
    assert steps.send(erp_list, access_of(ada)).done == 3
    steps.accept(steps.waiting(erp_list), access_of(pat))
    export(connection)
    assert set(steps.states(erp_list).values()) == {"synced"}
    assert {code for code, _ in steps.in_erp(connection)} == {
        "09", "09-100", "09-100-1", "02", "02-200",
    }  # fmt: skip


def test_each_code_is_rejected_for_a_reason_of_its_own(erp_list, made, ada, pat, access_of):
    steps.send(erp_list, access_of(ada))
    first, second = steps.waiting(erp_list)[:2]
    done = accept_services.reject(
        Item.objects.filter(pk__in=[first.pk, second.pk]),
        entity="cost_code",
        reason="Not now",
        reasons={second.pk: "Use 03 instead"},
        access=access_of(pat),
    )
    assert done.done == 2
    notes = dict(Item.objects.filter(state="rejected").values_list("pk", "decision_note"))
    assert notes == {first.pk: "Not now", second.pk: "Use 03 instead"}


def test_codes_imported_into_the_list_of_the_erp_are_unsent(erp_list, ada, access_of):
    rows = [(["01"], "General"), (["01", "100"], "Survey")]
    code_services.add_many(erp_list, rows, by=ada)
    assert button(erp_list, ada, access_of).count == 2


def test_the_list_says_what_came_back_and_why(client_of, erp_list, ada, pat, account, access_of):
    steps.tree(erp_list, ada, "01 General", "02 Site")
    steps.send(erp_list, access_of(ada))
    item = Item.objects.filter(label="02 Site")
    accept_services.reject(item, entity="cost_code", reason="Not this year.", access=access_of(pat))
    page = client_of(ada).get(reverse("admin_wbs:list", args=[account.pk, erp_list.pk]))
    page = page.content.decode()
    assert "?erp=rejected" in page
    assert "1 rejected" in page
    assert page.count("Not this year.") == 1
