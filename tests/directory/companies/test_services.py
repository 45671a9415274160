"""The write functions of companies."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from directory.companies import bulk_services
from directory.companies import services as company_services
from directory.companies.errors import Locked, PeopleRemain, Stale
from directory.models import Company, ProjectCompany
from erp_integrations import sendable
from erpbridge.access.models import Membership, User
from erpbridge.audit.models import Event
from tests.factories import CompanyFactory, MembershipFactory, TradeFactory


def events(company: Company) -> list[Event]:
    return list(Event.objects.about(company.account_id, "vendor", company.pk))


def test_create_places_the_company_on_the_project_too(account, project, ada):
    made = company_services.create(
        account=account, values={"name": "Blue Heron, Inc."}, by=ada, project=project
    )
    assert ProjectCompany.objects.get().company == made
    assert (made.sort_name, made.name_key) == ("blue heron, inc.", "blueheron")
    assert [event.verb for event in events(made)] == ["added to project", "created"]


def test_create_many_stores_trades_places_and_one_event_each(account, project, ada):
    made = company_services.create_many(
        [Company(name="A"), Company(name="B")],
        account=account,
        project=project,
        by=ada,
        trades=[["Concrete", "concrete "], ["Concrete", "Framing"]],
    )
    assert [sorted(map(str, company.trades.all())) for company in made] == [
        ["Concrete"],
        ["Concrete", "Framing"],
    ]
    assert ProjectCompany.objects.filter(project=project).count() == 2
    assert Event.objects.filter(entity="vendor", verb="created").count() == 2


def test_create_many_costs_the_same_for_many(account, project, ada, django_assert_max_num_queries):
    with django_assert_max_num_queries(40):
        company_services.create_many(
            [Company(name=f"C {n}") for n in range(300)], account=account, project=project, by=ada
        )


def test_edit_changes_only_what_differs_and_records_from_and_to(company, ada):
    company_services.edit(
        company, values={"name": "Quarry & Co", "city": "Baltimore"}, seen=1, by=ada
    )
    company.refresh_from_db()
    assert (company.name, company.sort_name, company.revision) == ("Quarry & Co", "quarry & co", 2)
    assert events(company)[0].data == {
        "changes": {"name": ["Quarry & Sons, LLC", "Quarry & Co"]},
        "revision": 2,
    }


def test_an_edit_that_changes_nothing_leaves_no_trace(company, ada):
    before = len(events(company))
    company_services.edit(company, values={"city": "Baltimore"}, seen=1, by=ada)
    company.refresh_from_db()
    assert (company.revision, len(events(company))) == (1, before)


def test_trades_count_as_an_edit(account, company, ada):
    trade = TradeFactory.create(account=account, name="Concrete")
    company_services.edit(company, values={"trades": [trade]}, seen=1, by=ada)
    company.refresh_from_db()
    assert (company.revision, list(company.trades.all())) == (2, [trade])
    assert events(company)[0].data["changes"] == {"trades": [[], ["Concrete"]]}


def test_second_admin_is_told_who_changed_what(company, ada, eve):
    mine, theirs = (Company.objects.get(pk=company.pk) for _ in range(2))
    company_services.edit(theirs, values={"city": "Towson"}, seen=1, by=eve)
    with pytest.raises(Stale, match="Eve Editor changed City"):
        company_services.edit(mine, values={"zip": "21201"}, seen=1, by=ada)
    company.refresh_from_db()
    assert (company.city, company.zip) == ("Towson", "")


def test_a_waiting_company_cannot_be_edited_deactivated_or_reactivated(
    company, connection, ada, access_of
):
    assert sendable.send("vendor", [company.pk], access=access_of(ada)).done == 1
    with pytest.raises(Locked, match="Ada Admin"):
        company_services.edit(Company.objects.get(), values={"city": "Towson"}, seen=1, by=ada)
    with pytest.raises(Locked):
        company_services.deactivate(Company.objects.get(), seen=1, by=ada)
    company.refresh_from_db()
    assert (company.city, company.is_active) == ("Baltimore", True)


def test_deactivation_names_the_people_who_remain(company, ada, member_of):
    member_of("Nora Field")
    with pytest.raises(PeopleRemain, match="Nora Field"):
        company_services.deactivate(company, seen=1, by=ada)
    assert Company.objects.get().is_active


def test_inactive_people_do_not_keep_a_company_active(company, ada, member_of):
    member_of("Nora Field", is_active=False)
    company_services.deactivate(company, seen=1, by=ada)
    stored = Company.objects.get()
    assert (stored.is_active, stored.revision) == (False, 2)
    company_services.reactivate(stored, seen=2, by=ada)
    assert Company.objects.get().is_active
    assert [event.verb for event in events(company)[:2]] == ["reactivated", "deactivated"]


def test_a_stale_page_does_not_deactivate(company, ada, eve):
    company_services.edit(Company.objects.get(), values={"city": "Towson"}, seen=1, by=eve)
    with pytest.raises(Stale):
        company_services.deactivate(company, seen=1, by=ada)


def test_contacts_are_people_of_the_company(account, company, ada, member_of):
    nora = member_of("Nora Field")
    stranger = MembershipFactory.create(account=account)
    with pytest.raises(ValidationError) as refused:
        company_services.edit(company, values={"primary_contact": stranger}, seen=1, by=ada)
    assert list(refused.value.message_dict) == ["primary_contact"]
    company_services.edit(Company.objects.get(), values={"primary_contact": nora}, seen=1, by=ada)
    assert Company.objects.get().primary_contact == nora


@pytest.fixture
def namesakes(member_of) -> list[Membership]:
    """Two people of the company with the same name."""
    people = [member_of("Nora Field"), member_of("Nora Fields")]
    User.objects.filter(pk=people[1].user_id).update(name="Nora Field")
    return [Membership.objects.get(pk=person.pk) for person in people]


def test_a_contact_replaced_by_a_person_of_the_same_name_is_a_change(company, ada, namesakes):
    one, other = namesakes
    for seen, nora in ((1, one), (2, other)):
        values = {"primary_contact": nora, "invoice_contacts": [nora]}
        company_services.edit(Company.objects.get(), values=values, seen=seen, by=ada)
    stored = Company.objects.get()
    assert (stored.primary_contact, list(stored.invoice_contacts.all())) == (other, [other])
    assert events(company)[0].data["changes"] == {
        "primary_contact": ["Nora Field", "Nora Field"],
        "invoice_contacts": [["Nora Field"], ["Nora Field"]],
    }


def test_a_contact_replaced_in_bulk_by_a_person_of_the_same_name_is_a_change(
    company, account, ada, namesakes
):
    for nora in namesakes:
        values = {company.pk: {"primary_contact": nora, "bid_contacts": [nora]}}
        assert bulk_services.edit_many(values, account=account, by=ada).done == 1
    stored = Company.objects.get()
    assert (stored.primary_contact, list(stored.bid_contacts.all())) == (nora, [nora])


def test_a_contact_cannot_leave_the_company_by_leaving_its_people(company, ada, member_of):
    nora = member_of("Nora Field")
    company_services.edit(company, values={"invoice_contacts": [nora]}, seen=1, by=ada)
    with pytest.raises(ValidationError):
        company_services.edit(Company.objects.get(), values={"people": []}, seen=2, by=ada)


def test_project_roles_are_of_one_project(company, project, ada):
    company_services.edit(company, values={"roles": "Mason"}, seen=1, by=ada, project=project)
    assert ProjectCompany.objects.get().roles == "Mason"
    assert events(company)[0].data["changes"] == {"roles": ["", "Mason"]}


def test_add_to_project_twice_counts_once(company, project, ada):
    assert company_services.add_to_project([company.pk], project=project, by=ada) == 0
    assert ProjectCompany.objects.count() == 1


def test_a_company_of_another_account_is_not_added(project, ada, other_account):
    foreign = CompanyFactory.create(account=other_account)
    assert company_services.add_to_project([foreign.pk], project=project, by=ada) == 0


def test_remove_from_project_leaves_the_company_in_the_account(company, project, ada):
    assert company_services.remove_from_project([company.pk, 999], project=project, by=ada) == 1
    assert not ProjectCompany.objects.exists()
    assert Company.objects.get().is_active
    assert events(company)[0].verb == "removed from project"
