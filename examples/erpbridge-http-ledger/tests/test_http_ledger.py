"""What the kit does not ask for: pages, the wait that the ledger asks for, names of fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erp_integrations.adapters.base import AdapterError, Effect, ErrorClass, Io, Operation

from erpbridge_http_ledger import HttpLedgerAdapter, api
from erpbridge_http_ledger.ledger import Ledger
from harness import HttpHarness


@pytest.fixture
def erp(tmp_path):
    harness = HttpHarness(tmp_path)
    yield harness
    harness.close()


def test_a_long_list_is_pulled_page_by_page(erp, monkeypatch):
    monkeypatch.setattr(api, "PAGE_SIZE", 10)
    for number in range(25):
        erp.ledger.enter(code=f"V{number}", name="Firm")
    pages, cursor = [], ""
    while not pages or cursor:
        pages.append(erp.adapter().pull("vendor", cursor))
        cursor = pages[-1].cursor
    assert [len(page.records) for page in pages] == [10, 10, 5]
    assert [bool(page.point) for page in pages] == [False, False, True]


def test_what_is_deleted_while_the_pages_are_read_is_told(erp, monkeypatch):
    monkeypatch.setattr(api, "PAGE_SIZE", 2)
    for number in range(3):
        erp.ledger.enter(code=f"V{number}", name="Firm")
    first = erp.adapter().pull("vendor")
    erp.ledger.delete(1)
    last = erp.adapter().pull("vendor", first.cursor)
    assert (first.records[0].erp_id, last.deleted) == ("1", ("1",))


def test_the_wait_that_the_ledger_asks_for_is_passed_on(erp):
    erp.server.per_minute = 1
    (first,) = erp.deliver(erp.command(1))
    (second,) = erp.deliver(erp.command(2))
    assert (first.error, second.error.cls) == (None, ErrorClass.THROTTLED)
    assert 50 < second.error.retry_after <= 61


def test_the_same_intent_again_is_answered_as_the_first_time(erp):
    (first,) = erp.deliver(erp.command())
    (again,) = erp.deliver(erp.command())
    assert again == first


@pytest.mark.parametrize(
    ("change", "cls", "field"),
    [
        ({"payload": {"name": "Firm", "address": "x" * 61}}, ErrorClass.INVALID, "address"),
        ({"acceptance": {"vendor_type": "X"}}, ErrorClass.MISSING_REF, "vendor_type"),
        ({"acceptance": {"vendor_type": "SUB"}}, ErrorClass.MISSING_REF, "payable_account"),
        ({"key": "", "acceptance": {}}, ErrorClass.INVALID, "code"),
    ],
)
def test_a_refused_row_names_the_field_as_the_manifest_does(erp, change, cls, field):
    (outcome,) = erp.deliver(replace(erp.command(), **change))
    assert (outcome.error.cls, outcome.error.field) == (cls, field)


def test_an_update_without_values_of_the_approver_leaves_them_as_they_are(erp):
    (done,) = erp.deliver(erp.command())
    blank = {"code": "", "vendor_type": "", "payable_account": ""}
    update = replace(erp.update(erp.command(), done, city="Easton"), acceptance=blank)
    (outcome,) = erp.deliver(update)
    assert outcome.error is None
    data = erp.adapter().find("vendor", update.key).data
    assert (data["city"], data["vendor_type"], data["payable_account"]) == ("Easton", "SUB", "2000")


def test_a_vendor_is_deactivated(erp):
    (done,) = erp.deliver(erp.command())
    off = replace(erp.update(erp.command(), done), operation=Operation.DEACTIVATE)
    (outcome,) = erp.deliver(off)
    assert outcome.error is None
    assert erp.adapter().find("vendor", erp.command().key).data["is_active"] is False


def test_a_wrong_address_is_not_taken_for_a_vendor_that_is_not_there(erp):
    adapter = erp.adapter_at(f"{erp.address()}/elsewhere")
    with pytest.raises(AdapterError) as raised:
        adapter.fetch("vendor", "1")
    assert raised.value.error.effect is Effect.NOT_APPLIED
    assert adapter.check().problems == ("There is no such page.",)


def test_a_ledger_that_is_kept_in_a_file_goes_on_where_it_ended(tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.enter(code="A", name="Firm")
    ledger.enter(code="B", name="Firm")
    ledger.delete(2)
    again = Ledger(tmp_path / "ledger.json")
    assert again.changes(0, 10) == ledger.changes(0, 10)
    assert again.enter(code="C")["id"] == 3


def test_without_a_key_nothing_is_called(erp):
    io = erp.adapter().io
    adapter = HttpLedgerAdapter({"url": erp.address()}, {}, Io(io.folder, io.clock, io.logger))
    (outcome,) = adapter.submit([erp.command()])
    assert (outcome.error.cls, outcome.error.effect) == (ErrorClass.SETUP, Effect.NOT_APPLIED)
    assert erp.server.received == []
