"""The simulator keeps what it accepts, once, and refuses what a real ERP would."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from erp_integrations.adapters.base import (
    AdapterError,
    Effect,
    ErrorClass,
    Found,
    Operation,
)
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.adapters.simulator.tables import VENDOR_TYPES, VENDORS, Refused
from erp_integrations.workflow.payloads.field_rules import problems
from tests.adapters.conftest import Make, create, update

VENDOR = SimulatorAdapter.manifest({}).entities["vendor"]


def find_vendor(simulator: SimulatorAdapter, key: str = "ACME") -> Found:
    vendor = simulator.find("vendor", key)
    assert isinstance(vendor, Found)
    return vendor


def error(simulator: SimulatorAdapter, command):
    (outcome,) = simulator.submit([command])
    assert outcome.error is not None
    assert outcome.erp_id == ""
    return outcome.error


def test_a_created_vendor_is_found_whatever_the_case_of_its_id(simulator):
    (outcome,) = simulator.submit([create("Acme")])
    assert outcome.error is None
    assert (outcome.erp_code, outcome.erp_version) == ("ACME", "1")
    for key in ("ACME", "acme", " Acme "):
        assert find_vendor(simulator, key).erp_id == outcome.erp_id
    assert simulator.find("vendor", "ACM") is None


def test_the_preview_is_what_is_written_and_what_is_found(simulator):
    command = create(
        trade_name="Ácme & Søns “Beton”, 東京",
        zip=21601,
        website=None,
        entity_type="ein",
        entity_id="91-1144442",
        notes="not for the ERP",
    )
    wire = simulator.preview(command)
    simulator.submit([command])
    data = find_vendor(simulator).data
    assert {field.source: field.value for field in wire.fields} == {
        name: value for name, value in data.items() if name != "entity_type"
    }
    assert {field.erp_name: field.value for field in wire.fields} == json.loads(wire.text)["vendor"]
    assert [effect.message for effect in simulator.ledger.effects()] == [wire.text]
    assert data["trade_name"] == "Ácme & Søns “Beton”, 東京"
    assert (data["zip"], data["website"], data["vendor_type"]) == ("21601", "", "SUB")
    assert (data["entity_type"], data["entity_id"]) == ("ein", "91-1144442")
    assert "not for the ERP" not in wire.text


def test_the_preview_has_every_field_of_the_manifest_and_the_approvers_values(simulator):
    sources = [field.source for field in simulator.preview(create()).fields]
    asked = [field.name for field in VENDOR.acceptance_fields]
    assert sources == [field.name for field in VENDOR.fields] + asked


@pytest.mark.parametrize("typed", ["91-1144442", "91 1144442", "911144442", " 91 - 1144442 "])
def test_an_ein_is_recognized_however_it_is_spaced_and_sent_as_the_irs_writes_it(simulator, typed):
    command = create(entity_type="ein", entity_id=typed)
    assert simulator.validate(command) == []
    assert simulator.submit([command])[0].error is None
    assert find_vendor(simulator).data["entity_id"] == "91-1144442"


def test_a_number_of_another_kind_than_ein_is_said_before_sending_and_not_sent(simulator):
    command = create(entity_type="ssn", entity_id="000-00-0000")
    (problem,) = simulator.validate(command)
    assert (problem.field, problem.rule) == ("entity_id", "kind")
    assert "SSN 000-00-0000 would not arrive: Simulator ERP keeps US" in problem.message
    assert simulator.submit([command])[0].error is None
    assert find_vendor(simulator).data["entity_id"] == ""


@pytest.mark.parametrize("number", ["99-12", "911-14-4442", "07-1144442", "none"])
def test_a_wrong_ein_is_refused_before_sending_and_by_the_ledger(simulator, number):
    command = create(entity_type="EIN", entity_id=number)
    (problem,) = simulator.validate(command)
    assert (problem.field, problem.current) == ("entity_id", number)
    assert "Tax ID" in problem.message
    refusal = error(simulator, command)
    assert (refusal.cls, refusal.effect) == (ErrorClass.INVALID, Effect.NOT_APPLIED)
    assert refusal.field == "entity_id"
    assert simulator.find("vendor", "ACME") is None


def test_a_second_vendor_with_an_id_is_refused_and_the_first_stays_as_it_was(simulator):
    simulator.submit([create("ACME")])
    before = find_vendor(simulator)
    refusal = error(simulator, create("acme", intent="another", name="Acme Plumbing"))
    assert (refusal.cls, refusal.effect) == (ErrorClass.DUPLICATE, Effect.NOT_APPLIED)
    assert refusal.field == "vendor_id"
    assert "ACME already exists" in refusal.message
    assert find_vendor(simulator) == before


@pytest.mark.parametrize("field", [field for field in VENDOR.fields if field.name != "entity_id"])
def test_the_ledger_itself_refuses_what_is_longer_than_the_manifest_says(simulator, field):
    limit = VENDOR.max_length(field.name)
    assert limit == VENDORS.limits[field.erp_name]
    longest = create("FITS", **{field.name: "é" * limit})
    too_long = create("OVER", **{field.name: "é" * (limit + 1)})
    assert problems(VENDOR, longest.payload) == []
    assert [problem.field for problem in problems(VENDOR, too_long.payload)] == [field.name]
    assert simulator.submit([longest])[0].error is None
    refusal = error(simulator, too_long)
    assert (refusal.cls, refusal.field) == (ErrorClass.INVALID, field.name)


@pytest.mark.parametrize(
    "change, cls, field",
    [
        ({"payload": {"name": "  "}}, ErrorClass.INVALID, "name"),
        ({"payload": {"name": None}}, ErrorClass.INVALID, "name"),
        ({"payload": {"name": "Acme \ud800"}}, ErrorClass.BUG, ""),
        (
            {"acceptance": {"vendor_id": "A", "vendor_type": "XX"}},
            ErrorClass.MISSING_REF,
            "vendor_type",
        ),
        ({"acceptance": {"vendor_id": "A"}}, ErrorClass.MISSING_REF, "vendor_type"),
        (
            {"acceptance": {"vendor_id": "A & B", "vendor_type": "SUB"}},
            ErrorClass.INVALID,
            "vendor_id",
        ),
        (
            {"acceptance": {"vendor_id": "ABCDEFGHIJK", "vendor_type": "SUB"}},
            ErrorClass.INVALID,
            "vendor_id",
        ),
        ({"key": "", "acceptance": {"vendor_type": "SUB"}}, ErrorClass.INVALID, "vendor_id"),
        ({"operation": Operation.DEACTIVATE}, ErrorClass.UNSUPPORTED, ""),
        ({"entity": "project"}, ErrorClass.UNSUPPORTED, ""),
    ],
)
def test_the_ledger_refuses_a_bad_command_and_writes_nothing(simulator, change, cls, field):
    refusal = error(simulator, replace(create(), **change))
    assert (refusal.cls, refusal.effect, refusal.field) == (cls, Effect.NOT_APPLIED, field)
    assert simulator.pull("vendor").records == ()
    assert simulator.ledger.effects() == []


def test_a_batch_takes_the_good_and_refuses_the_bad_in_order(simulator):
    outcomes = simulator.submit([create("A"), create("B", name="x" * 31), create("C")])
    assert [outcome.erp_code for outcome in outcomes] == ["A", "", "C"]
    assert outcomes[1].error.field == "name"
    assert [record.erp_code for record in simulator.pull("vendor").records] == ["A", "C"]


def test_no_commands_are_no_outcomes(simulator):
    assert list(simulator.submit([])) == []


def test_the_same_intent_again_answers_the_same_and_writes_nothing(simulator):
    first, again, third = (simulator.submit([create()])[0] for _ in range(3))
    assert first.erp_id
    assert first == again == third
    assert [effect.intent for effect in simulator.ledger.effects()] == ["intent-ACME"]


def test_an_intent_cannot_be_used_for_something_else(simulator):
    simulator.submit([create(intent="one")])
    refusal = error(simulator, create("OTHER", intent="one"))
    assert (refusal.cls, refusal.effect) == (ErrorClass.BUG, Effect.NOT_APPLIED)
    assert simulator.find("vendor", "OTHER") is None


def test_an_update_changes_the_vendor_and_its_version(simulator):
    (made,) = simulator.submit([create(city="Easton")])
    command = update(made.erp_id, made.erp_version, city="Bath")
    (changed,) = simulator.submit([command])
    assert (changed.erp_id, changed.erp_version) == (made.erp_id, "2")
    data = find_vendor(simulator).data
    assert (data["name"], data["city"], data["vendor_type"]) == ("Acme Concrete", "Bath", "SUB")
    assert simulator.submit([command]) == [changed]
    assert find_vendor(simulator).erp_version == "2"


@pytest.mark.parametrize("stale", ["", "0", "2", "x"])
def test_an_update_of_another_version_is_a_conflict(simulator, stale):
    (made,) = simulator.submit([create()])
    refusal = error(simulator, update(made.erp_id, stale))
    assert (refusal.cls, refusal.effect) == (ErrorClass.CONFLICT, Effect.NOT_APPLIED)
    assert find_vendor(simulator).data["name"] == "ACME Concrete"


@pytest.mark.parametrize("nobody", ["", "99", "nonsense", "9" * 30])
def test_an_update_of_a_vendor_that_is_not_there_is_refused(simulator, nobody):
    simulator.submit([create()])
    assert error(simulator, update(nobody, "1")).cls is ErrorClass.MISSING_REF


def test_the_id_of_a_vendor_cannot_be_changed(simulator):
    (made,) = simulator.submit([create()])
    command = replace(update(made.erp_id, "1"), acceptance={"vendor_id": "NEW"})
    refusal = error(simulator, command)
    assert (refusal.cls, refusal.field) == (ErrorClass.INVALID, "vendor_id")


def test_eight_threads_creating_one_vendor_make_one(make: Make):
    adapters = [make() for _ in range(8)]
    commands = [create(intent=f"intent-{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda pair: pair[0].submit([pair[1]])[0],
                                    zip(adapters, commands, strict=True)))  # fmt: skip
    assert sorted(outcome.erp_code for outcome in outcomes) == [""] * 7 + ["ACME"]
    refusals = {(outcome.error.cls, outcome.error.effect) for outcome in outcomes if outcome.error}
    assert refusals == {(ErrorClass.DUPLICATE, Effect.NOT_APPLIED)}
    assert len(make().pull("vendor").records) == 1
    assert len(make().ledger.effects()) == 1


def test_eight_threads_with_one_intent_get_the_same_answer(make: Make):
    adapters = [make() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda adapter: adapter.submit([create()])[0], adapters))
    assert {outcome.erp_id for outcome in outcomes} == {"1"}
    assert len(make().ledger.effects()) == 1


WORKER = """
import sys
from pathlib import Path
from threading import Barrier
from tests.adapters.conftest import create, simulator_in

simulator = simulator_in(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    (outcome,) = simulator.submit([create(f"V{number}", intent=f"{sys.argv[2]}-{number}")])
    print(outcome.erp_code or outcome.error.cls.value, flush=True)
"""


def test_two_processes_share_one_ledger_and_make_each_vendor_once(tmp_path: Path, make: Make):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 2
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    answers = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    for number, pair in enumerate(zip(*answers, strict=True)):
        assert set(pair) == {f"V{number}", "duplicate"}
    assert len(make().pull("vendor").records) == 40


def test_a_killed_process_leaves_what_was_applied(tmp_path: Path, make: Make):
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), "one"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    worker.stdin.write("\n")
    worker.stdin.flush()
    answered = [worker.stdout.readline() for _ in range(4)][1:]
    worker.kill()
    worker.communicate(timeout=60)
    assert answered == ["V0\n", "V1\n", "V2\n"]
    for number in range(3):
        assert find_vendor(make(), f"V{number}").erp_version == "1"
    assert make().check().ok


def test_ledgers_of_different_names_are_different(make: Make):
    make(ledger="north").submit([create()])
    assert make(ledger="south").find("vendor", "ACME") is None
    assert make(ledger="north").find("vendor", "ACME") is not None


def test_pulling_gives_every_vendor_once_in_pages(simulator):
    for start in range(0, 205, 20):
        end = min(start + 20, 205)
        simulator.submit([create(f"V{number}") for number in range(start, end)])
    pages = [simulator.pull("vendor")]
    while pages[-1].cursor:
        pages.append(simulator.pull("vendor", pages[-1].cursor))
    assert [len(page.records) for page in pages] == [100, 100, 5]
    codes = [record.erp_code for page in pages for record in page.records]
    assert codes == [f"V{number}" for number in range(205)]


def test_a_full_last_page_is_the_last(simulator):
    for start in range(0, 100, 20):
        simulator.submit([create(f"V{number}") for number in range(start, start + 20)])
    assert simulator.pull("vendor").cursor == ""


def test_vendor_types_are_the_ledgers(simulator):
    assert "vendor_type" in simulator.choice_kinds()
    offered = {choice.code: choice.label for choice in simulator.choices("vendor_type")}
    assert offered == VENDOR_TYPES
    assert len(offered) == 5
    for code in offered:
        command = replace(create(code), acceptance={"vendor_type": code, "vendor_id": code})
        assert simulator.submit([command])[0].error is None


def test_what_the_simulator_does_not_keep_is_refused(simulator):
    for call in (
        lambda: simulator.choices("tax_code"),
        lambda: simulator.find("project", "03"),
        lambda: simulator.pull("project"),
    ):
        with pytest.raises(AdapterError) as caught:
            call()
        assert caught.value.error.cls is ErrorClass.UNSUPPORTED


def test_the_check_tells_what_it_reached(simulator):
    simulator.submit([create()])
    health = simulator.check()
    assert health.ok
    assert health.facts == {"Ledger": "main", "Vendors": "1", "Cost codes": "0"}


@pytest.mark.parametrize(
    "setting, wrong",
    [
        ("ledger", "../main"),
        ("ledger", "a/b"),
        ("latency_ms", "soon"),
        ("latency_ms", 10_001),
        ("fault", "explode"),
        ("fault_every", "0"),
    ],
)
def test_a_wrong_setting_is_named_by_the_check(make: Make, tmp_path: Path, setting, wrong):
    label = {setting.name: setting.label for setting in SimulatorAdapter.manifest({}).settings}[
        setting
    ]
    (problem,) = make(**{setting: wrong}).check().problems
    assert problem.startswith(f"{label}:")
    assert list(tmp_path.iterdir()) == []


def test_without_a_usable_ledger_name_nothing_is_sent_or_raised(make: Make):
    simulator = make(ledger="../main")
    assert error(simulator, create()).effect is Effect.NOT_APPLIED
    with pytest.raises(AdapterError):
        simulator.find("vendor", "ACME")


@pytest.mark.parametrize("text", ["", "[]", '{"operation": "drop", "vendor": {}}',
                                  '{"operation": "create", "vendor": {"iban": ""}}'])  # fmt: skip
def test_the_ledger_refuses_messages_it_does_not_know(simulator, text):
    with pytest.raises(Refused):
        simulator.ledger.post("intent", text)


def test_the_first_use_by_many_at_once_makes_one_ledger(make: Make):
    together = Barrier(8)

    def first_use(pair: tuple[int, int]) -> bool:
        round_, number = pair
        simulator = make(ledger=f"ledger-{round_}")
        together.wait(timeout=30)
        return simulator.submit([create(f"V{number}")])[0].error is None

    with ThreadPoolExecutor(8) as threads:
        for round_ in range(10):
            assert all(threads.map(first_use, [(round_, number) for number in range(8)]))
            assert len(make(ledger=f"ledger-{round_}").pull("vendor").records) == 8
