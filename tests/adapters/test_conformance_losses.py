"""The conformance kit fails with a sentence where an adapter or a harness would lose data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from erp_integrations.adapters.base import (
    Batches,
    Command,
    ErrorClass,
    Rule,
    RuleKind,
)
from erp_integrations.adapters.conformance import AdapterConformance, CannotShow
from tests.adapters.broken import (
    AnsweringFewer,
    AskingForTown,
    Broken,
    CountingOn,
    Cutting,
    Erasing,
    Exact,
    FindingParts,
    Forgetting,
    HidingPull,
    MissingChanges,
    NeedingPassword,
    NoLastPage,
    NotFetching,
    NotPulling,
    OnePage,
    SamePage,
    ShowingTown,
    Sorting,
    WithoutDeletions,
    WithoutPoint,
    answering,
    declaring,
    for_town,
    reading,
    unchanged,
    with_erp_names,
    with_error,
    with_rules,
)
from tests.adapters.test_conformance_bites import Lying, harness_of
from tests.adapters.test_conformance_simulator import SimulatorHarness

KIT = AdapterConformance()


def fails(harness: SimulatorHarness, case: str, sentence: str, *values: object) -> None:
    """Run a case, which has to fail with a sentence that names a section of the guide."""
    run: Callable[..., None] = getattr(KIT, case)
    with pytest.raises(AssertionError, match=sentence) as failure:
        run(harness, *values)
    assert re.search(r"See docs/write-an-adapter\.md, section [1-5], “.+”\.$", str(failure.value))


NAMES = "test_what_is_read_has_the_names_of_the_payload"
TEXTS = "test_what_is_read_has_texts_for_id_code_and_version"
PULL = "test_pull_reads_every_record_page_by_page"
DECLARED = "test_declared_fields_are_fields_of_the_payload"
LIMITS = "test_limits_of_a_call_are_within_those_of_the_contract"
RULES = "test_rules_have_a_kind_and_the_value_that_it_needs"
TOGETHER = "test_keys_that_are_looked_up_together_get_their_own_answers"
LATER = "test_a_later_pull_tells_what_is_new_and_what_was_changed_since"
CASE = "test_keys_are_compared_with_the_case_that_is_declared"
TOO_LONG = "test_what_is_too_long_and_forced_through_is_invalid_and_writes_nothing"
LONGEST = "test_longest_text_that_the_manifest_takes_arrives"
CREATED = "test_created_record_is_there_once_and_is_found"
numbered = partial(replace, erp_version=3)
LOSSES: list[tuple[str, Broken, str, str, tuple[object, ...]]] = [
    ("name of a field", declaring(for_town), DECLARED, r"Field\.name 'town' is no field", ()),
    ("source of a preview", ShowingTown, DECLARED, r"WireField\.source 'town', of 'city'", ()),
    (
        "question for an unknown name",
        AskingForTown,
        "test_nothing_is_asked_of_the_payload_that_it_never_has",
        r"asks the payload for \['town'\]",
        (),
    ),
    (
        "value that does not arrive",
        AskingForTown,
        "test_every_declared_field_arrives",
        "'Easton' was sent as city, and the ERP holds ''",
        (),
    ),
    ("pull that raises", NotPulling, PULL, "declares imports=True .* raises NotImplemented", ()),
    ("pull of one page", OnePage, PULL, "ended after page 1 without 1 of 101 records", ()),
    ("pull of the same page", SamePage, PULL, "cursor 'again' again: it never ends", ()),
    ("pull without an end", NoLastPage, PULL, "has not ended after 500 pages", ()),
    (
        "pull by a number of records",
        CountingOn,
        "test_what_is_deleted_between_two_pages_hides_no_other_record",
        r"1 was deleted after its page was read, and then pull\(\) left out \['101'\]",
        (),
    ),
    (
        "lookup of a part of the key",
        FindingParts,
        "test_a_key_that_is_a_part_of_another_key_is_not_that_key",
        "must be None where only .* exists; it returns Found",
        (),
    ),
    (
        "update that writes what the approver is not asked",
        Erasing,
        "test_update_changes_the_record_and_makes_none",
        r"the update has changed it to \{'vendor_type': ''\}",
        (),
    ),
    (
        "method that is not there",
        NotFetching,
        "test_methods_that_the_manifest_calls_for_are_there",
        "can_fetch=True, but the adapter has no fetch",
        (),
    ),
    (
        "no rules without a secret",
        NeedingPassword,
        "test_rules_can_be_asked_before_anything_is_connected",
        r"must not raise; one raises KeyError\('password'\)",
        (),
    ),
    ("pull that is hidden", HidingPull, PULL, "has to be shown, but .* Reading is for later", ()),
    *(
        (
            f"names of the ERP from {call}",
            reading(with_erp_names, call),
            NAMES,
            rf"Found\.data of {call}\(\) has values under \['vendor_name'\]",
            (call,),
        )
        for call in ("find", "find_many", "fetch", "pull")
    ),
    *(
        (
            f"number for a version from {call}",
            reading(numbered, call),
            TEXTS,
            rf"The record that {call}\(\) returns has erp_version=3; it must be a str",
            (call,),
        )
        for call in ("find", "find_many", "fetch", "pull")
    ),
    (
        "number for an ID of an outcome",
        answering(lambda outcome: replace(outcome, erp_id=7)),
        CREATED,
        "The outcome of KEY-1 has erp_id=7; it must be a str",
        (),
    ),
    (
        "number for a version of an outcome",
        answering(numbered),
        CREATED,
        "The outcome of KEY-1 has erp_version=3; it must be a str",
        (),
    ),
    (
        "case that is no difference",
        declaring(lambda entity: replace(entity, key_case_sensitive=True)),
        CASE,
        "key_case_sensitive=True, but a lookup of 'key-1' returns Found",
        (),
    ),
    ("case that is a difference", Exact, CASE, "=False, but a lookup of 'key-1' returns None", ()),
    (
        "field of an error",
        answering(lambda outcome: with_error(outcome, field="vendor_name")),
        TOO_LONG,
        "told as invalid in the field 'vendor_name', which is no payload",
        (),
    ),
    (
        "Retry-After",
        answering(lambda outcome: with_error(outcome, retry_after=None)),
        "test_throttling_is_told_apart_and_nothing_is_written",
        r"asked to wait 2 seconds, and ErpError\.retry_after is None",
        (),
    ),
    (
        "failed write told as a refusal",
        Lying,
        "test_a_write_that_the_erp_fails_at_is_uncertain",
        "failed at a write .* told as bug, not_applied",
        (),
    ),
    (
        "deadline",
        declaring(unchanged, call_deadline=3000.0),
        LIMITS,
        r"call_deadline is 3,000\.0 seconds; it must be from 1 to 300",
        (),
    ),
    (
        "batches that are too large",
        declaring(lambda entity: replace(entity, batches=Batches(find=1001))),
        LIMITS,
        r"batches\.find is 1001; it must be from 1 to 1,000",
        (),
    ),
    ("kind of a rule", with_rules(Rule("max_lenght", "name", 30)), RULES, "is no RuleKind", ()),
    (
        "value of a length",
        with_rules(Rule(RuleKind.MAX_LENGTH, "name", "30")),
        RULES,
        "has the value '30'; it must be a number from 1 up",
        (),
    ),
    (
        "value of a format",
        with_rules(Rule(RuleKind.FORMAT, "name", "[a-z")),
        RULES,
        r"has the value '\[a-z'; it must be a regular expression",
        (),
    ),
    (
        "value of a case",
        with_rules(Rule(RuleKind.CASE, "name", "title")),
        RULES,
        "has the value 'title'; it must be 'upper' or 'lower'",
        (),
    ),
    (
        "field of a rule",
        with_rules(Rule(RuleKind.MAX_LENGTH, "vendor_name", 30)),
        RULES,
        "is about the field 'vendor_name'; it must be about 'name'",
        (),
    ),
    (
        "update of what is gone",
        answering(lambda outcome: with_error(outcome, cls=ErrorClass.BUG)),
        "test_update_of_what_is_gone_is_a_missing_reference",
        "must be told as missing_ref and not_applied; it is bug, not_applied",
        (),
    ),
    (
        "limit of the text field",
        with_rules(Rule(RuleKind.PRESENT, "name")),
        "test_length_of_the_text_field_is_declared",
        "The field 'name' has no MAX_LENGTH rule",
        (),
    ),
    (
        "every limit",
        declaring(lambda e: replace(e, fields=tuple(replace(f, rules=()) for f in e.fields))),
        TOO_LONG,
        "No field of vendor has a MAX_LENGTH rule",
        (),
    ),
    (
        "limit that is too high",
        with_rules(Rule(RuleKind.MAX_LENGTH, "name", 60)),
        LONGEST,
        "The create of KEY-1 must be applied; it is invalid, not_applied",
        (),
    ),
    ("text that is cut", Cutting, LONGEST, "60 characters of name .* the ERP holds 30", ()),
    ("order of the answers", Sorting, TOGETHER, "one answer for each key, in the order", ()),
    ("key without an answer", Forgetting, TOGETHER, "answers None for KEY-3", ()),
    ("fewer answers", AnsweringFewer, TOGETHER, "gave 2 answers for", ()),
    ("change that is not told", MissingChanges, LATER, r"pull\(since=.*does not tell \['2'\]", ()),
    ("point", WithoutPoint, LATER, "must have a point", ()),
    (
        "deletion",
        WithoutDeletions,
        "test_a_later_pull_tells_what_was_deleted",
        "1 was deleted since the point",
        (),
    ),
]


@pytest.mark.parametrize(
    "adapter, case, sentence, values",
    [pytest.param(*loss, id=name) for name, *loss in LOSSES],
)
def test_an_adapter_that_loses_data_fails(
    adapter: Broken, case: str, sentence: str, values: tuple[object, ...], tmp_path: Path
):
    fails(harness_of(adapter, tmp_path), case, sentence, *values)


# --- harnesses ------------------------------------------------------------------------------


class Incomplete(SimulatorHarness):
    """Sends a vendor without the type that acceptance asks for."""

    def command(self, number: int = 1, /, **payload: Any) -> Command:
        command = super().command(number, **payload)
        return replace(command, acceptance={"vendor_id": command.key})


class Ignoring(SimulatorHarness):
    """Leaves out the values that it is given."""

    def command(self, number: int = 1, /, **payload: Any) -> Command:
        return super().command(number)


def test_a_harness_whose_command_lacks_a_required_value_fails(tmp_path: Path):
    case = "test_command_of_the_harness_is_one_that_the_manifest_takes"
    fails(Incomplete(tmp_path), case, "breaks rules: Vendor type is required")


def test_a_harness_whose_command_leaves_out_values_fails(tmp_path: Path):
    case = "test_every_declared_field_arrives"
    fails(Ignoring(tmp_path), case, r"Harness\.command\(\) leaves out \['name'")


def test_a_harness_whose_rows_have_no_key_fails(tmp_path: Path):
    class Keyless(SimulatorHarness):
        def holdings(self) -> list[dict[str, Any]]:
            return [{"erp_id": row["erp_id"]} for row in super().holdings()]

    fails(Keyless(tmp_path), CREATED, r"\['key'\] is not in \['erp_id'\]")


def test_a_harness_may_say_why_its_erp_has_no_limit(tmp_path: Path):
    unlimited = declaring(
        lambda entity: replace(entity, fields=tuple(replace(f, rules=()) for f in entity.fields))
    )
    harness = harness_of(unlimited, tmp_path)
    harness.no_limit = "Its texts are of any length."
    with pytest.raises(CannotShow, match=r"Its texts are of any length\."):
        KIT.test_what_is_too_long_is_named_before_it_is_sent(harness)


def test_a_key_without_letters_does_not_show_its_case(tmp_path: Path):
    class Numbered(SimulatorHarness):
        def command(self, number: int = 1, /, **payload: Any) -> Command:
            return replace(super().command(number, **payload), key=f"100{number}")

    with pytest.raises(CannotShow, match="has no letters"):
        KIT.test_keys_are_compared_with_the_case_that_is_declared(Numbered(tmp_path))
