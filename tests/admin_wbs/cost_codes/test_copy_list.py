from __future__ import annotations

import pytest

from admin_wbs.cost_codes import copy_list, list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import ReadOnly, Stale
from tests.admin_wbs.cost_codes.test_services import code_labels, tree
from tests.factories import CodeListFactory, ConnectionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(account, ada):
    return list_services.create(account=account, name="Commercial", by=ada)


def copied(source, target, by):
    for code_list in (source, target):
        code_list.refresh_from_db()
    return copy_list.copy(source, target, seen=(source.revision, target.revision), by=by)


def test_codes_are_copied_with_those_above_and_what_is_there_stays(code_list, target, ada):
    tree(code_list, ada, "01 General", "01-100 Survey", "02 Site", "02-10 Clearing")
    tree(target, ada, "01 Conditions")
    plan = copy_list.plan(code_list, target)
    assert ([row[1] for row in plan.rows], plan.there) == (["Survey", "Site", "Clearing"], 1)
    assert copied(code_list, target, ada) == 3
    assert code_labels(target) == ["01 Conditions", "01-100 Survey", "02 Site", "02-10 Clearing"]
    assert copied(code_list, target, ada) == 0


def test_inactive_codes_are_left_out(code_list, target, ada):
    made = tree(code_list, ada, "01 General", "01-100 Survey", "02 Site")
    code_services.deactivate(code_list, [made["01-100"].pk, made["02"].pk], by=ada)
    assert copy_list.plan(code_list, target).inactive == 2
    copied(code_list, target, ada)
    assert code_labels(target) == ["01 General"]


def test_a_code_spelled_the_same_in_other_tiers_is_left_with_what_is_below(code_list, target, ada):
    tree(code_list, ada, "01 General", "01-100 Survey", "01-100-1 Stakes", "02 Site")
    code_services.add(target, code="01-100", description="Flat", by=ada)
    plan = copy_list.plan(code_list, target)
    assert list(plan.clashing) == ["01-100", "01-100-1"]
    copied(code_list, target, ada)
    assert code_labels(target) == ["01 General", "01-100 Flat", "02 Site"]


def test_counts_of_before_are_not_acted_on(code_list, target, ada):
    tree(code_list, ada, "01 General")
    with pytest.raises(Stale):
        copy_list.copy(code_list, target, seen=(1, 1), by=ada)
    assert code_labels(target) == []


def test_nothing_is_copied_into_a_list_of_a_disconnected_erp(code_list, account, ada):
    disconnected_list = CodeListFactory.create(
        account=account, connection_id=ConnectionFactory.create(account=account).pk
    )
    tree(code_list, ada, "01 General")
    with pytest.raises(ReadOnly):
        copied(code_list, disconnected_list, ada)
    assert copied(disconnected_list, code_list, ada) == 0


def test_planning_a_copy_takes_two_queries(code_list, target, ada, django_assert_num_queries):
    tree(code_list, ada, *[f"{n:03} Work" for n in range(200)])
    with django_assert_num_queries(2):
        copy_list.plan(code_list, target)
