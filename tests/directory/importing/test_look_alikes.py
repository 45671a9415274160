from __future__ import annotations

import pytest

from directory.companies import services as company_services
from directory.importing import plan as planning
from directory.importing.columns import proposed
from directory.importing.plan import Choice, Fate, LookAlikes, Plan, State
from directory.models import Company
from erpbridge.files.delimited import read
from tests.generator import file_of


@pytest.fixture
def star(account, ada) -> Company:
    (company,) = company_services.create_many(
        [
            Company(
                name="Star Framing, LLC",
                zip="21201",
                business_phone="(410) 555-0101",
                entity_id="52-0000001",
            )
        ],
        account=account,
        project=None,
        by=ada,
    )
    return company


def plan_of(account, *rows: dict[str, str], project=None) -> Plan:
    table = read(file_of(*rows))
    return planning.make(table.lines, proposed(table), account=account, project=project)


@pytest.mark.parametrize(
    ("row", "state", "why"),
    [
        ({"name": "STAR FRAMING", "zip": "21201-4730"}, State.DUPLICATE, "same name and ZIP code"),
        ({"name": "Star Framing", "zip": "90210"}, State.LOOK_ALIKE, "same name, other ZIP code"),
        ({"name": "Star Framing"}, State.LOOK_ALIKE, "same name, a ZIP code is missing"),
        ({"name": "Star Framing", "ein": "52 0000001"}, State.DUPLICATE, "same name and tax ID"),
        ({"name": "Star Framing", "zip": "21201", "ein": "52-0000002"}, State.NEW, ""),
        ({"name": "Star Framing Inc", "zip": "21201"}, State.LOOK_ALIKE, "other legal form (LLC)"),
        ({"name": "Moon", "ein": "520000001"}, State.LOOK_ALIKE, "same tax ID"),
        ({"name": "Moon", "phone": "4105550101", "zip": "21201"}, State.LOOK_ALIKE, "same phone"),
        (
            {"name": "Moon", "phone": "4105550101", "zip": "21201", "ein": "52-0000002"},
            State.NEW,
            "",
        ),
        ({"name": "Moon", "phone": "4105550101", "zip": "90210"}, State.NEW, ""),
        ({"name": "Moon"}, State.NEW, ""),
    ],
)
def test_a_row_that_looks_like_a_company_says_why(account, star, row, state, why):
    (planned,) = plan_of(account, row).rows
    assert planned.state == state
    assert why in planned.reason


def test_firms_of_one_name_and_other_tax_ids_are_new(account, project, ada):
    values = {"name": "Larkmoor Electric Inc", "entity_type": "ein", "entity_id": "52-7654321"}
    company_services.create(account=account, values=values, by=ada)
    plan = plan_of(
        account,
        {"name": "Larkmoor Electric LLC", "city": "Bowie", "ein": "52-7654322"},
        {"name": "Larkmoor Electric, Co.", "city": "Laurel", "ein": "52-7654323"},
        project=project,
    )
    assert plan.fates(Choice()) == {Fate.CREATE: 2}


def test_a_row_that_two_companies_are_like_is_doubtful(account, project, star, ada):
    company_services.create(
        account=account, values={"name": "Star Framing", "zip": "21201"}, by=ada
    )
    plan = plan_of(account, {"name": "Star Framing", "zip": "21201"}, project=project)
    assert plan.rows[0].state == State.LOOK_ALIKE
    assert "so have 1 more" in plan.rows[0].reason
    assert plan.placeable == 0


def test_a_doubtful_row_is_asked_about_and_an_exact_duplicate_is_not(account, star):
    assert plan_of(account, {"name": "Star Framing", "zip": "21201"}).default == LookAlikes.EXACT
    assert plan_of(account, {"name": "Star Framing"}).default is None


def test_a_row_can_look_like_an_earlier_row_of_the_file(account):
    moon = {"name": "moon", "zip": "21201"}
    plan = plan_of(account, {**moon, "name": "Moon Co"}, {"name": "Sun", "zip": ""}, moon)
    assert [row.state for row in plan.rows] == [State.NEW, State.NEW, State.DUPLICATE]
    assert "line 2, Moon Co" in plan.rows[2].reason


def test_a_row_does_not_look_like_an_earlier_one_that_is_refused(account):
    plan = plan_of(
        account, {"name": "Moon", "email": "wrong"}, {"name": "Moon", "email": "a@moon.example"}
    )
    assert [row.state for row in plan.rows] == [State.ERROR, State.NEW]


def test_companies_of_another_account_are_nobodys_look_alikes(other_account, star):
    (planned,) = plan_of(other_account, {"name": "Star Framing", "zip": "21201"}).rows
    assert planned.state == State.NEW


def test_an_inactive_look_alike_is_said_to_be_inactive(account, star, ada, project):
    company_services.deactivate(star, seen=1, by=ada)
    plan = plan_of(account, {"name": "Star Framing", "zip": "21201"}, project=project)
    assert "(inactive)" in plan.rows[0].reason
    assert plan.placeable == 0


ROWS = (
    {"name": "Star Framing", "zip": "21201"},
    {"name": "Star Framing", "zip": "90210"},
    {"name": "New One", "zip": "21201"},
    {"name": "", "zip": "21201"},
)


@pytest.mark.parametrize(
    ("look_alikes", "created", "left_out"),
    [(LookAlikes.EXACT, 2, 1), (LookAlikes.SKIP, 1, 2), (LookAlikes.CREATE, 3, 0)],
)
def test_the_person_chooses_what_happens_to_look_alikes(
    account, star, look_alikes, created, left_out
):
    fates = plan_of(account, *ROWS).fates(Choice(look_alikes))
    assert (fates[Fate.CREATE], fates[Fate.LEAVE_OUT], fates[Fate.REFUSE]) == (created, left_out, 1)


@pytest.mark.parametrize("look_alikes", LookAlikes)
def test_a_project_is_given_the_company_that_exists(account, project, star, look_alikes):
    plan = plan_of(account, ROWS[0], project=project)
    assert plan.placeable == 1
    assert plan.fates(Choice(look_alikes)) == {Fate.PLACE: 1}
    unplaced = plan.fates(Choice(LookAlikes.EXACT, place=False))
    assert unplaced == {Fate.LEAVE_OUT: 1}


def test_a_company_on_the_project_already_is_left_out(account, project, star, ada):
    company_services.add_to_project([star.pk], project=project, by=ada)
    plan = plan_of(account, ROWS[0], project=project)
    assert plan.fates(Choice()) == {Fate.LEAVE_OUT: 1}
    assert "on the project already" in plan.rows[0].reason


def test_the_fingerprint_changes_with_what_the_rows_meet(account, ada):
    row = {"name": "Moon", "zip": "21201"}
    before = plan_of(account, row).fingerprint
    assert plan_of(account, row).fingerprint == before
    company_services.create(account=account, values={"name": "Moon", "zip": "21201"}, by=ada)
    assert plan_of(account, row).fingerprint != before
