"""The list: what it shows to whom, search, filters, sort, pages, and bulk clicks."""

from __future__ import annotations

import re

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from directory.companies import services as company_services
from directory.models import Company, ProjectCompany
from erp_integrations.models import Item
from erpbridge.access.levels import Level
from erpbridge.access.models import ProjectMembership
from tests.factories import CompanyFactory, TradeFactory
from tests.forms import shown_in


@pytest.fixture
def account_list(account):
    return reverse("directory:account_companies", args=[account.pk])


@pytest.fixture
def project_list(account, project):
    return reverse("directory:project_companies", args=[account.pk, project.pk])


def names(response) -> list[str]:
    return [row.company.name for row in response.context["listing"].rows]


def asked(client, url: str, **query) -> list[str]:
    response = client.get(url, query)
    assert response.status_code == 200
    return names(response)


def test_the_project_shows_its_companies_only(
    client_of, ada, company, account, account_list, project_list
):
    CompanyFactory.create(account=account, name="Elsewhere")
    assert asked(client_of(ada), project_list) == ["Quarry & Sons, LLC"]
    assert asked(client_of(ada), account_list) == ["Elsewhere", "Quarry & Sons, LLC"]


@pytest.mark.parametrize(
    ("who", "page", "status", "actions"),
    [
        ("ada", "project", 200, {"edit", "send", "retrieve", "remove", "import"}),
        ("ada", "account", 200, {"edit", "send", "retrieve", "import", "configure"}),
        ("uma", "project", 200, {"edit", "send", "retrieve", "remove", "import"}),
        ("uma", "account", 403, set()),
        ("eve", "project", 200, {"edit", "remove", "import"}),
        ("sam", "project", 200, set()),
        ("pat", "account", 200, {"retrieve"}),
        ("pat", "project", 404, set()),
        ("olga", "account", 404, set()),
        ("olga", "project", 404, set()),
    ],
)
def test_each_role_gets_its_own_actions(
    request, client_of, company, account_list, project_list, who, page, status, actions
):
    client = client_of(request.getfixturevalue(who))
    response = client.get(project_list if page == "project" else account_list)
    assert response.status_code == status
    if status == 200:
        assert {word for word, may in response.context["may"].items() if may} == actions
        assert ("Add Company" in response.text) == ("edit" in actions)
        assert ('value="send"' in response.text) == ("send" in actions)


@pytest.mark.parametrize(
    "words",
    [
        "quarry",
        "SONS quarry",
        "stoneworks",
        "baltimore",
        "21201",
        "4105550100",
        "(410) 555-0100",
        "410.555.0100",
        "52-1234567",
        "521234567",
        "masonry",
        "V-0042",
        "quarry01",
        "a\x00" and "quarry\x00",
    ],
)
def test_search_finds_by_each_field(client_of, ada, account, account_list, words):
    CompanyFactory.create(account=account, name="Somebody Else")
    CompanyFactory.create(
        account=account,
        name="Quarry & Sons",
        trade_name="Stoneworks",
        city="Baltimore",
        zip="21201-1234",
        business_phone="(410) 555-0100",
        entity_id="52-1234567",
        notes="masonry, paving",
        origin_id="V-0042",
        origin_code="QUARRY01",
    )
    assert asked(client_of(ada), account_list, q=words) == ["Quarry & Sons"]


@pytest.mark.parametrize("words", ["100%", "_", "x" * 5000, "quarry elsewhere"])
def test_search_finds_nothing_without_failing(client_of, ada, company, account_list, words):
    response = client_of(ada).get(account_list, {"q": words})
    assert names(response) == []
    assert "Nothing matches" in response.text


def test_filters_narrow_and_tokens_lift_them(client_of, ada, account, account_list):
    concrete = TradeFactory.create(account=account, name="Concrete")
    CompanyFactory.create(account=account, name="A", erp_state="rejected").trades.add(concrete)
    CompanyFactory.create(account=account, name="B", erp_state="rejected")
    CompanyFactory.create(account=account, name="C").trades.add(concrete)
    client = client_of(ada)
    response = client.get(account_list, {"erp": "rejected", "trade": concrete.pk})
    assert names(response) == ["A"]
    tokens = response.context["listing"].tokens
    assert [token.label for token in tokens] == ["ERP status: Rejected", "Trade: Concrete"]
    assert names(client.get(account_list + tokens[0].href)) == ["A", "C"]


@pytest.mark.parametrize(
    "query",
    [
        {"trade": "x"},
        {"trade": "9" * 40},
        {"trade": "²"},
        {"erp": "?"},
        {"status": "?"},
        {"after": "?"},
    ],
)
def test_nonsense_in_the_address_is_ignored(client_of, ada, company, account_list, query):
    assert asked(client_of(ada), account_list, **query) == ["Quarry & Sons, LLC"]


def test_inactive_companies_are_on_a_tab_of_their_own(client_of, ada, sam, account, account_list):
    CompanyFactory.create(account=account, name="Gone", is_active=False)
    CompanyFactory.create(account=account, name="Here")
    assert asked(client_of(ada), account_list) == ["Here"]
    assert asked(client_of(ada), account_list, status="inactive") == ["Gone"]
    assert asked(client_of(ada), account_list, status="all") == ["Gone", "Here"]
    assert asked(client_of(sam), account_list, status="inactive") == ["Here"]
    assert "Inactive Companies" not in client_of(sam).get(account_list).text


def test_names_sort_without_regard_to_case_and_turn_round(client_of, ada, account, account_list):
    for name in ("beta", "Alpha", "Gamma"):
        CompanyFactory.create(account=account, name=name)
    client = client_of(ada)
    assert asked(client, account_list) == ["Alpha", "beta", "Gamma"]
    assert asked(client, account_list, sort="-name") == ["Gamma", "beta", "Alpha"]


@pytest.mark.parametrize("sort", ["name", "-name", "city", "erp", "-city"])
def test_pages_lose_and_repeat_no_row_among_ties(client_of, ada, account, account_list, sort):
    for number in range(60):
        CompanyFactory.create(account=account, name="Twin", city="Towson", zip=str(number))
    client, query, seen = client_of(ada), {"size": 25, "sort": sort}, []
    for _ in range(3):
        page = client.get(account_list, query).context["listing"].page
        seen += [row.pk for row in page.rows]
        query["after"] = page.next
    assert len(seen) == len(set(seen)) == 60


def test_the_query_count_does_not_grow_with_the_rows(client_of, ada, account, account_list):
    trade = TradeFactory.create(account=account)

    def fill(number):
        for _ in range(number):
            CompanyFactory.create(account=account).trades.add(trade)

    def queries() -> int:
        with CaptureQueriesContext(
            database,
        ) as counted:
            client.get(account_list)
        return len(counted)

    client = client_of(ada)
    fill(5)
    client.get(account_list)
    few = queries()
    fill(45)
    assert queries() == few


def test_empty_directory_offers_add_only_to_who_may(client_of, ada, sam, project_list):
    assert "No companies yet" in client_of(ada).get(project_list).text
    response = client_of(sam).get(project_list)
    assert "No companies yet" in response.text
    assert "Add Company" not in response.text


@pytest.fixture
def three(account, project, ada):
    rows = [Company(name=name) for name in ("A", "B", "B" * 40)]
    return company_services.create_many(rows, account=account, project=project, by=ada)


def bulk(client, list_url: str, **posted):
    return client.post(f"{list_url}bulk/", posted)


def test_ticked_companies_are_sent_and_the_result_page_opens(
    client_of, ada, connection, three, project_list
):
    response = bulk(client_of(ada), project_list, action="send", ids=[three[0].pk, three[2].pk])
    assert response.status_code == 302
    item = Item.objects.get()
    assert item.record_id == three[0].pk
    assert str(item.sent_in_id) in response.url


def test_all_that_match_are_sent_and_no_more(client_of, ada, connection, three, project_list):
    CompanyFactory.create(account=three[0].account, name="A on no project")
    bulk(client_of(ada), project_list, action="send", all="1", query="q=a")
    assert [item.label for item in Item.objects.all()] == ["A"]


def test_more_than_fifty_are_sent_only_after_a_question_with_their_number(
    client_of, ada, account, connection, project, project_list
):
    rows = [Company(name=f"Firm {number:02}") for number in range(51)]
    made = company_services.create_many(rows, account=account, project=project, by=ada)
    client = client_of(ada)
    question = bulk(client, project_list, action="send", all="1", query="q=firm")
    assert "Send 51 companies to the ERP?" in question.text
    assert not Item.objects.exists()
    # A company that was added meanwhile was not counted and is not sent.
    company_services.create_many(
        [Company(name="Firm 99")], account=account, project=project, by=ada
    )
    hidden = dict.fromkeys(re.findall(r'name="ids" value="(\d+)"', question.text))
    bulk(client, project_list, action="send", ids=list(hidden), confirm="1")
    assert set(Item.objects.values_list("record_id", flat=True)) == {company.pk for company in made}
    assert not Item.objects.filter(label="Firm 99").exists()


def test_a_locked_company_has_no_edit_in_its_row(client_of, ada, connection, three, project_list):
    client = client_of(ada)
    bulk(client, project_list, action="send", ids=three[0].pk)
    page = client.get(project_list).text
    assert f"{three[0].pk}/edit/" not in page
    assert f"{three[1].pk}/edit/" in page
    assert page.count("Locked</span>") == 1


def test_all_under_a_filter_that_is_gone_sends_nothing(
    client_of, ada, connection, three, project_list
):
    bulk(client_of(ada), project_list, action="send", all="1", query="trade=999")
    bulk(client_of(ada), project_list, action="send", all="1", query="erp=unknown")
    assert not Item.objects.exists()


def test_too_many_rows_are_refused_with_the_limit(
    client_of, ada, connection, three, project_list, settings
):
    settings.ERPBRIDGE_MOST_ROWS_A_CLICK = 2
    response = client_of(ada).post(
        f"{project_list}bulk/", {"action": "send", "all": "1", "query": ""}, follow=True
    )
    assert "at most 2" in response.text
    assert not Item.objects.exists()


@pytest.mark.parametrize(
    "posted", [{}, {"action": "send"}, {"action": "send", "ids": ["x", "²", "9" * 30]}]
)
def test_a_click_without_rows_says_so(client_of, ada, three, project_list, posted):
    response = client_of(ada).post(f"{project_list}bulk/", posted, follow=True)
    assert "Nothing was done. Tick at least one row first." in response.text


def test_an_unknown_action_does_nothing(client_of, ada, three, project_list):
    response = client_of(ada).post(
        f"{project_list}bulk/", {"action": "burn", "ids": three[0].pk}, follow=True
    )
    assert "choose what to do" in response.text


@pytest.mark.parametrize(("who", "status"), [("sam", 403), ("eve", 403), ("olga", 404)])
def test_the_server_refuses_to_send_what_the_page_does_not_offer(
    request, client_of, connection, three, project_list, who, status
):
    client = client_of(request.getfixturevalue(who))
    assert bulk(client, project_list, action="send", ids=three[0].pk).status_code == status
    assert not Item.objects.exists()


def test_remove_from_project_asks_first(client_of, ada, three, project, project_list):
    client = client_of(ada)
    posted = {"action": "remove", "ids": [three[0].pk, three[1].pk]}
    response = bulk(client, project_list, **posted)
    assert "Remove 2 companies from this project?" in response.text
    assert ProjectCompany.objects.count() == 3
    response = bulk(client, project_list, **posted, confirm="1")
    assert ProjectCompany.objects.count() == 1
    assert Company.objects.count() == 3


def test_all_that_are_removed_are_those_that_the_question_has_counted(
    client_of, ada, three, account, project, project_list
):
    client, every = client_of(ada), {"action": "remove", "all": "1", "query": "q="}
    asked = bulk(client, project_list, **every)
    assert "Remove 3 companies from this project?" in asked.text
    late = CompanyFactory.create(account=account)
    project.project_companies.create(company=late)
    assert "Remove 4 companies" in bulk(client, project_list, **every, confirm="1").text
    form = next(form for form in shown_in(asked) if ("confirm", "1") in form.buttons)
    fields = form.values | {"confirm": "1"}
    assert "3 companies removed" in client.post(form.action, fields, follow=True).text
    assert [row.company for row in ProjectCompany.objects.all()] == [late]


def test_a_standard_user_cannot_remove(client_of, sam, three, project_list):
    response = bulk(client_of(sam), project_list, action="remove", ids=three[0].pk, confirm="1")
    assert response.status_code == 403
    assert ProjectCompany.objects.count() == 3


def test_ids_outside_the_project_are_not_touched(client_of, uma, three, account, project_list):
    other = CompanyFactory.create(account=account)
    response = client_of(uma).post(
        f"{project_list}bulk/", {"action": "remove", "ids": other.pk, "confirm": "1"}, follow=True
    )
    assert "Nothing was done. Tick at least one row first." in response.text


def test_no_level_on_the_projects_directory_closes_the_list(client_of, sam, project_list):
    ProjectMembership.objects.update(directory=Level.NONE, admin=Level.READ_ONLY)
    assert client_of(sam).get(project_list).status_code == 403
