"""Syncs whose rows depend on each other, repeat each other, or are very many."""

from __future__ import annotations

from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from admin_wbs.models import CostCode
from directory.models import Company
from erp_integrations.models import Item
from erp_integrations.workflow import bulk_requests
from erpbridge.access.models import Project, User
from erpbridge.rest import sync
from tests.erp_integrations.api import steps
from tests.factories import CodeListFactory, CompanyFactory, CostCodeFactory, ProjectFactory


def ids_and_errors(answer) -> tuple[list[int], list[dict]]:
    assert answer.status_code == 200, answer.content
    body = answer.json()
    return [row["id"] for row in body["entities"]], [row["errors"] for row in body["errors"]]


def test_a_later_row_takes_the_origin_id_that_an_earlier_one_gives_up(api, account):
    first, second, third = CompanyFactory.create_batch(3, account=account)
    Company.objects.filter(pk=first.pk).update(origin_id="E-1")
    Company.objects.filter(pk=second.pk).update(origin_id="E-2")
    rows = [
        {"id": first.pk, "origin_id": "E-0"},
        {"id": second.pk, "origin_id": "E-1"},
        {"id": third.pk, "origin_id": "E-2"},
    ]
    assert ids_and_errors(api.patch("vendors/sync", {"updates": rows})) == (
        [first.pk, second.pk, third.pk],
        [],
    )
    assert list(Company.objects.order_by("pk").values_list("origin_id", flat=True)) == [
        *("E-0", "E-1", "E-2")
    ]


def test_an_earlier_row_does_not_take_what_a_later_one_gives_up(api, account):
    first, second = CompanyFactory.create_batch(2, account=account)
    Company.objects.filter(pk=first.pk).update(origin_id="E-1")
    rows = [{"id": second.pk, "origin_id": "E-1"}, {"id": first.pk, "origin_id": "E-0"}]
    done, errors = ids_and_errors(api.patch("vendors/sync", {"updates": rows}))
    assert done == [first.pk]
    assert errors == [{"origin_id": [f"has already been taken by {first.pk}"]}]


def test_a_later_row_takes_the_code_and_the_number_of_an_earlier_one(api, account):
    codes = CodeListFactory.create(account=account)
    first, second = (CostCodeFactory.create(list=codes, code=code) for code in ("100", "200"))
    rows = [{"id": first.pk, "code": "300"}, {"id": second.pk, "code": "100"}]
    body = {"standard_cost_code_list_id": codes.pk, "updates": rows}
    assert ids_and_errors(api.patch("standard_cost_codes/sync", body)) == (
        [first.pk, second.pk],
        [],
    )
    assert set(CostCode.objects.values_list("code", flat=True)) == {"100", "300"}
    here, there = (ProjectFactory.create(account=account, number=number) for number in "12")
    rows = [{"id": here.pk, "project_number": "3"}, {"id": there.pk, "project_number": "1"}]
    assert ids_and_errors(api.patch("projects/sync", {"updates": rows})) == (
        [here.pk, there.pk],
        [],
    )
    assert set(Project.objects.values_list("number", flat=True)) == {"1", "3"}


def test_a_thousand_rows_of_one_origin_id_are_one_vendor_in_few_queries(api, account):
    rows = [{"origin_id": "E-1", "name": f"Firm {number}"} for number in range(1_000)]
    rows[500] = {"origin_id": "E-1", "name": "x" * 300}
    with CaptureQueriesContext(connection) as queries:
        done, errors = ids_and_errors(api.patch("vendors/sync", {"updates": rows}))
    assert len(queries) < 200
    vendor = Company.objects.get()
    assert (vendor.name, vendor.origin_id) == ("Firm 999", "E-1")
    assert done == [vendor.pk] * 999
    assert list(errors[0]) == ["name"]


def sync_users(api, count: int) -> tuple[list[int], list[dict]]:
    """New users, each of which takes queries of its own."""
    rows = [
        {"email_address": f"person{number}@firm.example", "last_name": f"Person {number}"}
        for number in range(count)
    ]
    with zeal_ignore():
        return ids_and_errors(api.patch("users/sync", {"updates": rows}))


def test_many_users_are_stored_in_batches_and_few_in_one_transaction(api, monkeypatch):
    monkeypatch.setattr(sync, "BATCH", 4)
    holds: list[int] = []
    store = sync._store

    def stored(rows, records):
        holds.append(len(rows))
        store(rows, records)

    monkeypatch.setattr(sync, "_store", stored)
    done, errors = sync_users(api, 10)
    assert (len(done), errors, holds) == (10, [], [4, 4, 2])
    holds.clear()
    sync_users(api, 4)
    assert holds == [4]


def test_a_batch_for_which_the_database_is_busy_is_refused_and_the_others_stay(api, monkeypatch):
    monkeypatch.setattr(sync, "BATCH", 2)
    store = sync._store

    def busy(rows, records):
        store(rows, records)
        if any(row.given["last_name"] == "Person 3" for row in rows):
            raise OperationalError("database is locked")

    monkeypatch.setattr(sync, "_store", busy)
    done, errors = sync_users(api, 6)
    assert len(done) == 4
    assert all("The database is busy" in error["base"][0] for error in errors)
    emails = User.objects.filter(email__startswith="person").order_by("pk")
    assert [user.email[6] for user in emails] == ["0", "1", "4", "5"]


def test_a_click_on_many_records_is_carried_out_in_batches(api, account, ada, monkeypatch):
    steps.connect(account, by=ada)
    ids = [company.pk for company in CompanyFactory.create_batch(5, account=account)]
    monkeypatch.setattr("erpbridge.db.batches.CHUNK", 2)
    batches: list[int] = []
    patiently = bulk_requests._patiently

    def counted(batch, *others):
        batches.append(len(batch))
        return patiently(batch, *others)

    monkeypatch.setattr(bulk_requests, "_patiently", counted)
    updates = [{"id": pk} for pk in ids]
    answer = api.post(steps.company_of(api, "vendors/actions/send_to_erp"), {"updates": updates})
    assert ids_and_errors(answer)[1] == []
    # The first batch also creates the request, and is not tried again.
    assert batches == [2, 1]
    click = Item.objects.values_list("sent_in", "sent_in__done").distinct().get()
    assert click[1] == 5
