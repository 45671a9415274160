from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import CodeRefused, Locked, ReadOnly, Stale
from admin_wbs.models import CostCode
from erp_integrations.models.states import State
from erpbridge.audit.models import Event
from tests.factories import CodeListFactory, ConnectionFactory, CostCodeFactory

pytestmark = pytest.mark.django_db


def tree(code_list, by, *rows):
    """Codes by full code, from ``"01-100 Surveying"``."""
    made = code_services.add_many(
        code_list,
        [(row.split(" ", 1)[0].split("-"), row.split(" ", 1)[1]) for row in rows],
        by=by,
    )
    return {code.full_code: code for code in made}


def code_labels(code_list):
    return [str(code) for code in code_list.codes.order_by("sort_path")]


# --- adding ---------------------------------------------------------------------------------


def test_a_code_goes_under_its_parent(code_list, ada):
    general = code_services.add(code_list, code="01", description="General", by=ada)
    child = code_services.add(code_list, code="100", description="Survey", by=ada, parent=general)
    assert (child.full_code, child.depth, child.path) == ("01-100", 1, ["01", "100"])


def test_code_and_description_are_required(code_list, ada):
    with pytest.raises(ValidationError) as refused:
        code_services.add(code_list, code="  ", description="", by=ada)
    assert set(refused.value.message_dict) == {"code", "description"}
    assert not CostCode.objects.exists()


def test_a_code_longer_than_thirty_characters_is_refused(code_list, ada):
    with pytest.raises(ValidationError, match="30 characters"):
        code_services.add(code_list, code="0" * 31, description="Long", by=ada)


def test_siblings_cannot_share_a_code_whatever_its_case(code_list, ada):
    code_services.add(code_list, code="A1", description="Piles", by=ada)
    with pytest.raises(ValidationError, match="a1 is taken by Piles"):
        code_services.add(code_list, code="a1", description="Walls", by=ada)


def test_children_of_two_parents_may_share_a_code(code_list, ada):
    tree(code_list, ada, "01 General", "02 Site", "01-100 Survey", "02-100 Clearing")
    assert code_labels(code_list) == ["01 General", "01-100 Survey", "02 Site", "02-100 Clearing"]


def test_two_ways_to_one_full_code_are_one_too_many(code_list, ada):
    tree(code_list, ada, "01 General", "01-100 Survey")
    with pytest.raises(ValidationError, match="01-100 is taken by Survey"):
        code_services.add(code_list, code="01-100", description="Flat", by=ada)


def test_a_sixth_tier_is_refused(code_list, ada):
    made = tree(code_list, ada, "1 a", "1-1 b", "1-1-1 c", "1-1-1-1 d", "1-1-1-1-1 e")
    with pytest.raises(CodeRefused, match="at most 5 tiers"):
        code_services.add(code_list, code="1", description="f", by=ada, parent=made["1-1-1-1-1"])


def test_a_parent_of_another_list_is_not_found(code_list, account, ada):
    stranger = CostCodeFactory.create(list__account=account)
    with pytest.raises(CodeRefused, match="has been deleted"):
        code_services.add(code_list, code="1", description="x", by=ada, parent=stranger)


def test_every_change_counts_in_the_list(code_list, ada):
    before = code_list.revision
    made = code_services.add(code_list, code="01", description="General", by=ada)
    code_services.edit(made, values={"description": "General conditions"}, seen=1, by=ada)
    code_list.refresh_from_db()
    assert (code_list.revision, code_list.changed_by) == (before + 2, ada)


def test_the_list_of_an_erp_that_is_gone_can_only_be_read(account, ada):
    disconnected_list = CodeListFactory.create(
        account=account, connection_id=ConnectionFactory.create(account=account).pk
    )
    with pytest.raises(ReadOnly, match="not connected any more"):
        code_services.add(disconnected_list, code="01", description="General", by=ada)


# --- editing --------------------------------------------------------------------------------


def test_a_new_code_moves_everything_below(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey", "01-100-1 Stakes", "02 Site")
    code_services.edit(made["01"], values={"code": "03"}, seen=1, by=ada)
    assert code_labels(code_list) == ["02 Site", "03 General", "03-100 Survey", "03-100-1 Stakes"]
    assert CostCode.objects.get(description="Stakes").path == ["03", "100", "1"]


def test_an_edit_says_what_changed(code_list, ada):
    made = code_services.add(code_list, code="01", description="General", by=ada)
    code_services.edit(made, values={"code": "01", "description": "Conditions"}, seen=1, by=ada)
    event = Event.objects.about(code_list.account_id, "cost_code", made.pk)[0]
    assert (event.actor, event.data["changes"]) == (
        ada,
        {"description": ["General", "Conditions"]},
    )


def test_of_two_who_edit_at_once_the_second_is_told(code_list, ada):
    made = code_services.add(code_list, code="01", description="General", by=ada)
    code_services.edit(made, values={"description": "Conditions"}, seen=1, by=ada)
    with pytest.raises(Stale):
        code_services.edit(made, values={"description": "Requirements"}, seen=1, by=ada)
    made.refresh_from_db()
    assert made.description == "Conditions"


def test_a_taken_code_changes_nothing(code_list, ada):
    made = tree(code_list, ada, "01 General", "02 Site")
    with pytest.raises(ValidationError, match="02 is taken by Site"):
        code_services.edit(made["01"], values={"code": "02", "description": "x"}, seen=1, by=ada)
    assert code_labels(code_list) == ["01 General", "02 Site"]


def test_a_new_code_that_takes_a_code_below_to_a_taken_place_changes_nothing(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey")
    code_services.add(code_list, code="02-100", description="Flat", by=ada)
    with pytest.raises(ValidationError, match="would become 02-100, which is taken"):
        code_services.edit(made["01"], values={"code": "02"}, seen=1, by=ada)
    assert code_labels(code_list) == ["01 General", "01-100 Survey", "02-100 Flat"]


def test_the_code_of_a_synced_code_stays_and_its_description_may_change(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey")
    CostCode.objects.filter(pk=made["01-100"].pk).update(origin_id="7")
    with pytest.raises(CodeRefused, match="The ERP knows it"):
        code_services.edit(made["01"], values={"code": "09"}, seen=1, by=ada)
    code_services.edit(made["01"], values={"description": "Conditions"}, seen=1, by=ada)
    assert code_labels(code_list) == ["01 Conditions", "01-100 Survey"]


@pytest.mark.parametrize("state", [State.READY, State.QUEUED, State.FAILED])
def test_the_code_stays_while_one_below_is_open(code_list, ada, state):
    made = tree(code_list, ada, "01 General", "01-100 Survey")
    CostCode.objects.filter(pk=made["01-100"].pk).update(erp_state=state)
    with pytest.raises(CodeRefused, match="Retrieve it, or have accounting"):
        code_services.edit(made["01"], values={"code": "09"}, seen=1, by=ada)
    code_services.edit(made["01"], values={"description": "Conditions"}, seen=1, by=ada)


def test_a_waiting_code_is_locked_and_the_others_are_not(code_list, ada):
    made = tree(code_list, ada, "01 General", "02 Site")
    CostCode.objects.filter(pk=made["01"].pk).update(erp_state=State.READY)
    with pytest.raises((Locked, Stale)):
        code_services.edit(made["01"], values={"description": "x"}, seen=1, by=ada)
    code_services.edit(made["02"], values={"description": "Site work"}, seen=1, by=ada)
    assert code_labels(code_list) == ["01 General", "02 Site work"]


# --- many at once ---------------------------------------------------------------------------


def test_a_code_with_active_codes_below_stays_active_and_says_why(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey", "02 Site")
    outcome = code_services.deactivate(code_list, [made["01"].pk, made["02"].pk], by=ada)
    assert outcome.done == 1
    assert [(row.label, row.why) for row in outcome.refused] == [
        ("01 General", "Codes under it are active. Deactivate these too, or first.")
    ]


def test_a_whole_branch_is_deactivated_and_reactivated_in_one_go(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey")
    ids = [code.pk for code in made.values()]
    assert code_services.deactivate(code_list, ids, by=ada).done == 2
    assert not code_list.codes.filter(is_active=True).exists()
    refused = code_services.reactivate(code_list, [made["01-100"].pk], by=ada)
    assert "01 General is inactive" in refused.refused[0].why
    assert code_services.reactivate(code_list, ids, by=ada).done == 2


def test_only_unused_codes_are_deleted_the_deepest_first(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey", "02 Site", "02-100 Clearing", "03 x")
    CostCode.objects.filter(pk=made["02-100"].pk).update(origin_id="9")
    CostCode.objects.filter(pk=made["03"].pk).update(erp_state=State.READY)
    outcome = code_services.delete(code_list, [code.pk for code in made.values()], by=ada)
    assert outcome.done == 2
    assert {row.label: row.why.split(".")[0] for row in outcome.refused} == {
        "02 Site": "Codes are under it",
        "02-100 Clearing": "It is synced with the ERP",
        "03 x": "It waits for accounting or is being exported",
    }
    assert code_labels(code_list) == ["02 Site", "02-100 Clearing", "03 x"]


def test_a_code_over_a_locked_one_stays_active(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey")
    CostCode.objects.filter(pk=made["01-100"].pk).update(erp_state=State.READY)
    outcome = code_services.deactivate(code_list, [code.pk for code in made.values()], by=ada)
    assert (outcome.done, [row.label for row in outcome.refused]) == (
        0,
        ["01 General", "01-100 Survey"],
    )


def test_a_code_under_a_locked_inactive_one_stays_inactive(code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey")
    code_services.deactivate(code_list, [code.pk for code in made.values()], by=ada)
    CostCode.objects.filter(pk=made["01"].pk).update(erp_state=State.FAILED)
    outcome = code_services.reactivate(code_list, [code.pk for code in made.values()], by=ada)
    assert (outcome.done, len(outcome.refused)) == (0, 2)


def test_nothing_is_added_under_an_inactive_code(code_list, ada):
    general = code_services.add(code_list, code="01", description="General", by=ada)
    code_services.deactivate(code_list, [general.pk], by=ada)
    with pytest.raises(CodeRefused, match="Reactivate it before"):
        code_services.add(code_list, code="100", description="Survey", by=ada, parent=general)


@pytest.mark.parametrize(
    "act", [code_services.deactivate, code_services.reactivate, code_services.delete]
)
def test_many_codes_take_no_more_queries_than_few(code_list, ada, act):
    counts = []
    for first in (0, 10):
        rows = [f"{first + n:02} x" for n in range(first + 3)]
        rows += [f"{first + n:02}-{m:02} y" for n in range(first + 3) for m in range(9)]
        ids = [code.pk for code in tree(code_list, ada, *rows).values()]
        with CaptureQueriesContext(database) as asked:
            act(code_list, ids, by=ada)
        counts.append(len(asked))
    assert counts[1] - counts[0] < 4  # SQLite stores the notes in batches


def test_codes_of_another_list_are_left_alone(code_list, account, ada):
    stranger = CostCodeFactory.create(list__account=account)
    assert code_services.delete(code_list, [stranger.pk], by=ada).done == 0
    assert CostCode.objects.filter(pk=stranger.pk).exists()


def test_adding_many_takes_no_more_queries_for_more_codes(
    code_list, ada, django_assert_max_num_queries
):
    rows = [([f"{n:02}"], f"Division {n}") for n in range(20)]
    rows += [([f"{n:02}", f"{m:03}"], f"Work {m}") for n in range(20) for m in range(10)]
    with django_assert_max_num_queries(30):
        code_services.add_many(code_list, rows, by=ada)
    assert code_list.codes.count() == 220
