"""The records of the ERP: refreshed, listed with its choices, searched and counted."""

from __future__ import annotations

from html import unescape

import pytest
from django.db import connection as db
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_wbs.models import CodeList
from erp_integrations.adapters.base import EntityManifest, Field
from erp_integrations.models import ErpRecord, Item
from erpbridge.access.levels import Level
from tests.admin_wbs import steps as codes
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, MembershipFactory, UserFactory


@pytest.fixture
def url_of(account, connection):
    def address(kind: str) -> str:
        return reverse("erp:holdings", args=[account.pk, connection.pk, kind])

    return address


def text(answer) -> str:
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def read_again(client, url: str) -> str:
    """The button, and the page of its job once a worker is done with it."""
    started = client.post(url)
    steps.run_jobs()
    return text(client.get(started["Location"]))


@pytest.fixture
def codes_in_erp(connection, ada, pat, access_of) -> None:
    code_list = CodeList.objects.get(connection_id=connection.pk)
    codes.tree(code_list, ada, "01 General", "01-100 Survey & Layout", "02 Site")
    codes.send(code_list, access_of(ada))
    codes.accept(codes.waiting(code_list), access_of(pat), expense_account="5010")
    steps.export(connection)
    steps.export(connection)


def test_codes_descriptions_and_accounts_are_shown_in_words(client_of, pat, codes_in_erp, url_of):
    client = client_of(pat)
    before = text(client.get(url_of("cost-codes")))
    assert "3 records exported or linked since then" in before
    read_again(client, url_of("cost-codes"))
    page = text(client.get(url_of("cost-codes")))
    for words in ("01-100", "Survey & Layout", "Contract income", "Direct labor", "3 of 3 records"):
        assert words in page
    assert "exported or linked since then" not in page


def test_search_finds_by_code_and_by_description_and_counts(client_of, pat, codes_in_erp, url_of):
    client = client_of(pat)
    read_again(client, url_of("cost-codes"))
    by_words = text(client.get(url_of("cost-codes"), {"q": "survey"}))
    assert "01-100" in by_words
    assert "1 of 1 records" in by_words
    assert "Site" not in by_words
    assert "2 of 2 records" in text(client.get(url_of("cost-codes"), {"q": "01"}))
    assert "Nothing matches" in text(client.get(url_of("cost-codes"), {"q": "nowhere"}))


def test_vendors_are_shown_with_the_words_of_their_type(
    client_of, pat, account, ada, connection, access_of, url_of
):
    company = CompanyFactory.create(account=account, name="Quarry & Sons", city="Akron")
    (item,) = steps.send_all([company], access_of(ada))
    steps.decide([item], access_of(pat), vendor_id="QUARRY01")
    steps.export(connection)
    before = text(client_of(pat).get(url_of("companies")))
    assert "Read the ERP again" in before
    assert "No records in the ERP yet" not in before
    read_again(client_of(pat), url_of("companies"))
    page = text(client_of(pat).get(url_of("companies")))
    for words in ("QUARRY01", "Quarry & Sons", "Subcontractor", "Akron", "Read from Ledger on"):
        assert words in page
    assert Item.objects.get().erp_id not in {"QUARRY01", ""}


def test_who_neither_approves_nor_configures_cannot_have_the_erp_read(
    client_of, account, connection, url_of
):
    reader = UserFactory.create()
    MembershipFactory.create(user=reader, account=account, erp_integrations=Level.READ_ONLY)
    assert "Read again" not in text(client_of(reader).get(url_of("companies")))
    assert client_of(reader).post(url_of("companies")).status_code == 403


def test_an_erp_that_cannot_be_read_says_so_and_one_that_fails_says_why(
    client_of, ada, connection, url_of
):
    steps.change_config(connection, fault="down")
    page = read_again(client_of(ada), url_of("companies"))
    assert "The ERP data could not be fetched: Connection to the simulator refused." in page
    page = text(client_of(ada).get(url_of("companies")))
    assert "The ERP could not be read the last time" in page
    steps.change_config(connection, fault="none", delivery="file")
    assert "This ERP cannot be read" in text(client_of(ada).get(url_of("companies")))


def test_a_long_list_costs_no_more_than_a_short_one(client_of, ada, connection, url_of):
    client = client_of(ada)
    counts = []
    # Two pages and more; a list of one page needs no count.
    for numbers in (range(120), range(120, 420)):
        ErpRecord.objects.bulk_create(
            ErpRecord(
                connection=connection,
                entity="cost_code",
                erp_id=str(number),
                erp_code=f"{number:04}",
                label=f"Work {number}",
                data={"full_code": f"{number:04}", "description": f"Work {number}"},
            )
            for number in numbers
        )
        with CaptureQueriesContext(db) as asked:
            text(client.get(url_of("cost-codes")))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_without_columns_of_its_own_a_record_type_shows_its_key_and_first_fields():
    fields = tuple(Field(name, name.title(), name) for name in "abcdefgh")
    entity = EntityManifest("thing", "Thing", frozenset(), fields, key=("b",))
    assert entity.columns == ("b", "a", "c", "d", "e", "f")
    assert entity.label_of("c") == "C"
