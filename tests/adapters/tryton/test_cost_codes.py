"""Standard cost codes arrive as a tree of analytic accounts under one root."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from erp_integrations.adapters.base import (
    AdapterError,
    Ambiguous,
    Command,
    Effect,
    ErrorClass,
    Operation,
    Outcome,
)
from tests.adapters.tryton.conftest import cost_code, done, refused

ACCOUNT = """
SELECT account.code, account.name, account.type, account.state, account.active,
  parent.code AS parent, root.code AS root
FROM analytic_account_account AS account
JOIN analytic_account_account AS parent ON parent.id = account.parent
JOIN analytic_account_account AS root ON root.id = account.root
WHERE account.code LIKE ? ORDER BY account.code
"""


def changed(known: Outcome, command: Command, **payload: Any) -> Command:
    return replace(
        command,
        operation=Operation.UPDATE,
        payload={**command.payload, **payload},
        erp_id=known.erp_id,
        erp_version=known.erp_version,
        parent_erp_id="",
    )


def test_a_tree_of_three_tiers_is_read_back_as_a_tree(adapter, erp):
    division = done(adapter, cost_code("03", "Concrete & “Søns”", group=True))
    group = done(adapter, cost_code("03-30", "Cast-in-place", parent=division.erp_id, group=True))
    done(adapter, cost_code("03-30-005", "Footings: 2,000 psi", parent=group.erp_id))
    rows = [tuple(row.values()) for row in erp.rows(ACCOUNT, "03%")]
    assert rows == [
        ("03", "Concrete & “Søns”", "view", "opened", 1, "COSTCODES", "COSTCODES"),
        ("03-30", "Cast-in-place", "view", "opened", 1, "03", "COSTCODES"),
        ("03-30-005", "Footings: 2,000 psi", "normal", "opened", 1, "03-30", "COSTCODES"),
    ]
    erp_record = adapter.find("cost_code", "03-30-005")
    assert erp_record.data["code"] == "005"
    assert erp_record.data["parent"] == group.erp_id
    assert (erp_record.data["description"], erp_record.data["is_group"]) == (
        "Footings: 2,000 psi",
        False,
    )
    top = adapter.find("cost_code", "03").data
    assert (top["code"], top["parent"], top["is_group"]) == ("03", "", True)


def test_the_own_tier_is_found_behind_the_delimiter_of_the_connection(make):
    adapter = make(code_delimiter=".")
    parent = done(adapter, cost_code("4", "Masonry", group=True))
    done(adapter, cost_code("4.100", "Mortar", parent=parent.erp_id))
    assert adapter.find("cost_code", "4.100").data["code"] == "100"


def test_the_preview_is_what_is_found_afterwards(adapter):
    parent = done(adapter, cost_code("05", "Metals", group=True))
    command = cost_code("05-100", "Steel", parent=parent.erp_id)
    wire = adapter.preview(command)
    done(adapter, command)
    data = adapter.find("cost_code", "05-100").data
    written = {field.source: field.value for field in wire.fields if field.source}
    assert {name: data[name] for name in written} == written
    given = {field.erp_name: field.value for field in wire.fields if not field.source}
    assert given["state"] == "opened"
    assert json.loads(wire.text)["parent"] == int(parent.erp_id)


def test_a_code_in_use_is_refused_even_where_its_account_is_inactive(adapter, erp):
    outcome = done(adapter, cost_code("06-1", "Framing"))
    assert refused(adapter, cost_code("06-1", "Another")).cls is ErrorClass.DUPLICATE
    off = replace(cost_code("06-1", ""), operation=Operation.DEACTIVATE, erp_id=outcome.erp_id)
    done(adapter, off)
    error = refused(adapter, cost_code("06-1", "Another"))
    assert (error.cls, error.effect, error.field) == (
        ErrorClass.DUPLICATE,
        Effect.NOT_APPLIED,
        "full_code",
    )
    (row,) = erp.rows(ACCOUNT, "06-1")
    assert (row["name"], row["active"]) == ("Framing", 0)
    assert adapter.find("cost_code", "06-1").data["is_active"] is False


def test_an_update_writes_only_what_differs(through_proxy, faults, erp):
    command = cost_code("07-1", "Roofing")
    first = done(through_proxy, command)
    faults.set("")
    second = done(through_proxy, changed(first, command, description="Roofing & gutters"))
    assert [json.loads(write) for write in faults.written()] == [{"name": "Roofing & gutters"}]
    faults.set("")
    done(through_proxy, changed(second, command, description="Roofing & gutters"))
    assert faults.written() == []
    error = refused(through_proxy, changed(first, command, description="Stale"))
    assert error.cls is ErrorClass.CONFLICT
    assert [row["name"] for row in erp.rows(ACCOUNT, "07-1")] == ["Roofing & gutters"]


def test_a_code_can_be_renumbered_but_not_to_one_in_use(adapter, erp):
    command = cost_code("08-1", "Doors")
    first = done(adapter, command)
    done(adapter, cost_code("08-2", "Windows"))
    assert refused(adapter, changed(first, command, full_code="08-2")).cls is ErrorClass.DUPLICATE
    assert done(adapter, changed(first, command, full_code="08-3")).erp_code == "08-3"


@pytest.mark.parametrize("parent", ["999999", "nonsense"])
def test_a_parent_that_is_not_there_is_a_missing_reference(adapter, erp, parent):
    error = refused(adapter, cost_code("09-1", "Finishes", parent=parent))
    assert (error.cls, error.effect) == (ErrorClass.MISSING_REF, Effect.NOT_APPLIED)
    assert erp.rows(ACCOUNT, "09-1") == []


def test_two_accounts_of_one_code_are_ambiguous(adapter):
    outcome = done(adapter, cost_code("10-1", "Specialties"))
    command = cost_code("10-1", "Specialties")
    accounts = adapter.kinds["cost_code"]
    # As somebody in accounting can, since Tryton does not require unique codes.
    twin = accounts.rest.create(
        accounts.model, accounts.creation(accounts.wanted(command), accounts.refer), ["code"]
    )
    assert adapter.find("cost_code", "10-1") == Ambiguous((outcome.erp_id, str(twin["id"])))


def test_all_accounts_under_the_root_come_page_by_page(adapter, erp, monkeypatch):
    monkeypatch.setattr("erp_integrations.adapters.tryton.records.PAGE_SIZE", 2)
    for number in range(3):
        done(adapter, cost_code(f"11-{number}", "Equipment"))
    records, cursor = [], ""
    while True:
        page = adapter.pull("cost_code", cursor)
        records += page.records
        if not (cursor := page.cursor):
            break
    rows = erp.rows("SELECT id FROM analytic_account_account WHERE root IS NOT NULL ORDER BY id")
    assert [int(record.erp_id) for record in records] == [row["id"] for row in rows]


def test_without_the_root_no_code_is_sent(make):
    adapter = make(root="NOPE")
    error = refused(adapter, cost_code("12-1", "Furnishings"))
    assert (error.cls, error.effect) == (ErrorClass.MISSING_REF, Effect.NOT_APPLIED)
    assert "NOPE" in error.message
    with pytest.raises(AdapterError, match="NOPE"):
        adapter.find("cost_code", "12-1")


def test_a_code_that_was_never_written_again_is_told_by_a_pull_of_changes(adapter):
    done(adapter, cost_code("70", "Created only"))
    point = adapter.pull("cost_code").point
    new = done(adapter, cost_code("71", "Created later"))
    told = [record.erp_id for record in adapter.pull("cost_code", since=point).records]
    assert new.erp_id in told
