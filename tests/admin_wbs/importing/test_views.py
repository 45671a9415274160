from __future__ import annotations

import csv
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from admin_wbs.cost_codes import services as code_services
from admin_wbs.models import CodeImport, CostCode
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from erpbridge.files import table, workbooks
from tests.factories import CodeListFactory, ConnectionFactory

GOOD = b"Code,Description\n01,General\n01-100,Survey\n"
MIXED = b"Code,Description\n01,=General\n02-100,Orphan\n03,\n"
pytestmark = pytest.mark.django_db


@pytest.fixture
def upload(client_of, account, code_list):
    """Upload a file as a person; the answer, followed to its page."""

    def send(user, content: bytes, *, to=code_list, name: str = "codes.csv"):
        address = reverse("admin_wbs:import", args=[account.pk, to.pk])
        file = SimpleUploadedFile(name, content)
        return client_of(user).post(address, {"file": file}, follow=True)

    return send


def preview_of(answer) -> str:
    return answer.redirect_chain[-1][0]


def confirm(client, answer):
    seen = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    return client.post(f"{preview_of(answer)}confirm/", {"seen": seen.group(1)}, follow=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b"\x81\x8d\xff", "neither UTF-8"),
        (b"Code,Name\n01,a\n", "column Description is missing"),
        (b"PK\x03\x04", "The workbook is damaged"),
        (b"%PDF-1.7", "The file is a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1", "old Excel workbook"),
        (b"Code,Description\n01\n", "line 2 has 1"),
        (b"Code,Description\n" + b"1,a\n" * 20_001, "more than 20,000 rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("name", ["codes.csv", "codes.xlsx"])
def test_a_broken_file_shows_its_reason_and_changes_nothing(upload, ada, content, words, name):
    answer = upload(ada, content, name=name)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not CodeImport.objects.exists()
    assert not CostCode.objects.exists()


def test_fifty_megabytes_are_refused_before_they_are_read(upload, ada):
    answer = upload(ada, b"x" * (50 * 1024 * 1024))
    assert answer.status_code == 413
    assert "16 MB" in answer.content.decode()


def test_a_file_over_the_limit_is_refused(upload, ada, monkeypatch):
    monkeypatch.setattr(table, "MOST_BYTES", 10)
    assert "the limit is 0 MB" in upload(ada, GOOD).content.decode()


def test_the_preview_names_the_layout_and_writes_nothing(upload, ada):
    page = upload(ada, MIXED).content.decode()
    assert "<strong>Code, Description</strong>" in page
    assert "1 new, 0 with a changed description, 0 unchanged" in page
    assert "2 of 3 rows have errors and are left out" in page
    assert page.index("Its parent 02 is missing") < page.index("=General")
    assert not CostCode.objects.exists()


def test_a_workbook_is_imported_like_a_csv_file(upload, client_of, ada, code_list):
    rows = [["Division", "Cost Code", "Description"], ["01", "", "General"], ["01", "9", "Survey"]]
    answer = upload(ada, workbooks.written(rows, title="Codes"), name="codes.xlsx")
    assert "<strong>Division, Cost Code, Description</strong>" in answer.content.decode()
    page = confirm(client_of(ada), answer).content.decode()
    assert "The file is imported." in page
    assert [*code_list.codes.order_by("pk").values_list("full_code", flat=True)] == ["01", "01-9"]


def test_codes_are_split_by_what_the_person_chooses(upload, client_of, ada):
    answer = upload(ada, b"Code,Description\n01.1,General\n01.1-100,Survey\n01.1-200,Plans\n")
    page = client_of(ada).post(preview_of(answer), {"delimiter": "-"}, follow=True)
    assert "3 new" in page.content.decode()
    page = client_of(ada).post(preview_of(answer), {"delimiter": "nonsense"}, follow=True)
    assert "3 new" in page.content.decode()


def test_the_errors_can_be_mended_and_chosen_again(upload, client_of, ada, code_list):
    answer = upload(ada, MIXED)
    done = confirm(client_of(ada), answer)
    assert "Some rows were not imported" in done.content.decode()
    errors = client_of(ada).get(f"{preview_of(answer)}errors/").content.decode("utf-8-sig")
    rows = [*csv.reader(io.StringIO(errors))]
    assert rows[0] == ["Code", "Description", "Error"]
    assert rows[2] == ["03", "", "Description is missing."]
    mended = errors.replace("03,,", "03,Concrete,").replace("02-100", "02")
    confirm(client_of(ada), upload(ada, mended.encode()))
    assert sorted(code_list.codes.values_list("full_code", "description")) == [
        ("01", "=General"),
        ("02", "Orphan"),
        ("03", "Concrete"),
    ]


def test_an_empty_list_offers_the_starter_list(client_of, ada, account, code_list):
    page = client_of(ada).get(reverse("admin_wbs:list", args=[account.pk, code_list.pk]))
    starter = reverse("admin_wbs:starter", args=[account.pk, code_list.pk])
    assert f'action="{starter}"' in page.content.decode()
    answer = client_of(ada).post(starter, follow=True)
    assert "120 new" in answer.content.decode()
    assert not code_list.codes.exists()
    confirm(client_of(ada), answer)
    assert code_list.codes.count() == 120
    again = client_of(ada).post(starter, follow=True).content.decode()
    assert "The starter list is for an empty list" in again
    assert f'action="{starter}"' not in again


def test_the_list_is_downloaded_as_csv_and_as_a_workbook(client_of, ada, account, code_list):
    code_services.add_many(code_list, [(["01"], "General"), (["01", "1"], "=Survey")], by=ada)
    client = client_of(ada)
    answer = client.get(reverse("admin_wbs:export_csv", args=[account.pk, code_list.pk]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert text.splitlines()[1:] == ["01,,General", "01,1,'=Survey"]
    assert 'filename="Residential.csv"' in answer.headers["Content-Disposition"]
    answer = client.get(reverse("admin_wbs:export_xlsx", args=[account.pk, code_list.pk]))
    assert workbooks.read(answer.content).lines[1].cells == ["01", "1", "=Survey"]


def test_the_list_of_an_erp_that_is_gone_says_why_it_takes_no_file(upload, client_of, ada, account):
    disconnected_list = CodeListFactory.create(
        account=account, connection_id=ConnectionFactory.create(account=account).pk
    )
    assert "not connected any more" in upload(ada, GOOD, to=disconnected_list).content.decode()
    starter = reverse("admin_wbs:starter", args=[account.pk, disconnected_list.pk])
    assert "not connected any more" in client_of(ada).post(starter, follow=True).content.decode()
    page = client_of(ada).get(reverse("admin_wbs:list", args=[account.pk, disconnected_list.pk]))
    assert "Import is disabled" in page.content.decode()
    assert not CodeImport.objects.exists()


def test_a_reader_may_export_but_not_import(upload, client_of, sam, account, code_list):
    Membership.objects.filter(user=sam).update(admin=Level.READ_ONLY)
    assert upload(sam, GOOD).status_code == 403
    export = reverse("admin_wbs:export_csv", args=[account.pk, code_list.pk])
    assert client_of(sam).get(export).status_code == 200


def test_an_upload_is_its_persons_own(upload, client_of, ada, account, pat):
    answer = upload(ada, GOOD)
    Membership.objects.filter(user=pat).update(admin=Level.ADMIN)
    assert client_of(pat).get(preview_of(answer)).status_code == 404
