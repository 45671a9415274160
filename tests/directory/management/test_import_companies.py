from __future__ import annotations

import csv
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from directory.companies import services as company_services
from directory.models import Company
from erpbridge.audit.models import Event
from tests.generator import csv_text, file_of, firms

GOOD = {"name": "Three Rivers Glass", "zip": "21201"}
BAD = {"name": "Bad & Son", "zip": "21202", "email": "nobody at home"}


@pytest.fixture
def run(tmp_path, account, ada):
    """Run the command on a file as Ada; returns what it printed."""

    def command(content: bytes, *arguments: object, by: str = "", **options: object) -> str:
        path = tmp_path / "firms.csv"
        path.write_bytes(content)
        out = StringIO()
        options = {"account": account.pk, "by": by or ada.email, **options}
        call_command("import_companies", path, *arguments, stdout=out, stderr=out, **options)
        return out.getvalue()

    return command


def test_the_file_is_imported_and_counted(run, account, ada):
    output = run(csv_text(firms(60)).encode())
    assert "60 rows: 60 new" in output
    assert "Done: created 60" in output
    assert "naics                          ignored" in output
    assert Company.objects.filter(account=account).count() == 60
    event = Event.objects.get(verb="companies imported")
    assert (event.actor, event.data["created"]) == (ada, 60)


def test_a_second_run_leaves_everything_out(run):
    content = csv_text(firms(20)).encode()
    run(content)
    assert "20 exact duplicates" in run(content)
    assert Company.objects.count() == 20


def test_a_dry_run_writes_nothing(run):
    assert "20 new" in run(csv_text(firms(20)).encode(), dry_run=True)
    assert not Company.objects.exists()


def test_one_bad_row_stops_the_whole_file(run):
    with pytest.raises(CommandError, match=r"Line 3: E-mail address .*\nNothing was imported."):
        run(file_of(GOOD, BAD))
    assert not Company.objects.exists()


def test_good_rows_are_imported_when_asked_for_and_the_exit_code_stays(run):
    with pytest.raises(CommandError, match="Line 3"):
        run(file_of(GOOD, BAD), skip_errors=True)
    assert Company.objects.get().name == GOOD["name"]


def test_refused_rows_are_written_where_asked(run, tmp_path):
    path = tmp_path / "errors.csv"
    with pytest.raises(CommandError):
        run(file_of(GOOD, BAD), errors=path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["Error"][:6]) == ("Bad & Son", "E-mail")
    assert not (tmp_path / "firms.csv.errors.csv").exists()


@pytest.mark.parametrize(("choice", "count"), [("skip", 1), ("exact", 1), ("create", 2)])
def test_look_alikes_are_treated_as_asked(run, account, ada, choice, count):
    company_services.create(account=account, values=GOOD, by=ada)
    run(file_of(GOOD), look_alikes=choice)
    assert Company.objects.count() == count


def test_a_doubtful_row_stops_the_import_until_it_is_decided(run, account, ada):
    company_services.create(account=account, values=GOOD, by=ada)
    row = GOOD | {"zip": ""}
    with pytest.raises(CommandError, match=r"Line 2: Looks like .*a ZIP code is missing"):
        run(file_of(row))
    assert Company.objects.count() == 1
    run(file_of(row), look_alikes="exact")
    assert Company.objects.count() == 2


def test_the_country_of_rows_without_one_can_be_given(run):
    run(file_of({"name": "Moon", "state": "WA"}), country="Australia")
    assert Company.objects.values_list("state_code", "country_code").get() == ("WA", "AU")


def test_a_project_gets_new_and_existing_companies(run, account, project, ada):
    company_services.create(account=account, values=GOOD, by=ada)
    output = run(file_of(GOOD, {"name": "Moon", "zip": "21203"}), project=project.pk)
    assert "created 1, added 1 to the project" in output
    assert Company.objects.on_project(project.pk).count() == 2


def test_a_column_can_be_put_where_it_belongs(run):
    run(b"who,name\nMoon,Frederick\n", column=["who=name", "name=city"])
    assert Company.objects.values_list("name", "city").get() == ("Moon", "Frederick")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"account": 999_999}, "no account 999999"),
        ({"project": 999_999}, "no project 999999"),
        ({"by": "nobody@example.com"}, "No user has the e-mail address"),
        ({"country": "Atlantis"}, "“Atlantis” is not a country"),
        ({"column": ["color=name"]}, "no column “color”"),
        ({"column": ["name=color"]}, "“color” is none of"),
        ({"column": ["name="]}, "Choose the column"),
    ],
)
def test_a_wrong_option_is_one_sentence(run, options, words):
    with pytest.raises(CommandError, match=words):
        run(file_of(GOOD), **options)


def test_the_person_must_have_the_right(run, sam, olga):
    for user in (sam, olga):
        with pytest.raises(CommandError, match="may not import companies here"):
            run(file_of(GOOD), by=user.email)
    assert not Company.objects.exists()


def test_a_project_of_another_account_does_not_exist(run, other_project):
    with pytest.raises(CommandError, match="has no project"):
        run(file_of(GOOD), project=other_project.pk)


def test_a_file_that_cannot_be_read_says_why(run, tmp_path, account, ada):
    with pytest.raises(CommandError, match="workbook is damaged"):
        run(b"PK\x03\x04")
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("import_companies", tmp_path / "none.csv", account=account.pk, by=ada.email)
