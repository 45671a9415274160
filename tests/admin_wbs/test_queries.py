"""Which rows the querysets of the work breakdown structure find, for whom and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from admin_wbs.models import (
    CodeList,
    CostCode,
    CostType,
    ProjectCostCode,
    Segment,
    SegmentItem,
    SubJob,
    WbsCode,
    WbsCodeItem,
)
from erp_integrations.models.states import State
from erpbridge.access.models import Membership
from erpbridge.access.policy import Access, Scope
from tests.every_call import known
from tests.every_call.known import Known
from tests.every_call.writes import Scene
from tests.rest.fixtures import all_segments

__all__ = ["all_segments"]

# The model -> how its rows lead to their account, or to their project.
OF_ACCOUNT = {
    CodeList: "account",
    CostCode: "account",
    Segment: "account",
    SegmentItem: "segment__account",
    CostType: "account",
}
OF_PROJECT = {ProjectCostCode: "project", SubJob: "project", WbsCode: "project"}


@pytest.fixture
def rows(db: None) -> Known:
    return Known()


def places(rows: Any) -> list[int]:
    """Rows by the last digit of their ids."""
    return [pk % 10 for pk in rows.values_list("pk", flat=True)]


def test_a_person_sees_the_rows_of_the_scope_and_with_no_right_none(
    all_segments, account, ada, other_account, olga
):
    mine, theirs = Scene(account, ada), Scene(other_account, olga)
    member = Membership.objects.get(user=ada)
    nobody = Membership(user=ada, account=account)
    for model, path in OF_ACCOUNT.items():
        assert model.objects.filter(**{path: other_account}).exists()
        for project in (None, mine.project):
            visible = model.objects.visible_to(Access(ada, Scope(account, project), member))
            assert set(visible) == set(model.objects.filter(**{path: account})) != set()
            assert not model.objects.visible_to(Access(ada, Scope(account, project), nobody))
    SubJob.objects.create(project=mine.project, code="S", name="South")
    for model, path in OF_PROJECT.items():
        visible = model.objects.visible_to(Access(ada, Scope(account, mine.project), member))
        assert set(visible) == set(model.objects.filter(**{path: mine.project})) != set()
        assert not model.objects.visible_to(Access(ada, Scope(account), member))
        assert not model.objects.visible_to(Access(ada, Scope(account, mine.project), nobody))
    assert WbsCode.objects.filter(project=theirs.project).exists()


def test_lists_count_their_codes_and_those_that_the_erp_has_not(rows):
    lists = CodeList.objects.with_counts().order_by("pk")
    assert list(lists.values_list("count", "unsynced")) == [(3, 2), (1, 1)]


def test_a_list_is_an_erps_before_and_after_it_is_connected(rows):
    CodeList.objects.create(account=rows.account, name="Connected", connection_id=1)
    lists = CodeList.objects.with_erp_flag().order_by("pk")
    assert {code_list.name: code_list.is_erp_list for code_list in lists} == {
        "Residential": False,
        "ERP Codes": True,
        "Connected": True,
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [("walls", [2]), ("02 earth", [1]), ("02-220", [1, 2]), ("wall c-5", [2]), ("earth c-5", [])],
)
def test_codes_are_found_by_every_word_of_code_description_or_erp_id(rows, words, expected):
    assert places(CostCode.objects.search(words).order_by("pk")) == expected


def test_what_is_to_be_sent_waits_or_is_synced(rows):
    mine = CostCode.objects.filter(list=rows.list).order_by("pk")
    assert places(mine.to_send()) == [0, 1]
    CostCode.objects.filter(pk=rows.top.pk).update(erp_state=State.READY)
    assert places(mine.to_send()) == [1]
    assert places(mine.waiting()) == [0]
    assert places(mine.synced()) == [2]
    changed = CostCode.objects.filter(pk=rows.code.pk)
    changed.update(is_active=True, drifted=True, erp_state=State.SYNCED)
    assert places(mine.to_send()) == [1, 2]
    assert places(mine.to_send(updates=False)) == [1]


def test_codes_of_projects_and_sub_jobs_are_found_by_code_or_name(rows):
    assert places(ProjectCostCode.objects.search("02 walls")) == [1]
    assert places(ProjectCostCode.objects.search("02 roof")) == []
    assert places(SubJob.objects.search("s1 tower")) == [0]
    assert places(SubJob.objects.search("tower").order_by("pk")) == [0, 1]


def test_segments_stand_in_the_order_of_the_budget_code_with_the_others_behind(rows):
    assert places(Segment.objects.filter(account=rows.account).in_order()) == [1, 0, 3, 2, 4]
    assert places(Segment.objects.structure(rows.account.pk)) == [1, 0, 3]
    assert places(Segment.objects.structure(rows.account.pk + 1)) == []


def test_default_cost_types_come_first_as_they_were_made_then_the_others_by_code(rows):
    for place, code in ((5, "Z"), (6, "A")):
        CostType.objects.create(
            pk=known.TYPE + place, account=rows.account, code=code, label=code, is_default=True
        )
    assert places(CostType.objects.in_order()) == [5, 6, 1, 0]


def test_cost_types_count_the_codes_they_are_ticked_for(rows):
    rows.top.cost_type_ticks.create(cost_type_id=known.TYPE)
    cost_types = CostType.objects.with_ticks().order_by("pk")
    assert list(cost_types.values_list("ticked", flat=True)) == [2, 1]


def test_items_of_a_budget_code_are_named_whichever_table_they_are_in(rows):
    items = WbsCodeItem.objects.filter(wbs_code=known.BUDGET_CODE).named()
    assert set(items.values_list("code", "name")) == {
        ("A-1", "Hall"),
        ("02-220-5", "Walls"),
        ("E", "Rental"),
        ("S1", "South Tower"),
    }


def test_what_budget_codes_use_is_told_of_one_table(rows):
    codes = [known.PROJECT_CODE + place for place in range(3)]
    assert WbsCodeItem.objects.used_ids("cost_code", codes) == set(codes[:2])
    assert WbsCodeItem.objects.used_ids("cost_code", codes[1:]) == {codes[1]}
    assert WbsCodeItem.objects.used_ids("sub_job", [known.SUB_JOB]) == {known.SUB_JOB}
    assert WbsCodeItem.objects.used_ids("item", [known.SUB_JOB]) == set()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tower", [0]),
        ("walls rental", [0]),
        ("02-220.e", [0]),
        ("220.e", []),
        ("02.a", [0, 1]),
        ("02.l", []),
        (".", []),
        ("site", [1]),
        ("south hall walls", [0]),
        ("nothing", []),
    ],
)
def test_budget_codes_are_found_by_description_items_and_parts(rows, words, expected):
    codes = WbsCode.objects.search(words).order_by("pk")
    assert [pk % 10 for pk in codes.values_list("pk", flat=True)] == expected


def test_without_divisions_are_the_budget_codes_of_what_nothing_is_under(rows):
    assert places(WbsCode.objects.without_divisions()) == [0]
