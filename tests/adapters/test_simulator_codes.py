"""The simulator keeps cost codes as a tree, with their accounts, in every delivery."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from erp_integrations.adapters.base import (
    Command,
    Effect,
    ErrorClass,
    Found,
    InboundCall,
    Operation,
    Outcome,
)
from erp_integrations.adapters.conformance.delivery import deliver
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.adapters.simulator.faults import set_fault
from erp_integrations.adapters.simulator.files import import_into, read_result, render
from erp_integrations.adapters.simulator.ledger import Ledger
from erp_integrations.adapters.simulator.polling import receive
from erp_integrations.adapters.simulator.tables import GL_ACCOUNTS
from erp_integrations.workflow.payloads.field_rules import problems
from tests.adapters.conftest import Make, create
from tests.adapters.test_conformance_simulator import (
    CodesHarness,
    FileCodesHarness,
    PolledCodesHarness,
    QueuedCodesHarness,
)

CODE = SimulatorAdapter.manifest({}).entities["cost_code"]
ACCOUNTS = {"income_account": "4000", "expense_account": "5020"}


def code(*path: str, parent: str = "", intent: str = "", **payload: Any) -> Command:
    """A code whose tiers are ``path``, to be put under the record called ``parent``."""
    full_code = "-".join(path)
    values = {"full_code": full_code, "description": f"Work {full_code}", "is_group": False}
    return Command(
        intent=intent or f"intent-{full_code}",
        entity="cost_code",
        operation=Operation.CREATE,
        key=full_code,
        payload={**values, "path": list(path), **payload},
        acceptance=ACCOUNTS,
        parent_erp_id=parent,
    )


def changed(command: Command, done: Outcome, **values: Any) -> Command:
    """The update of what ``command`` created."""
    return replace(
        command,
        intent=f"{command.intent}-change",
        operation=Operation.UPDATE,
        erp_id=done.erp_id,
        erp_version=done.erp_version,
        parent_erp_id="",
        **values,
    )


def done(simulator: SimulatorAdapter, command: Command) -> Outcome:
    (outcome,) = simulator.submit([command])
    assert outcome.error is None, outcome.error
    return outcome


def refused(simulator: SimulatorAdapter, command: Command) -> tuple[ErrorClass, str]:
    """The class and field of a refusal that wrote nothing."""
    before = [*simulator.ledger.cost_codes(), *simulator.ledger.effects()]
    (outcome,) = simulator.submit([command])
    assert outcome.error is not None
    assert outcome.error.effect is Effect.NOT_APPLIED
    assert [*simulator.ledger.cost_codes(), *simulator.ledger.effects()] == before
    return outcome.error.cls, outcome.error.field


def tree(ledger: Ledger) -> dict[str, str]:
    """Code -> the code above it."""
    erp_codes = ledger.cost_codes()
    codes = {str(erp_code.id): erp_code.key for erp_code in erp_codes}
    return {erp_code.key: codes.get(erp_code.values["parent"], "") for erp_code in erp_codes}


def test_a_tree_of_codes_is_kept_as_a_tree_with_its_accounts(simulator):
    division = done(simulator, code("03", is_group=True))
    group = done(simulator, code("03", "300", parent=division.erp_id, is_group=True))
    done(simulator, code("03", "300", "10", parent=group.erp_id))
    assert tree(simulator.ledger) == {"03": "", "03-300": "03", "03-300-10": "03-300"}
    erp_code = simulator.ledger.cost_code("03-300")
    assert erp_code is not None
    assert dict(erp_code.values) == {
        "code": "03-300",
        "name": "Work 03-300",
        "kind": "group",
        "parent": division.erp_id,
        "income_account": "4000",
        "expense_account": "5020",
    }
    assert [(effect.entity, effect.key) for effect in simulator.ledger.effects()] == [
        ("cost_code", key) for key in ("03", "03-300", "03-300-10")
    ]


def test_what_is_found_is_what_was_previewed_and_written(simulator):
    command = code("03", is_group=True)
    wire = simulator.preview(command)
    done(simulator, command)
    erp_record = simulator.find("cost_code", " 03 ")
    assert isinstance(erp_record, Found)
    written = {field.source: field.value for field in wire.fields if field.source}
    assert {name: erp_record.data[name] for name in written} == written
    assert erp_record.data["is_group"] is True
    assert [effect.message for effect in simulator.ledger.effects()] == [wire.text]
    assert simulator.find("cost_code", "3") is None
    assert simulator.pull("cost_code").records == (erp_record,)
    assert simulator.pull("vendor").records == ()


def test_a_code_is_there_once_in_whatever_case(simulator):
    done(simulator, code("03-a"))
    assert refused(simulator, code("03-A", intent="other")) == (ErrorClass.DUPLICATE, "full_code")
    assert simulator.find("cost_code", "03-A").erp_code == "03-a"


@pytest.mark.parametrize(
    "change, cls, field",
    [
        ({"parent_erp_id": "99"}, ErrorClass.MISSING_REF, "parent"),
        ({"parent_erp_id": "nonsense"}, ErrorClass.MISSING_REF, "parent"),
        ({"parent_erp_id": ""}, ErrorClass.MISSING_REF, "parent"),
        ({"acceptance": {}}, ErrorClass.MISSING_REF, "income_account"),
        ({"acceptance": {"income_account": "9"}}, ErrorClass.MISSING_REF, "income_account"),
        (
            {"acceptance": {**ACCOUNTS, "expense_account": "9"}},
            ErrorClass.MISSING_REF,
            "expense_account",
        ),
        ({"payload": {"full_code": "03"}}, ErrorClass.INVALID, "description"),
        ({"payload": {"description": "A"}, "key": ""}, ErrorClass.INVALID, "full_code"),
        ({"operation": Operation.DEACTIVATE}, ErrorClass.UNSUPPORTED, ""),
    ],
)
def test_the_ledger_refuses_a_bad_code_and_writes_nothing(simulator, change, cls, field):
    assert refused(simulator, replace(code("03", "300"), **change)) == (cls, field)


@pytest.mark.parametrize("field, limit", [("full_code", 20), ("description", 40)])
def test_the_ledger_refuses_what_is_longer_than_the_manifest_says(simulator, field, limit):
    assert CODE.max_length(field) == limit
    done(simulator, code("03", **{field: "x" * limit}))
    too_long = code("04", **{field: "x" * (limit + 1)})
    assert [problem.field for problem in problems(CODE, too_long.payload)] == [field]
    assert refused(simulator, too_long) == (ErrorClass.INVALID, field)


@pytest.mark.parametrize("wrong", ["03&1", "é", "03\n", "03,1"])
def test_characters_that_the_ledger_refuses_are_named_before(simulator, wrong):
    command = code(wrong)
    assert [problem.rule for problem in problems(CODE, command.payload)] == ["charset"]
    assert refused(simulator, command) == (ErrorClass.INVALID, "full_code")


def test_the_expense_account_is_optional(simulator):
    done(simulator, replace(code("03"), acceptance={"income_account": "4010"}))
    erp_code = simulator.ledger.cost_code("03")
    assert (erp_code.values["income_account"], erp_code.values["expense_account"]) == ("4010", "")


def test_gl_accounts_are_the_ledgers(simulator):
    offered = {choice.code: choice.label for choice in simulator.choices("gl_account")}
    assert offered == GL_ACCOUNTS
    assert len(offered) == 25
    assert {field.choices for field in CODE.acceptance_fields} <= set(simulator.choice_kinds())


def test_an_update_keeps_place_and_accounts_that_it_does_not_name(simulator):
    division = done(simulator, code("03", is_group=True))
    command = code("03", "300", parent=division.erp_id)
    made = done(simulator, command)
    values = {**command.payload, "description": "Changed", "full_code": "03-301"}
    done(simulator, changed(command, made, payload=values, acceptance={}))
    erp_code = simulator.ledger.cost_code("03-301")
    assert erp_code.version == 2
    assert (erp_code.values["name"], erp_code.values["parent"]) == ("Changed", division.erp_id)
    assert erp_code.values["income_account"] == "4000"
    assert simulator.ledger.cost_code("03-300") is None


def test_a_code_cannot_be_renumbered_to_one_in_use(simulator):
    done(simulator, code("03"))
    command = code("04")
    made = done(simulator, command)
    taken = changed(command, made, payload={**command.payload, "full_code": "03"})
    assert refused(simulator, taken) == (ErrorClass.DUPLICATE, "full_code")


def test_a_code_cannot_be_put_under_itself_or_below_itself(simulator):
    top = code("03", is_group=True)
    made = done(simulator, top)
    below = done(simulator, code("03", "1", parent=made.erp_id))
    for parent in (made.erp_id, below.erp_id):
        update = replace(changed(top, made), intent=parent, parent_erp_id=parent)
        assert refused(simulator, update) == (ErrorClass.INVALID, "parent")


def test_one_number_is_not_used_for_a_vendor_and_a_code(simulator):
    simulator.submit([create(intent="one")])
    assert refused(simulator, code("03", intent="one"))[0] is ErrorClass.BUG


def test_a_fault_can_be_aimed_at_a_code_by_its_description(make: Make, tmp_path: Path):
    set_fault(tmp_path, "main", "refuse", match="work 03")
    assert make().submit([code("04")])[0].error is None
    error = make().submit([code("03")])[0].error
    assert "closed for posting" in error.message
    assert "vendor" not in f"{error.message} {error.advice}"


@pytest.mark.parametrize(
    "harness", [CodesHarness, QueuedCodesHarness, PolledCodesHarness, FileCodesHarness]
)
def test_in_every_delivery_a_tree_arrives_and_an_orphan_does_not(tmp_path: Path, harness):
    erp = harness(tmp_path)
    (top,) = deliver(erp, [code("03", is_group=True)])
    below, orphan, stray = deliver(
        erp,
        [code("03", "1", parent=top.erp_id), code("03", "2"), code("03", "3", parent="99")],
    )
    assert below.error is None
    assert {(outcome.error.cls, outcome.error.field) for outcome in (orphan, stray)} == {
        (ErrorClass.MISSING_REF, "parent")
    }
    assert tree(erp.adapter().ledger) == {"03": "", "03-1": "03"}
    command = code("03", "1")
    update = changed(command, below, payload={**command.payload, "description": "Formwork"})
    (outcome,) = deliver(erp, [replace(update, acceptance={})])
    assert outcome.error is None
    erp_code = erp.adapter().ledger.cost_code("03-1")
    assert (erp_code.values["name"], erp_code.values["income_account"]) == ("Formwork", "4000")
    assert erp_code.values["parent"] == top.erp_id


def test_the_file_of_codes_is_named_and_safe(simulator):
    made = render([code("03", description="=1+1")])
    assert made.name == "cost_codes.csv"
    assert b"'=1+1" in made.content
    result = import_into(simulator.ledger, made.content)
    assert read_result(result)["intent-03"].erp_code == "03"
    assert simulator.ledger.cost_code("03").values["name"] == "=1+1"


@pytest.mark.parametrize(
    "said",
    [
        {"ticket": "x", "entity": "project", "record": {"id": "1", "version": "1", "values": {}}},
        {"ticket": "x", "entity": "cost_code", "record": {"id": "1", "version": "1", "values": {}}},
        {"ticket": "x", "entity": [], "record": {"id": "1", "version": "1", "values": {}}},
    ],
)
def test_an_agent_that_tells_nonsense_about_a_code_is_refused(said: Mapping[str, Any]):
    body = json.dumps({"found": [said]}).encode()
    ask = receive(InboundCall("POST", "", {"authorization": "Bearer x"}, body), "x")
    assert ask.refused is not None
    assert ask.refused.status == 400


OLD: Sequence[str] = (
    "CREATE TABLE vendor (id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL"
    " DEFAULT 1, vendor_name TEXT NOT NULL DEFAULT '', short_name TEXT NOT NULL DEFAULT '',"
    " trade_name TEXT NOT NULL DEFAULT '', street TEXT NOT NULL DEFAULT '', city TEXT NOT NULL"
    " DEFAULT '', state TEXT NOT NULL DEFAULT '', zip TEXT NOT NULL DEFAULT '', country TEXT NOT"
    " NULL DEFAULT '', phone TEXT NOT NULL DEFAULT '', mobile TEXT NOT NULL DEFAULT '', fax TEXT"
    " NOT NULL DEFAULT '', email TEXT NOT NULL DEFAULT '', web TEXT NOT NULL DEFAULT '',"
    " license_no TEXT NOT NULL DEFAULT '', tax_id TEXT NOT NULL DEFAULT '', vendor_id TEXT NOT"
    " NULL DEFAULT '', vendor_type TEXT NOT NULL DEFAULT '', UNIQUE (vendor_id COLLATE NOCASE))",
    "CREATE TABLE effect (id INTEGER PRIMARY KEY AUTOINCREMENT, intent TEXT NOT NULL UNIQUE,"
    " vendor INTEGER NOT NULL REFERENCES vendor (id), message TEXT NOT NULL, at REAL NOT NULL)",
    "INSERT INTO vendor (vendor_name, vendor_id, vendor_type) VALUES ('Acme', 'ACME', 'SUB')",
    "PRAGMA user_version = 2",
)


def test_a_ledger_of_an_earlier_version_keeps_its_vendors_and_what_was_done(make: Make):
    simulator, command = make(), create("ACME")
    db = sqlite3.connect(simulator.ledger.path)
    for statement in OLD:
        db.execute(statement)
    effect = (command.intent, simulator.preview(command).text, time.time())
    db.execute("INSERT INTO effect (intent, vendor, message, at) VALUES (?, 1, ?, ?)", effect)
    db.commit()
    db.close()
    assert simulator.submit([command])[0].erp_code == "ACME"
    assert [(effect.intent, effect.key) for effect in simulator.ledger.effects()] == [
        ("intent-ACME", "ACME")
    ]
    assert done(simulator, code("03")).erp_id == "1"
