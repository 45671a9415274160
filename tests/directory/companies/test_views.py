"""The edit page and adding companies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse

from directory.companies import services as company_services
from directory.models import Company, ProjectCompany
from erp_integrations import sendable
from tests.factories import CompanyFactory, MembershipFactory, TradeFactory


@pytest.fixture
def edit_url(account, project, company):
    return reverse("directory:project_company_edit", args=[account.pk, project.pk, company.pk])


@pytest.fixture
def create_url(account, project):
    return reverse("directory:project_company_create", args=[account.pk, project.pk])


@pytest.fixture
def add_url(account, project):
    return reverse("directory:project_company_add", args=[account.pk, project.pk])


@pytest.mark.parametrize(
    ("who", "status"), [("ada", 200), ("eve", 200), ("uma", 200), ("sam", 403), ("olga", 404)]
)
def test_who_may_edit_and_add(
    request, client_of, company, edit_url, create_url, add_url, who, status
):
    client = client_of(request.getfixturevalue(who))
    assert client.get(edit_url).status_code == status
    assert client.get(create_url).status_code == status
    assert client.get(add_url).status_code == status
    posted = client.post(edit_url, {"name": "New", "seen": 1})
    assert posted.status_code == (302 if status == 200 else status)


def test_every_field_can_be_saved(client_of, ada, account, company, edit_url, member_of):
    nora = member_of("Nora Field")
    concrete = TradeFactory.create(account=account, name="Concrete")
    typed = {
        "name": "Quarry & Daughters",
        "abbreviated_name": "QUARRY",
        "trade_name": "Stoneworks",
        "entity_type": "ein",
        "entity_id": "52-1234567",
        "business_phone": "(410) 555-0100",
        "mobile_phone": "410-555-0101",
        "fax_number": "410 555 0102",
        "email_address": "office@example.com",
        "website": "quarry.example",
        "address": "7 Harbor Street",
        "city": "Towson",
        "state_code": "Massachusetts",
        "zip": "21204",
        "country_code": "US",
        "license_number": "L-77",
        "labor_union": "Local 9",
        "union_member": True,
        "non_union_prevailing_wage": True,
        "prequalified": True,
        "authorized_bidder": True,
        "is_own_company": True,
        "notes": "masonry",
    }
    many = {
        "classifications": ["small_business"],
        "trades": [concrete.pk],
        "new_trades": "Paving, concrete",
        "people": [nora.pk],
        "primary_contact": nora.pk,
        "contract_signer": nora.pk,
        "invoice_contacts": [nora.pk],
        "bid_contacts": [nora.pk],
        "roles": "Mason",
        "seen": 1,
    }
    response = client_of(ada).post(edit_url, typed | many)
    assert response.status_code == 302, response.context["form"].errors
    saved = Company.objects.get()
    assert {name: getattr(saved, name) for name in typed} == typed | {"state_code": "MA"}
    assert sorted(map(str, saved.trades.all())) == ["Concrete", "Paving"]
    assert (saved.primary_contact, saved.contract_signer) == (nora, nora)
    assert list(saved.invoice_contacts.all()) == list(saved.bid_contacts.all()) == [nora]
    assert ProjectCompany.objects.get().roles == "Mason"
    assert client_of(ada).get(edit_url).status_code == 200


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"name": "Stone\u202eyrrauQ"}, "change the direction of writing"),
        ({"name": ""}, "required"),
        ({"name": "x" * 256}, "255"),
        ({"name": "a\x00b"}, "Null characters"),
        ({"abbreviated_name": "x" * 11}, "10"),
        ({"notes": "x" * 1001}, "1000"),
        ({"email_address": "nobody"}, "valid email"),
        ({"country_code": "XX"}, "not one of the available"),
        (
            {"state_code": "WA"},
            "Washington in the United States and Western Australia in Australia",
        ),
        ({"country_code": "DE", "state_code": "Oberbayern-Süd"}, "may have at most 10 characters"),
        ({"country_code": "US", "state_code": "Marilan"}, "is not a state of the United States"),
        ({"entity_type": "ein", "entity_id": "none"}, "has none"),
        ({"entity_id": "52-1234567"}, "what kind of number"),
        ({"classifications": ["tall"]}, "not one of the available"),
        ({"trades": ["9" * 30]}, "not offered here"),
        ({"people": ["x"]}, "not offered here"),
        ({"primary_contact": "9" * 30}, "not offered here"),
        ({"new_trades": "x" * 201}, "201 characters; the limit is 200"),
        ({"new_trades": ",".join(f"t{n}" for n in range(21))}, "At most 20"),
    ],
)
def test_bad_input_is_named_and_nothing_is_saved(client_of, ada, company, edit_url, typed, words):
    response = client_of(ada).post(edit_url, {"name": "Kept as typed", "seen": 1} | typed)
    assert response.status_code == 200
    assert "Nothing was saved" in response.text
    assert words in response.text
    assert Company.objects.get().revision == 1


def test_no_browser_cuts_what_is_pasted_and_the_limit_is_named(client_of, ada, company, edit_url):
    client = client_of(ada)
    assert "maxlength" not in client.get(edit_url).content.decode().partition("data-unsaved")[2]
    page = client.post(edit_url, {"name": "x" * 300, "seen": company.revision}).content.decode()
    assert "at most 255 characters (it has 300)" in page


def test_a_wrong_tax_number_is_saved_with_a_warning(client_of, ada, company, edit_url):
    typed = {"name": "Q", "entity_type": "ein", "entity_id": "00-0000000", "seen": 1}
    response = client_of(ada).post(edit_url, typed, follow=True)
    assert Company.objects.get().entity_id == "00-0000000"
    assert "does not look like a valid EIN" in response.text


def test_a_stranger_cannot_become_a_contact(client_of, ada, account, company, edit_url, member_of):
    member_of("Nora Field")
    stranger = MembershipFactory.create(account=account)
    response = client_of(ada).post(
        edit_url, {"name": "Q", "primary_contact": stranger.pk, "seen": 1}
    )
    assert "Nothing was saved" in response.text


def test_somebody_of_another_account_cannot_become_a_person(
    client_of, ada, olga, company, edit_url
):
    foreign = olga.memberships.get()
    response = client_of(ada).post(edit_url, {"name": "Q", "people": [foreign.pk], "seen": 1})
    assert "Nothing was saved" in response.text
    assert not company.people.exists()


def test_the_second_of_two_editors_loses_nothing(client_of, ada, eve, company, edit_url):
    company_services.edit(
        Company.objects.get(), values={"city": "Towson", "zip": "21204"}, seen=1, by=eve
    )
    typed = {"name": "Quarry & Sons, LLC", "city": "Salisbury", "website": "q.example", "seen": 1}
    client = client_of(ada)
    response = client.post(edit_url, typed)
    assert response.status_code == 409
    assert "Eve Editor changed City and ZIP code" in response.text
    form = response.context["form"]
    assert (form["city"].value(), form["website"].value()) == ("Salisbury", "q.example")
    assert form["zip"].value() == "21204"
    assert [(conflict.label, conflict.now) for conflict in response.context["conflicts"]] == [
        ("City", "Towson")
    ]
    assert Company.objects.get().city == "Towson"

    again = {**typed, "zip": form["zip"].value(), "seen": response.context["seen"]}
    assert client.post(edit_url, again).status_code == 302
    saved = Company.objects.get()
    assert (saved.city, saved.zip, saved.website) == ("Salisbury", "21204", "q.example")


def test_trades_changed_meanwhile_are_taken_over(client_of, ada, eve, account, company, edit_url):
    trade = TradeFactory.create(account=account, name="Concrete")
    company_services.edit(Company.objects.get(), values={"trades": [trade]}, seen=1, by=eve)
    response = client_of(ada).post(edit_url, {"name": "Quarry Two", "seen": 1})
    assert response.context["form"]["trades"].value() == [str(trade.pk)]
    assert response.context["conflicts"] == []


def test_a_refused_edit_leaves_no_new_trade_behind(client_of, ada, eve, account, company, edit_url):
    company_services.edit(Company.objects.get(), values={"city": "Towson"}, seen=1, by=eve)
    typed = {"name": company.name, "new_trades": "Glazing, Paving", "seen": 1}
    response = client_of(ada).post(edit_url, typed)
    assert response.status_code == 409
    assert response.context["form"]["new_trades"].value() == "Glazing, Paving"
    assert not account.trades.exists()


def test_a_trade_typed_and_ticked_counts_once(client_of, ada, account, company, edit_url):
    trade = TradeFactory.create(account=account, name="Concrete")
    typed = {"name": company.name, "trades": [trade.pk], "new_trades": "CONCRETE, Glazing"}
    assert client_of(ada).post(edit_url, {**typed, "seen": 1}).status_code == 302
    assert sorted(stored.name for stored in company.trades.all()) == ["Concrete", "Glazing"]


def test_while_locked_there_is_no_form_and_a_post_keeps_what_was_typed(
    client_of, ada, eve, connection, company, edit_url, access_of
):
    sendable.send("vendor", [company.pk], access=access_of(ada))
    client = client_of(eve)
    page = client.get(edit_url).text
    assert "Sent to the ERP by Ada Admin" in page
    assert 'name="name"' not in page
    response = client.post(edit_url, {"name": "Typed for long", "seen": 1})
    assert response.status_code == 409
    assert "Typed for long" in response.text
    assert "Sent to the ERP by Ada Admin" in response.text
    assert Company.objects.get().name == "Quarry & Sons, LLC"


def test_limits_of_the_erp_are_counted_without_javascript(
    client_of, ada, connection, company, edit_url
):
    company_services.edit(company, values={"name": "Q" * 41}, seen=1, by=ada)
    assert "41 characters. Simulator takes 30: 11 too many." in client_of(ada).get(edit_url).text


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (SimpleUploadedFile("l.png", b"not a picture"), "not a PNG, JPEG or WebP"),
        (SimpleUploadedFile("l.svg", b"<svg onload='x'/>"), "not a PNG, JPEG or WebP"),
        (SimpleUploadedFile("l.png", b"\x89PNG\r\n\x1a\n" + b"0" * 50), "not a PNG, JPEG or WebP"),
        (SimpleUploadedFile("l.png", b"0" * (1024 * 1024 + 1)), "limit is 1 MB"),
        (SimpleUploadedFile("l.png", b""), "empty"),
    ],
)
def test_a_bad_logo_is_refused_with_the_reason(client_of, ada, company, edit_url, upload, words):
    response = client_of(ada).post(edit_url, {"name": "Q", "seen": 1, "logo": upload})
    assert words in response.text
    assert not Company.objects.get().logo


@pytest.mark.parametrize(
    ("kind", "size", "words"),
    [
        ("GIF", (10, 10), "not a PNG, JPEG or WebP"),
        ("PNG", (4001, 10), "4001 by 10 pixels; the limit is 4000"),
    ],
)
def test_other_pictures_and_sizes_are_refused(
    client_of, ada, company, edit_url, picture, kind, size, words
):
    response = client_of(ada).post(edit_url, {"name": "Q", "seen": 1, "logo": picture(kind, size)})
    assert words in response.text


@pytest.mark.django_db(transaction=True)
def test_a_new_logo_replaces_the_file_of_the_old(client_of, ada, company, edit_url, picture):
    client = client_of(ada)
    client.post(edit_url, {"name": "Q", "seen": 1, "logo": picture()})
    first = Company.objects.get().logo.name
    client.post(edit_url, {"name": "Q", "seen": 2, "logo": picture("JPEG")})
    second = Company.objects.get().logo.name
    assert not default_storage.exists(first)
    assert default_storage.exists(second)
    client.post(edit_url, {"name": "Q", "seen": 3})
    assert Company.objects.get().logo.name == second
    client.post(edit_url, {"name": "Q", "seen": 3, "remove_logo": "on"})
    assert not Company.objects.get().logo
    assert not default_storage.exists(second)


def test_a_refused_edit_leaves_no_file(
    client_of, ada, eve, company, edit_url, picture, tmp_path, settings
):
    company_services.edit(Company.objects.get(), values={"city": "Towson"}, seen=1, by=eve)
    settings.MEDIA_ROOT = tmp_path
    client_of(ada).post(edit_url, {"name": "Q", "seen": 1, "logo": picture()})
    assert not list(tmp_path.rglob("*.png"))
    assert not Company.objects.get().logo


def test_search_first_finds_look_alikes_of_the_whole_account(
    client_of, ada, account, company, add_url
):
    CompanyFactory.create(account=account, name="Star Framing, L.L.C.")
    CompanyFactory.create(account=account, name="Star Roofing")
    client = client_of(ada)
    text = client.get(add_url, {"name": "star framing"}).text
    assert "Star Framing, L.L.C." in text
    assert "Star Roofing" not in text
    assert "Add to Project" in text
    assert "On this project" in client.get(add_url, {"name": "Quarry and Sons"}).text
    assert "No company of this name" in client.get(add_url, {"name": "a\x00zz"}).text


def test_a_hit_is_added_to_the_project(client_of, ada, account, project):
    company = CompanyFactory.create(account=account, name="Star Framing")
    url = reverse("directory:project_company_place", args=[account.pk, project.pk])
    client = client_of(ada)
    assert "was added to" in client.post(url, {"company": company.pk}, follow=True).text
    assert "already" in client.post(url, {"company": company.pk}, follow=True).text
    assert ProjectCompany.objects.get().company == company


@pytest.mark.parametrize("pk", ["", "x", "²", "9" * 40, "999999"])
def test_adding_what_does_not_exist_is_not_found(client_of, ada, account, project, pk):
    url = reverse("directory:project_company_place", args=[account.pk, project.pk])
    assert client_of(ada).post(url, {"company": pk}).status_code == 404


def test_an_inactive_hit_has_to_be_reactivated_first(client_of, ada, account, project):
    company = CompanyFactory.create(account=account, name="Star Framing", is_active=False)
    url = reverse("directory:project_company_place", args=[account.pk, project.pk])
    assert (
        "reactivated first" in client_of(ada).post(url, {"company": company.pk}, follow=True).text
    )
    assert not ProjectCompany.objects.exists()


def test_a_company_of_another_account_cannot_be_added(
    client_of, ada, account, project, other_account
):
    foreign = CompanyFactory.create(account=other_account)
    url = reverse("directory:project_company_place", args=[account.pk, project.pk])
    assert client_of(ada).post(url, {"company": foreign.pk}).status_code == 404


def test_create_says_that_it_still_has_to_be_sent(client_of, ada, project, create_url):
    response = client_of(ada).post(create_url, {"name": "Blue Heron"}, follow=True)
    assert "still has to be sent" in response.text
    assert ProjectCompany.objects.get(project=project).company.name == "Blue Heron"


def test_a_look_alike_is_shown_first_and_does_not_forbid(client_of, ada, company, create_url):
    client = client_of(ada)
    response = client.post(create_url, {"name": "Quarry and Sons"})
    assert "Create anyway" in response.text
    assert Company.objects.count() == 1
    client.post(create_url, {"name": "Quarry and Sons", "anyway": company.pk})
    assert Company.objects.count() == 2


def test_a_look_alike_that_came_since_the_question_is_asked_about_too(
    client_of, ada, account, company, create_url
):
    client = client_of(ada)
    twin = CompanyFactory.create(account=account, name="Quarry and Sons")
    response = client.post(create_url, {"name": "Quarry and Sons", "anyway": company.pk})
    assert "Create anyway" in response.text
    assert Company.objects.count() == 2
    client.post(create_url, {"name": "Quarry and Sons", "anyway": [company.pk, twin.pk]})
    assert Company.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_four_clicks_on_create_at_one_moment_make_one_company(client_of, ada, create_url):
    clients = [client_of(ada) for _ in range(4)]
    gate = Barrier(4)

    def click(client) -> str:
        try:
            gate.wait(10)
            return client.post(create_url, {"name": "Blue Heron"}).text
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(click, clients))
    assert Company.objects.count() == 1
    assert sum("Create anyway" in page for page in pages) == 3


def test_a_company_is_created_in_the_account_without_a_project(client_of, ada, account):
    url = reverse("directory:account_company_create", args=[account.pk])
    assert client_of(ada).post(url, {"name": "Blue Heron"}).status_code == 302
    assert not ProjectCompany.objects.exists()
