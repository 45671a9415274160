"""Which companies are found, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from directory.models import Company
from directory.models.querysets import may_see_inactive
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership, ProjectMembership, User
from erpbridge.access.policy import Access, Scope
from tests.factories import CompanyFactory, ProjectFactory, TradeFactory


@pytest.fixture
def firms(account, other_account, project) -> dict[str, Company]:
    """A company with all details, an inactive one, one on a project, one of another account."""
    made = {
        "heron": CompanyFactory.create(
            account=account,
            name="Blue Heron Concrete, Inc.",
            business_phone="(503) 555-0107",
            city="Salem",
            origin_id="V-77",
            origin_code="HERON",
        ),
        "glass": CompanyFactory.create(account=account, name="Heron Glass", is_active=False),
        "here": CompanyFactory.create(account=account, name="Pier Drywall 50355"),
        "there": CompanyFactory.create(account=other_account, name="Blue Heron Concrete"),
    }
    project.project_companies.create(company=made["here"])
    elsewhere = ProjectFactory.create(account=account)
    elsewhere.project_companies.create(company=made["heron"])
    return made


def names(companies: Any, firms: dict[str, Company]) -> list[str]:
    pks = set(companies.values_list("pk", flat=True))
    return [name for name, firm in firms.items() if firm.pk in pks]


def access(account: Any, project: Any = None, on_project: Any = None, **levels: Any) -> Access:
    mine = ProjectMembership(**on_project) if on_project else None
    return Access(User(), Scope(account, project), Membership(**levels), mine)


EDITS = {"create_edit_companies": True, "directory": Level.STANDARD}


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({}, []),
        ({"directory": Level.READ_ONLY}, ["heron", "here"]),
        ({"directory": Level.STANDARD}, ["heron", "here"]),
        (EDITS, ["heron", "glass", "here"]),
        ({"directory": Level.ADMIN}, ["heron", "glass", "here"]),
        ({"admin": Level.ADMIN, "erp_integrations": Level.ADMIN}, []),
    ],
)
def test_inactive_companies_are_for_admins_and_those_who_edit(account, firms, levels, expected):
    by = access(account, **levels)
    assert names(Company.objects.visible_to(by), firms) == expected
    assert may_see_inactive(by) == ("glass" in expected)


def test_a_project_shows_the_companies_that_were_placed_in_it(account, project, firms):
    reader = access(account, project, {"directory": Level.READ_ONLY})
    assert names(Company.objects.visible_to(reader), firms) == ["here"]
    assert names(Company.objects.visible_to(access(account, project)), firms) == []
    assert names(Company.objects.on_project(project.pk), firms) == ["here"]


def test_companies_of_a_trade(account, firms):
    trade, other = TradeFactory.create(account=account), TradeFactory.create(account=account)
    firms["heron"].trades.add(trade)
    firms["glass"].trades.add(other)
    assert names(Company.objects.in_trade(trade.pk), firms) == ["heron"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("heron concrete", ["heron", "there"]),
        ("heron salem", ["heron"]),
        ("v-77", ["heron"]),
        ("salem v-77", ["heron"]),
        ("glass salem", []),
        # Five digits in one word are a number typed differently.
        ("5035-550", ["heron"]),
        ("50-355", ["heron", "here"]),
        ("503-55", ["heron", "here"]),
        ("5-0355", ["heron", "here"]),
        ("50-35", []),
        ("x50-355", []),
    ],
)
def test_every_word_occurs_and_numbers_also_without_their_punctuation(firms, words, expected):
    assert names(Company.objects.search(words), firms) == expected


def test_look_alikes_differ_in_case_punctuation_and_legal_form_only(firms):
    assert names(Company.objects.look_alikes("BLUE HERON concrete LLC"), firms) == [
        "heron",
        "there",
    ]
    assert names(Company.objects.look_alikes("Blue Heron"), firms) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Blue Heron", ["heron", "there"]),
        ("blue-heron", ["heron", "there"]),
        ("on Conc", ["heron", "there"]),
        ("Glass", ["glass"]),
        ("Heron", ["heron", "glass", "there"]),
        ("Salem", []),
    ],
)
def test_named_like_are_those_that_begin_so_or_hold_it_as_typed(firms, name, expected):
    assert names(Company.objects.named_like(name), firms) == expected
