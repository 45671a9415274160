from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.management import CommandError, call_command

from admin_wbs.models import CodeList, CostCode, ProjectCostCode
from directory.models import Company
from erp_integrations.models import Connection, Item
from erpbridge.access.models import Account, Membership, Project, User
from erpbridge.access.policy import Access, load
from erpbridge.management.commands.seed_demo import ACCOUNT, ADA, FIRMS, OTHERS


def seed() -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out, stderr=out)
    return out.getvalue()


def access_of(role: str, project: Project | None = None) -> Access:
    (person,) = [candidate for candidate in (ADA, *OTHERS) if candidate.role == role]
    access = load(User.objects.get(email=person.email), Account.objects.get(name=ACCOUNT), project)
    assert access is not None
    return access


@pytest.mark.django_db
def test_the_demo_is_created_once_and_its_people_can_sign_in():
    output = seed()
    again = seed()
    assert output.startswith("Created the demo account")
    assert "Created" not in again
    assert "DEMO" in again
    assert Account.objects.count() == 1
    assert Company.objects.count() == FIRMS
    assert Connection.objects.count() == 1
    for person in (ADA, *OTHERS):
        assert person.email in again
        assert person.password in again
        user = authenticate(None, username=person.email, password=person.password)
        validate_password(person.password, user)


@pytest.mark.django_db
def test_the_demo_has_something_for_every_rule():
    seed()
    assert Project.objects.filter(use_with_erp=True).count() == 2
    assert Project.objects.filter(use_with_erp=False).count() == 1
    names = Company.objects.values_list("name", flat=True)
    assert sum(len(name) > 30 for name in names) >= 5
    assert Company.objects.filter(is_active=False).count() == 2
    assert Company.objects.filter(entity_id__startswith="07-").count() == 2
    for project in Project.objects.all():
        assert Company.objects.on_project(project.pk).count() >= 10


@pytest.mark.django_db
def test_the_demo_shows_cost_codes_in_every_state_and_loads_them_once(settings, tmp_path):
    settings.DATA_DIR = tmp_path  # with an empty ledger
    seed()
    (code_list,) = CodeList.objects.all()
    states = Counter(code_list.codes.values_list("erp_state", flat=True))
    assert set(states) == {"", "ready", "rejected", "synced"}
    assert {code.depth for code in code_list.codes.all()} == {0, 1, 2}
    on_school = CostCode.objects.filter(on_projects__project__number="1042")
    assert set(on_school) == set(code_list.codes.filter(erp_state="synced"))
    waiting = Item.objects.filter(state="ready")
    assert {item.acceptance.get("income_account", "") for item in waiting} == {"", "4000"}
    before = code_list.codes.count(), ProjectCostCode.objects.count(), Item.objects.count()
    assert "Created" not in seed()
    code_list.refresh_from_db()
    assert (
        code_list.codes.count(),
        ProjectCostCode.objects.count(),
        Item.objects.count(),
    ) == before


@pytest.mark.django_db
def test_each_demo_person_may_do_what_the_table_says():
    seed()
    school = Project.objects.get(number="1042")
    assert access_of("Account admin").can("people.manage")
    assert access_of("Account admin").can("items.accept", "vendor")
    assert access_of("Project admin", school).can("companies.send")
    assert not access_of("Project admin").can("companies.send")
    assert access_of("Company admin").can("codes.send")
    assert not access_of("Company admin").can("items.view")
    assert not access_of("Project admin").can("codes.view")
    assert access_of("Project admin", school).can("project_codes.edit")
    assert access_of("Accounting approver").can("items.accept", "vendor")
    assert access_of("Accounting approver").can("items.accept", "cost_code")
    assert access_of("ERP administrator").can("connection.configure")
    assert not access_of("ERP administrator").can("items.accept", "vendor")
    assert access_of("Standard user", school).can("companies.edit")
    assert not access_of("Standard user", school).can("companies.send")
    assert access_of("Read-only user").can("items.view")
    assert not access_of("Read-only user", school).can("companies.edit")


@pytest.mark.django_db
def test_the_demo_is_not_created_again_when_its_admin_was_shut_out():
    seed()
    Membership.objects.update(is_active=False)
    assert "Created" not in seed()
    assert Account.objects.count() == 1


@pytest.mark.django_db
def test_the_demo_is_refused_in_production(settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        seed()
    assert not Account.objects.exists()


@pytest.mark.django_db
def test_the_demo_goes_without_an_erp_where_the_simulator_is_not_allowed(settings):
    settings.ERPBRIDGE_ADAPTERS = []
    assert "No ERP is connected" in seed()
    assert Company.objects.count() == FIRMS
