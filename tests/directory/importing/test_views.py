from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from directory.companies import services as company_services
from directory.models import Company, CompanyImport
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership, ProjectMembership
from erpbridge.audit.models import Event
from erpbridge.files import table
from erpbridge.files.workbooks import written
from tests.generator import csv_text, file_of, firms

GOOD = {"name": "Three Rivers Glass", "zip": "21201", "trades": "Glass; Roofing"}
BAD = {"name": "=Bad & Søn", "zip": "21202", "email": "nobody at home"}


@pytest.fixture
def upload(client_of, account) -> Callable:
    """Upload a file as a person; the answer, followed to its page."""

    def send(user, content: bytes, *, project=None, name: str = "firms.csv"):
        place = [account.pk, project.pk] if project else [account.pk]
        word = "project" if project else "account"
        address = reverse(f"directory:{word}_import", args=place)
        file = SimpleUploadedFile(name, content, content_type="text/csv")
        return client_of(user).post(address, {"file": file}, follow=True)

    return send


def preview_of(answer) -> str:
    return answer.redirect_chain[-1][0]


def confirm(client, answer, **choice: str):
    seen = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    fields = {"look_alikes": "exact", "seen": seen.group(1) if seen else "", **choice}
    return client.post(f"{preview_of(answer)}confirm/", fields, follow=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04", "The workbook is damaged"),
        (b'name\n"A\n', "quotation mark"),
        (b"name,city\nA\n", "line 2 has 1"),
        (b"name,name\nA,B\n", "may occur once"),
        (b"name\nA\x00\n", "NUL"),
    ],
)
def test_a_broken_file_shows_its_reason_and_changes_nothing(upload, ada, content, words):
    answer = upload(ada, content)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not CompanyImport.objects.exists()
    assert not Company.objects.exists()


def test_a_file_over_the_limit_is_not_even_read(upload, ada, monkeypatch):
    monkeypatch.setattr(table, "MOST_BYTES", 10)
    assert "the limit is 0 MB" in upload(ada, b"name\nlonger than ten").content.decode()


def test_no_file_at_all_is_asked_for(client_of, ada, account):
    answer = client_of(ada).post(reverse("directory:account_import", args=[account.pk]))
    assert "Choose a CSV or XLSX file." in answer.content.decode()


def test_windows_1252_is_said_on_the_preview(upload, ada):
    page = upload(ada, "name\nSøn\n".encode("cp1252")).content.decode()
    assert "Windows-1252" in page
    assert "Søn" in page


def test_the_preview_writes_nothing_and_shows_errors_first(upload, ada):
    page = upload(ada, file_of(GOOD, BAD)).content.decode()
    assert not Company.objects.exists()
    assert "E-mail address must be an e-mail address" in page
    assert page.index("=Bad &amp; Søn</th>") < page.index("Three Rivers Glass</th>")
    assert "1 of 2 rows has an error and is left out" in page


def test_the_preview_shows_a_hundred_rows_and_links_to_the_next(upload, client_of, ada):
    answer = upload(ada, csv_text(firms(230)).encode())
    assert "1 to 100 of 230 rows" in answer.content.decode()
    last = client_of(ada).get(f"{preview_of(answer)}?page=3").content.decode()
    assert "201 to 230 of 230 rows" in last


@pytest.mark.parametrize("query", ["show=nonsense&page=x", "page=99999999999", "page=-1", "page=²"])
def test_a_nonsense_page_is_the_nearest_real_one(upload, client_of, ada, query):
    answer = upload(ada, file_of(GOOD, BAD))
    assert client_of(ada).get(f"{preview_of(answer)}?{query}").status_code == 200


def test_only_the_rows_of_one_kind_are_shown_when_asked(upload, client_of, ada):
    answer = upload(ada, file_of(GOOD, BAD))
    page = client_of(ada).get(f"{preview_of(answer)}?show=error").content.decode()
    assert "=Bad" in page
    assert "Three Rivers Glass</th>" not in page


def test_a_file_without_a_known_name_column_asks_for_it(upload, client_of, ada):
    answer = upload(ada, b"who,where\nMoon,Frederick\n")
    page = answer.content.decode()
    assert "Choose the column that holds the company&#x27;s name." in page
    assert "Import companies</button>" not in page
    client = client_of(ada)
    mended = client.post(preview_of(answer), {"column-0": "name", "column-1": ""}, follow=True)
    assert "Import companies</button>" in mended.content.decode()
    confirm_answer = client.post(
        f"{preview_of(answer)}confirm/",
        {"look_alikes": "exact", "seen": mended.context["plan"].fingerprint},
    )
    assert confirm_answer.status_code == 302
    assert list(Company.objects.values_list("name", "city")) == [("Moon", "")]


def test_confirming_creates_the_good_rows_with_their_trades(upload, client_of, ada, account):
    answer = upload(ada, file_of(GOOD, BAD))
    page = confirm(client_of(ada), answer).content.decode()
    company = Company.objects.get()
    assert (company.account, company.name) == (account, "Three Rivers Glass")
    assert sorted(str(trade) for trade in company.trades.all()) == ["Glass", "Roofing"]
    assert "Some rows were not imported" in page
    verbs = Event.objects.filter(account=account).values_list("verb", flat=True)
    assert sorted(verbs) == ["companies imported", "created"]


def test_confirming_twice_imports_once_and_says_so(upload, client_of, ada):
    answer, client = upload(ada, file_of(GOOD)), client_of(ada)
    confirm(client, answer)
    again = confirm(client, answer)
    assert Company.objects.count() == 1
    assert "imported already" in again.content.decode()


def test_a_preview_that_went_stale_imports_nothing(upload, client_of, ada, account):
    answer = upload(ada, file_of(GOOD))
    company_services.create(account=account, values=GOOD | {"trades": []}, by=ada)
    page = confirm(client_of(ada), answer).content.decode()
    assert "changed since this page was opened" in page
    assert Company.objects.count() == 1
    assert CompanyImport.objects.get().confirmed_at is None


def test_a_mapping_changed_in_another_tab_makes_the_preview_stale(upload, client_of, ada):
    answer, client = upload(ada, file_of(GOOD)), client_of(ada)
    client.post(preview_of(answer), {"column-0": "name"})
    confirm(client, answer)
    assert not Company.objects.exists()


def test_columns_of_a_confirmed_import_stay(upload, client_of, ada):
    answer, client = upload(ada, file_of(GOOD)), client_of(ada)
    confirm(client, answer)
    page = client.post(preview_of(answer), {"column-0": "city"}, follow=True).content.decode()
    assert "its columns stay" in page


def test_look_alikes_are_created_when_asked_for(upload, client_of, ada, account):
    company_services.create(account=account, values=GOOD | {"trades": []}, by=ada)
    answer = upload(ada, file_of(GOOD))
    confirm(client_of(ada), answer, look_alikes="create")
    assert Company.objects.filter(name=GOOD["name"]).count() == 2


def test_a_doubtful_row_is_compared_and_asked_about(upload, client_of, ada, account):
    there = {"name": "Three Rivers Glass Inc", "city": "Bowie", "business_phone": "410 555 0101"}
    company_services.create(account=account, values=there, by=ada)
    rows = [GOOD | {"ein": "52-7654321", "phone": "410 555 0199", "address": "1 Road"}]
    answer = upload(ada, file_of(*rows))
    page = answer.content.decode()
    for detail in ("Bowie", "410 555 0101", "410 555 0199", "1 Road, 21201", "EIN 52-7654321"):
        assert detail in page
    assert "checked" not in page[page.index("<fieldset") : page.index("</fieldset")]
    assert "Choose what to do" in confirm(client_of(ada), answer, look_alikes="").content.decode()
    assert Company.objects.count() == 1
    confirm(client_of(ada), answer, look_alikes="exact")
    assert Company.objects.count() == 2


def test_a_workbook_is_read_like_a_csv_file(upload, client_of, ada):
    content = written([list(GOOD), [*GOOD.values()]], title="Firms")
    confirm(client_of(ada), upload(ada, content, name="firms.xlsx"))
    assert Company.objects.values_list("name", "zip").get() == (GOOD["name"], GOOD["zip"])


def test_the_country_of_rows_without_one_is_asked(upload, client_of, ada):
    answer, client = upload(ada, file_of({"name": "Moon", "state": "WA"})), client_of(ada)
    assert "Washington in the United States and Western Australia" in answer.content.decode()
    columns = {"column-0": "name", "column-1": "state_code", "country": "AU"}
    mended = client.post(preview_of(answer), columns, follow=True)
    seen = mended.context["plan"].fingerprint
    client.post(f"{preview_of(answer)}confirm/", {"look_alikes": "exact", "seen": seen})
    assert Company.objects.values_list("state_code", "country_code").get() == ("WA", "AU")


def test_an_unknown_choice_imports_nothing(upload, client_of, ada):
    answer = upload(ada, file_of(GOOD))
    page = confirm(client_of(ada), answer, look_alikes="all of them").content.decode()
    assert "Choose what to do with look-alikes." in page
    assert not Company.objects.exists()


def test_a_project_import_places_new_and_existing_companies(
    upload, client_of, ada, account, project
):
    there = company_services.create(account=account, values=GOOD | {"trades": []}, by=ada)
    answer = upload(ada, file_of(GOOD, {"name": "Moon", "zip": "21203"}), project=project)
    assert "Add the 1 exact duplicate" in answer.content.decode()
    page = confirm(client_of(ada), answer, place="on").content.decode()
    assert "Existing companies added to the project" in page
    on_project = Company.objects.on_project(project.pk)
    assert sorted(company.name for company in on_project) == ["Moon", there.name]
    assert Company.objects.count() == 2


def test_a_project_import_leaves_existing_companies_alone_when_unticked(
    upload, client_of, ada, account, project
):
    company_services.create(account=account, values=GOOD | {"trades": []}, by=ada)
    answer = upload(ada, file_of(GOOD), project=project)
    confirm(client_of(ada), answer)
    assert not Company.objects.on_project(project.pk).exists()


@pytest.mark.parametrize("confirmed", [False, True])
def test_the_error_file_holds_the_original_columns_and_no_formula(
    upload, client_of, ada, confirmed
):
    answer, client = upload(ada, file_of(GOOD, BAD), name="fïrms.csv"), client_of(ada)
    if confirmed:
        confirm(client, answer)
    got = client.get(f"{preview_of(answer)}errors/")
    assert got["Content-Type"].startswith("text/csv")
    assert "attachment" in got["Content-Disposition"]
    text = got.content.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert list(row) == ["name", "zip", "trades", "email", "Error"]
    assert row["name"] == "'=Bad & Søn"
    assert row["Error"] == "E-mail address must be an e-mail address such as office@example.com."


def test_a_mended_error_file_can_be_chosen_as_it_is(upload, client_of, ada):
    answer, client = upload(ada, file_of(GOOD, BAD)), client_of(ada)
    confirm(client, answer)
    errors = client.get(f"{preview_of(answer)}errors/").content
    mended = upload(ada, errors.replace(b"nobody at home", b"office@bad.example"))
    confirm(client, mended)
    assert set(Company.objects.values_list("name", flat=True)) == {GOOD["name"], BAD["name"]}


# --- who may --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "granular", "status"),
    [
        (Level.NONE, True, 403),
        (Level.READ_ONLY, False, 403),
        (Level.READ_ONLY, True, 200),
        (Level.STANDARD, False, 403),
        (Level.STANDARD, True, 200),
        (Level.ADMIN, False, 200),
    ],
)
@pytest.mark.parametrize("on_project", [False, True])
def test_who_may_create_companies_may_import_them(
    client_of, sam, account, project, on_project, level, granular, status
):
    model = ProjectMembership if on_project else Membership
    model.objects.update(directory=level, create_edit_companies=granular, admin=Level.STANDARD)
    place = [account.pk, project.pk] if on_project else [account.pk]
    address = reverse(f"directory:{'project' if on_project else 'account'}_import", args=place)
    assert client_of(sam).get(address).status_code == status


def test_an_import_is_nobody_elses(upload, client_of, ada, pat, olga, account, project):
    answer = upload(ada, file_of(GOOD))
    Membership.objects.filter(user=pat).update(directory=Level.ADMIN)
    company_import = CompanyImport.objects.get()
    for user in (pat, olga):
        for page in ("preview", "errors"):
            address = reverse(
                f"directory:account_import_{page}", args=[account.pk, company_import.pk]
            )
            assert client_of(user).get(address).status_code == 404
        assert client_of(user).post(f"{preview_of(answer)}confirm/").status_code == 404
    elsewhere = reverse(
        "directory:project_import_preview", args=[account.pk, project.pk, company_import.pk]
    )
    assert client_of(ada).get(elsewhere).status_code == 404


def test_confirming_is_a_post(upload, client_of, ada):
    answer = upload(ada, file_of(GOOD))
    assert client_of(ada).get(f"{preview_of(answer)}confirm/").status_code == 405


def test_an_upload_nobody_confirmed_is_forgotten_after_a_week(upload, client_of, ada):
    for name in ("old", "confirmed", "young"):
        answer = upload(ada, file_of({"name": name}))
        if name == "confirmed":
            confirm(client_of(ada), answer)
    CompanyImport.objects.filter(rows__0__1__0="old").update(at=Now() - timedelta(days=8))
    CompanyImport.objects.exclude(confirmed_at=None).update(at=Now() - timedelta(days=8))
    upload(ada, file_of({"name": "new"}))
    left = [
        row[1][0] for company_import in CompanyImport.objects.all() for row in company_import.rows
    ]
    assert sorted(left) == ["new", "young"]
    assert CompanyImport.objects.exclude(confirmed_at=None).count() == 1


# --- size -----------------------------------------------------------------------------------


def test_two_thousand_firms_are_imported_in_batches(upload, client_of, ada, account, project):
    invented = firms(2000, seed=3)
    client = client_of(ada)
    few = upload(ada, csv_text(invented[:10]).encode(), project=project)
    with CaptureQueriesContext(connection) as for_few:
        confirm(client, few, place="on")
    many = upload(ada, csv_text(invented).encode(), project=project)
    assert "1,990 created, 10 left out" in many.content.decode()
    with CaptureQueriesContext(connection) as for_many:
        confirm(client, many, place="on")
    # SQLite takes some thirty companies a statement, PostgreSQL five hundred; never one a row.
    assert len(for_many) - len(for_few) < 1990 / 10
    assert Company.objects.filter(account=account).count() == 2000
    assert Company.objects.on_project(project.pk).count() == 2000
    result = CompanyImport.objects.order_by("at").last().result
    assert (result["created"], result["errors"]) == (1990, 0)


@pytest.mark.parametrize("size", [20, 200])
def test_checking_takes_the_same_few_statements_for_any_file(
    upload, client_of, ada, project, django_assert_max_num_queries, size
):
    answer = upload(ada, csv_text(firms(size)).encode(), project=project)
    client = client_of(ada)
    # Two of them count what waits for Ada, in the account and on the project, for the menu.
    with django_assert_max_num_queries(14):
        client.get(preview_of(answer))


def test_the_same_seed_gives_the_same_firms_and_the_share_of_long_names():
    assert firms(50, seed=9) == firms(50, seed=9)
    assert firms(50, seed=9) != firms(50, seed=8)
    long = [firm for firm in firms(600, long_names=0.3) if len(firm["name"]) > 30]
    assert len(long) == 180
    names = " ".join(firm["name"] for firm in firms(600))
    assert all(sign in names for sign in "&,'é")
