"""One text in two spellings, followed from a call or click into the ERP."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode
from directory.models import Company
from erp_integrations.models import Connection, Item
from tests.erp_integrations import steps

NAME, SHOWN = "Orbit\nTile", "Orbit Tile"


@pytest.fixture
def code_list(account, ada) -> CodeList:
    return list_services.create(account=account, name="Residential", by=ada)


@pytest.fixture
def add_code(api, code_list) -> Callable[..., Any]:
    """Create a code over REST; the answer."""

    def add(**fields: Any) -> Any:
        code = {"name": "Work", **fields}
        body = {"standard_cost_code_list_id": code_list.pk, "standard_cost_code": code}
        return api.post("standard_cost_codes", body)

    return add


@pytest.fixture
def connection(account, ada) -> Connection:
    return steps.connect(account, by=ada)


def csv_file(*rows: tuple[str, ...]) -> SimpleUploadedFile:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return SimpleUploadedFile("rows.csv", out.getvalue().encode(), content_type="text/csv")


def import_on_page(client, address: str, *rows: tuple[str, ...], **choice: str) -> str:
    """Upload a file and confirm its preview; the page that follows."""
    preview = client.post(address, {"file": csv_file(*rows)}, follow=True)
    seen = re.search(r'name="seen" value="(\w+)"', preview.content.decode())
    assert seen, preview.content.decode()
    place = preview.redirect_chain[-1][0]
    done = client.post(f"{place}confirm/", {"seen": seen[1], **choice}, follow=True)
    assert done.status_code == 200
    return done.content.decode()


# --- codes ----------------------------------------------------------------------------------

SPELLINGS = pytest.mark.parametrize(
    ("code", "other", "distinct"),
    [("ÉLEC", "élec", "ELEC"), ("İNŞ", "inş", "INS")],
    ids=["accented", "dotted"],
)


@SPELLINGS
def test_a_code_in_another_spelling_is_refused_and_a_child_lands_under_its_parent(
    add_code, code, other, distinct
):
    first, apart = add_code(code=code), add_code(code=distinct)
    assert (first.status_code, apart.status_code) == (201, 201)
    refused = add_code(code=other)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["code"])
    child = add_code(code="100", parent_id=first.json()["id"])
    assert child.status_code == 201
    assert (child.json()["full_code"], child.json()["parent_id"]) == (
        f"{code}-100",
        first.json()["id"],
    )
    assert CostCode.objects.get(parent__isnull=False).parent_id == first.json()["id"]
    assert CostCode.objects.count() == 3


@SPELLINGS
def test_codes_of_a_file_land_under_their_parent_in_either_spelling(
    add_code, client_of, account, ada, code_list, code, other, distinct
):
    first, apart = add_code(code=code), add_code(code=distinct)
    address = reverse("admin_wbs:import", args=[account.pk, code_list.pk])
    rows = [("Code", "Description"), (f"{code}-100", "Panels"), (f"{other}-200", "Wire")]
    page = import_on_page(client_of(ada), address, *rows)
    assert "The file is imported." in page
    children = CostCode.objects.exclude(pk__in=[first.json()["id"], apart.json()["id"]])
    assert {(child.code, child.parent_id) for child in children} == {
        ("100", first.json()["id"]),
        ("200", first.json()["id"]),
    }


# --- a name that is sent to the ERP ---------------------------------------------------------


def by_rest(api, _client, _account) -> None:
    assert api.post("vendors", {"vendor": {"name": NAME}}).status_code == 201


def by_form(_api, client, account) -> None:
    address = reverse("directory:account_company_create", args=[account.pk])
    assert client.post(address, {"name": NAME}).status_code == 302


def by_file(_api, client, account) -> None:
    address = reverse("directory:account_import", args=[account.pk])
    import_on_page(client, address, ("name",), (NAME,), look_alikes="exact")


@pytest.mark.parametrize("door", [by_rest, by_form, by_file])
def test_a_name_with_a_line_break_is_one_line_for_the_approver_and_in_the_erp(
    api, account, connection, ada, pat, client_of, door
):
    door(api, client_of(ada), account)
    company = Company.objects.get()
    send = reverse("directory:account_company_send", args=[account.pk, company.pk])
    client_of(ada).post(send, {"verb": "send", "seen": company.revision})
    item = Item.objects.get()
    approver, place = client_of(pat), [account.pk, item.public_id]
    page = approver.get(reverse("erp:item", args=place)).content.decode()
    assert set(re.findall(r"Orbit.{0,12}?Tile", page, re.DOTALL)) == {SHOWN}
    assert f"<td>{SHOWN}</td>" in page
    values = {"digest": item.digest, "vendor_id": "ORBIT1"}
    kind = connection.choices.filter(kind="vendor_type").first().code
    approver.post(reverse("erp:item_accept", args=place), {**values, "vendor_type": kind})
    steps.export(connection)
    vendor = steps.ledger_of(connection).vendor("ORBIT1")
    assert vendor is not None
    assert vendor.values["vendor_name"] == SHOWN
    assert "Synced" in approver.get(reverse("erp:item", args=place)).content.decode()
