"""The record page: who sees it, the ERP button, tabs, deactivation, the logo."""

from __future__ import annotations

import pytest
from django.urls import reverse

from directory.companies import services as company_services
from directory.models import Company
from erp_integrations import sendable
from erp_integrations.models import Item
from erpbridge.access.models import Project
from tests.factories import CompanyFactory


@pytest.fixture
def urls(account, project, company):
    def to(page: str, *, on_project: bool = True, of: Company = company) -> str:
        scope, place = (
            ("project", [account.pk, project.pk]) if on_project else ("account", [account.pk])
        )
        return reverse(f"directory:{scope}_{page}", args=[*place, of.pk])

    return to


@pytest.mark.parametrize(
    ("who", "on_project", "status"),
    [
        ("ada", True, 200),
        ("ada", False, 200),
        ("uma", True, 200),
        ("uma", False, 403),
        ("eve", True, 200),
        ("sam", True, 200),
        ("sam", False, 200),
        ("pat", True, 404),
        ("pat", False, 200),
        ("olga", True, 404),
        ("olga", False, 404),
    ],
)
@pytest.mark.parametrize("tab", ["general", "people", "history"])
def test_each_role_sees_the_record_or_not(request, client_of, urls, who, on_project, status, tab):
    client = client_of(request.getfixturevalue(who))
    response = client.get(urls("company", on_project=on_project), {"tab": tab})
    assert response.status_code == status


def test_a_company_of_another_project_or_account_is_not_found(
    client_of, ada, account, other_account, urls
):
    client = client_of(ada)
    elsewhere = CompanyFactory.create(account=account)
    foreign = CompanyFactory.create(account=other_account)
    assert client.get(urls("company", of=elsewhere)).status_code == 404
    assert client.get(urls("company", of=foreign, on_project=False)).status_code == 404


def test_every_general_field_is_shown(client_of, ada, company, urls):
    values = {
        "abbreviated_name": "QUARRY",
        "trade_name": "Stoneworks",
        "state_code": "MD",
        "country_code": "US",
        "website": "quarry.example",
        "license_number": "L-77",
        "labor_union": "Local 9",
        "classifications": ["small_business", "eight_a_business"],
    }
    company_services.edit(company, values=values, seen=1, by=ada)
    text = client_of(ada).get(urls("company")).text
    for expected in (
        "QUARRY",
        "Stoneworks",
        "Maryland (MD)",
        "United States",
        "L-77",
        "Local 9",
        "8(a)",
    ):
        assert expected in text
    assert 'href="https://quarry.example"' in text


def test_the_button_sends_what_the_page_showed(client_of, ada, connection, company, urls):
    client = client_of(ada)
    assert "Send to ERP" in client.get(urls("company")).text
    response = client.post(urls("company_send"), {"verb": "send", "seen": 1}, follow=True)
    assert "was sent to the ERP" in response.text
    assert "Retrieve from ERP" in response.text
    assert "This company is locked" in response.text
    assert Item.objects.get().sent_by == ada
    response = client.post(urls("company_send"), {"verb": "retrieve"}, follow=True)
    assert "Re-send to ERP" in response.text


def test_a_stale_page_sends_nothing_and_is_told(client_of, ada, eve, connection, company, urls):
    company_services.edit(Company.objects.get(), values={"city": "Towson"}, seen=1, by=eve)
    response = client_of(ada).post(urls("company_send"), {"verb": "send", "seen": 1}, follow=True)
    assert not Item.objects.exists()
    assert "banner-error" in response.text


@pytest.mark.parametrize("seen", ["", "x", "²", "9" * 40])
def test_a_click_that_names_no_revision_sends_nothing(client_of, ada, connection, urls, seen):
    client_of(ada).post(urls("company_send"), {"verb": "send", "seen": seen})
    assert not Item.objects.exists()


def test_a_second_click_sends_nothing_more(client_of, ada, connection, urls):
    client = client_of(ada)
    for _ in range(2):
        client.post(urls("company_send"), {"verb": "send", "seen": 1})
    assert Item.objects.count() == 1


def test_every_reason_is_on_the_page_of_a_disabled_button(
    client_of, ada, connection, company, urls
):
    Project.objects.update(use_with_erp=False)
    company_services.edit(company, values={"name": "Q" * 61}, seen=1, by=ada)
    text = client_of(ada).get(urls("company")).text
    assert "Send to ERP is disabled for 2 reasons" in text
    assert "Use with ERP" in text
    assert "30 characters or fewer; it has 61" in text


@pytest.mark.parametrize(("who", "status"), [("sam", 403), ("eve", 403), ("olga", 404)])
def test_who_may_not_send_has_no_button_and_is_refused(
    request, client_of, connection, urls, who, status
):
    client = client_of(request.getfixturevalue(who))
    assert "Send to ERP" not in client.get(urls("company")).text
    assert client.post(urls("company_send"), {"verb": "send", "seen": 1}).status_code == status
    assert not Item.objects.exists()


def test_an_unknown_verb_is_not_found(client_of, ada, urls):
    assert client_of(ada).post(urls("company_send"), {"verb": "burn"}).status_code == 404


def test_history_shows_edits_and_erp_events(client_of, ada, connection, company, urls):
    company_services.edit(company, values={"city": "Towson"}, seen=1, by=ada)
    client = client_of(ada)
    client.post(urls("company_send"), {"verb": "send", "seen": 2})
    response = client.get(urls("company"), {"tab": "history"})
    lines = response.context["history"].lines
    assert [(line.changed, line.before, line.after) for line in lines[:2]] == [
        ("Sent to the ERP for acceptance", "", "Waiting for accounting"),
        ("City", "Baltimore", "Towson"),
    ]
    assert lines[0].by == "Ada Admin"


def test_long_history_goes_on_behind_a_link(client_of, ada, company, urls):
    for number in range(110):
        company_services.edit(
            Company.objects.get(), values={"city": f"City {number}"}, seen=number + 1, by=ada
        )
    client = client_of(ada)
    first = client.get(urls("company"), {"tab": "history"}).context["history"]
    rest = client.get(urls("company"), {"tab": "history", "before": first.older}).context["history"]
    assert (len(first.lines), rest.older) == (100, None)
    assert [line.after for line in rest.lines][:2] == ["City 9", "City 8"]


@pytest.mark.parametrize("before", ["x", "²", "9" * 40, "-1"])
def test_nonsense_in_the_history_address_shows_the_newest(client_of, ada, company, urls, before):
    response = client_of(ada).get(urls("company"), {"tab": "history", "before": before})
    assert response.status_code == 200


def test_deactivation_asks_and_is_account_wide(client_of, ada, company, urls):
    client = client_of(ada)
    assert "whole account" in client.get(urls("company_deactivate")).text
    client.post(urls("company_deactivate"), {"seen": 1})
    assert not Company.objects.get().is_active
    text = client.get(urls("company")).text
    assert "Inactive company" in text
    assert "Reactivate" in text
    client.post(urls("company_reactivate"), {"seen": 2})
    assert Company.objects.get().is_active


def test_deactivation_is_disabled_with_the_reason(client_of, ada, company, member_of, urls):
    member_of("Nora Field")
    client = client_of(ada)
    assert "Deactivate Company is disabled" in client.get(urls("company")).text
    response = client.post(urls("company_deactivate"), {"seen": 1}, follow=True)
    assert "Nora Field" in response.text
    assert Company.objects.get().is_active


def test_an_editor_may_deactivate_but_not_reactivate(client_of, eve, company, urls):
    client = client_of(eve)
    client.post(urls("company_deactivate"), {"seen": 1})
    assert not Company.objects.get().is_active
    assert client.post(urls("company_reactivate"), {"seen": 2}).status_code == 403


def test_an_inactive_company_is_not_found_by_who_may_not_see_it(client_of, sam, ada, company, urls):
    company_services.deactivate(company, seen=1, by=ada)
    assert client_of(sam).get(urls("company")).status_code == 404


def test_people_are_listed_with_their_duties(client_of, ada, company, member_of, urls):
    nora = member_of("Nora Field", job_title="Estimator")
    company_services.edit(company, values={"primary_contact": nora}, seen=1, by=ada)
    text = client_of(ada).get(urls("company"), {"tab": "people"}).text
    assert "Nora Field" in text
    assert "Primary contact" in text


def test_the_logo_is_only_for_who_may_see_the_company(
    client_of, ada, sam, olga, company, urls, picture
):
    assert client_of(ada).get(urls("company_logo")).status_code == 404
    client_of(ada).post(
        urls("company_edit"), {"name": company.name, "seen": 1, "logo": picture("WEBP")}
    )
    response = client_of(sam).get(urls("company_logo"))
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert b"".join(response.streaming_content).startswith(b"RIFF")
    assert client_of(olga).get(urls("company_logo")).status_code == 404


def test_the_lock_says_who_sent_it(client_of, ada, sam, connection, company, urls, access_of):
    sendable.send("vendor", [company.pk], access=access_of(ada))
    text = client_of(sam).get(urls("company")).text
    assert "Sent to the ERP by Ada Admin" in text
