"""An adapter that lies, writes duplicates or leaks secrets fails the conformance kit."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from erp_integrations.adapters import conformance
from erp_integrations.adapters.base import (
    AdapterError,
    Effect,
    ErpError,
    ErrorClass,
    Outcome,
    Wire,
)
from erp_integrations.adapters.conformance import AdapterConformance, CannotShow
from erp_integrations.adapters.conformance.require import SECTIONS
from erp_integrations.adapters.simulator import SimulatorAdapter
from tests.adapters import skips
from tests.adapters.test_conformance_simulator import PASSWORD, SimulatorHarness

KIT = AdapterConformance()


class Doubling(SimulatorAdapter):
    """Creates a second record when the key is taken, as an ERP without unique keys would."""

    def submit(self, commands):
        outcomes = list(super().submit(commands))
        for place, outcome in enumerate(outcomes):
            if outcome.error and outcome.error.cls is ErrorClass.DUPLICATE:
                with self.ledger.transaction() as db:
                    db.execute("UPDATE vendor SET vendor_id = vendor_id || '-OLD'")
                outcomes[place] = super().submit([commands[place]])[0]
        return outcomes


class Lying(SimulatorAdapter):
    """Reports no answer as a refusal."""

    def submit(self, commands):
        return [self.as_not_applied(outcome) for outcome in super().submit(commands)]

    def as_not_applied(self, outcome: Outcome) -> Outcome:
        error = outcome.error
        return Outcome(error=replace(error, effect=Effect.NOT_APPLIED)) if error else outcome


class Cheerful(SimulatorAdapter):
    """Reports everything as a success."""

    def submit(self, commands):
        return [Outcome(erp_id="1", erp_version="1") for _ in super().submit(commands)]


class Leaking(SimulatorAdapter):
    """Logs what it signs in with."""

    def submit(self, commands):
        self.io.logger.debug("signing in with %s", self.password)
        return super().submit(commands)


class Forgetful(SimulatorAdapter):
    """Shows less than it sends."""

    def preview(self, command):
        wire = super().preview(command)
        return Wire(wire.fields[1:], wire.text)


class Overwriting(SimulatorAdapter):
    """Updates the record on a create, and makes a stale version current."""

    def submit(self, commands):
        for command in commands:
            with self.ledger.transaction() as db:
                db.execute(
                    "UPDATE vendor SET vendor_name = ? WHERE vendor_id = ?",
                    (command.payload["name"][:30], command.key),
                )
        return super().submit(commands)


class Trimming(SimulatorAdapter):
    """Treats a ZIP code as a number."""

    def submit(self, commands):
        plain = [
            replace(command, payload={**command.payload, "zip": command.payload["zip"].lstrip("0")})
            for command in commands
        ]
        return super().submit(plain)


FAILS: list[tuple[type[SimulatorAdapter], str, dict[str, Any]]] = [
    (Doubling, "test_eight_at_once_with_one_key_give_one_record", {}),
    (Doubling, "test_record_planted_before_a_create_stays_as_it_is", {}),
    (Lying, "test_answer_lost_after_applying_is_uncertain_and_then_found", {}),
    (
        Lying,
        "test_what_is_applied_after_the_caller_gave_up_was_never_said_to_be_refused",
        {},
    ),
    (Cheerful, "test_garbage_for_an_answer_is_never_taken_for_success", {}),
    (Cheerful, "test_what_is_too_long_and_forced_through_is_invalid_and_writes_nothing", {}),
    (Cheerful, "test_revoked_credentials_are_told_apart_and_nothing_is_written", {}),
    (Cheerful, "test_throttling_is_told_apart_and_nothing_is_written", {}),
    (Cheerful, "test_one_bad_record_of_a_batch_takes_no_other_down", {}),
    (Forgetful, "test_preview_is_what_is_then_sent", {}),
    (Overwriting, "test_record_planted_before_a_create_stays_as_it_is", {}),
    (Overwriting, "test_stale_version_is_a_conflict_and_writes_nothing", {}),
    (Trimming, "test_leading_zeros_stay", {}),
]


def harness_of(adapter: type[SimulatorAdapter], folder: Path) -> SimulatorHarness:
    class Broken(SimulatorHarness):
        def adapter(self) -> SimulatorAdapter:
            return adapter(self.config, {"password": PASSWORD}, super().adapter().io)

    return Broken(folder)


@pytest.mark.parametrize(
    "adapter, case, given", FAILS, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_broken_adapter_fails(adapter, case: str, given, tmp_path: Path):
    run: Callable[..., None] = getattr(KIT, case)
    with pytest.raises(AssertionError):
        run(harness_of(adapter, tmp_path), **given)


def test_an_adapter_that_takes_the_erps_own_error_for_a_fault_of_the_record_fails(tmp_path: Path):
    class Blaming(SimulatorAdapter):
        def find(self, entity, key):
            raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, "500"))

        def pull(self, entity, cursor="", since=""):
            return self.find(entity, "")

    harness = harness_of(Blaming, tmp_path)
    harness.failing_at_questions = nullcontext
    with pytest.raises(AssertionError):
        KIT.test_a_question_that_the_erp_fails_at_can_be_asked_again(harness)


def test_an_adapter_that_logs_its_password_fails(tmp_path: Path, caplog):
    logging.getLogger("simulator").setLevel(logging.DEBUG)
    with pytest.raises(AssertionError, match=PASSWORD):
        KIT.test_secrets_are_in_no_log_line_answer_or_message(harness_of(Leaking, tmp_path), caplog)


def test_a_hook_that_is_forgotten_fails_and_is_not_skipped(tmp_path: Path):
    class Incomplete(SimulatorHarness):
        def throttling(self):
            return super(SimulatorHarness, self).throttling()

    says = r"Override Incomplete\.throttling\(\): “The ERP refuses commands with its rate limit.”"
    with pytest.raises(NotImplementedError, match=says):
        KIT.test_throttling_is_told_apart_and_nothing_is_written(Incomplete(tmp_path))


def test_what_cannot_be_shown_says_why(tmp_path: Path):
    with pytest.raises(CannotShow, match="unique by a constraint"):
        KIT.test_a_key_that_two_records_have_is_ambiguous(SimulatorHarness(tmp_path))


def test_every_case_fails_with_a_sentence():
    modules = sorted(Path(conformance.__file__).parent.glob("*.py"))
    bare = [
        f"{path.name}, line {node.lineno}"
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert bare == []


def test_sections_that_failures_name_are_those_of_the_guide():
    guide = Path("docs/write-an-adapter.md").read_text()
    headings = re.findall(r"^## (\d+)\. (.+)$", guide, re.M)
    titles = {int(number): title for number, title in headings}
    # The last ones need no case.
    assert {number: titles[number] for number in SECTIONS} == SECTIONS


@pytest.mark.parametrize(
    "reason, sentence",
    [
        ("A file has no login.", ""),
        ("It rains.", "is skipped, but not in not_shown.txt with this reason: It rains."),
        (None, "is in not_shown.txt, but it passes. Remove it there."),
    ],
)
def test_a_skip_that_is_not_listed_is_noticed(reason: str | None, sentence: str):
    allowed = skips.read(
        skips.written({"test_erp.py::TestErp::test_login": "A file has no login."})
    )
    text = skips.objection("test_erp.py::TestErp::test_login", reason, allowed)
    assert text.removeprefix("test_erp.py::TestErp::test_login ") == sentence
    assert skips.objection("test_erp.py::TestErp::test_name", None, allowed) == ""
