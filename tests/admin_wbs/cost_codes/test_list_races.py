"""Several people who change cost codes of the same lists at once, in threads."""

from __future__ import annotations

import pytest
from django.db import transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.projects import cost_codes
from tests.admin_wbs.steps import tree
from tests.erp_integrations.test_races import at_once
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("Residential", "Commercial")


@pytest.fixture
def made(account, ada):
    """Two lists of the same codes."""
    rows = [f"{n:02} Work {n}" for n in range(20)]
    return [
        tree(list_services.create(account=account, name=name, by=ada), ada, *rows) for name in NAMES
    ]


def pks(made, *, backwards: bool = False) -> list[int]:
    ids = [code.pk for codes in made for code in codes.values()]
    return ids[::-1] if backwards else ids


def test_projects_that_take_codes_of_the_same_lists_do_not_wait_in_a_circle(account, made, ada):
    projects = ProjectFactory.create_batch(3, account=account)

    def take(project, backwards):
        return lambda: cost_codes.add_of_any(
            pks(made, backwards=backwards), project=project, by=ada
        )

    asked = [take(project, backwards) for project in projects for backwards in (False, True)]
    assert sorted(at_once(*asked)) == [0, 0, 0, 40, 40, 40]
    assert [project.cost_codes.count() for project in projects] == [40, 40, 40]


def test_who_takes_codes_twice_in_one_transaction_never_waits_for_a_list_with_the_project_held(
    account, made, ada
):
    project = ProjectFactory.create(account=account)
    (first, second), other = ([code.pk for code in codes.values()][:2] for codes in made)

    def twice():
        with transaction.atomic():
            cost_codes.add_of_any([first], project=project, by=ada)
            return cost_codes.add_of_any(other, project=project, by=ada)

    def once():
        second_list = next(iter(made[1].values())).list
        return cost_codes.add_only(second_list, other, project=project, by=ada)

    def again():
        return cost_codes.add_of_any([second], project=project, by=ada)

    outcomes = at_once(twice, once, again, once, twice)
    assert sorted(outcomes) == [0, 0, 0, 1, 2]
    assert project.cost_codes.count() == 4


def test_codes_of_two_lists_are_switched_at_once_whichever_list_is_named_first(account, made, ada):
    lists = [next(iter(codes.values())).list for codes in made]

    def switch(do, first, second):
        return lambda: do(first, pks(made), by=ada, also=[second])

    outcomes = at_once(
        switch(code_services.deactivate, *lists),
        switch(code_services.deactivate, *lists[::-1]),
        switch(code_services.deactivate, *lists),
        switch(code_services.deactivate, *lists[::-1]),
    )
    assert sorted(outcome.done for outcome in outcomes) == [0, 0, 0, 40]
