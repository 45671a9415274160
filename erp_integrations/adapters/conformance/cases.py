"""What an adapter must show while nothing goes wrong, and the class that adapters subclass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pytest

from erp_integrations.adapters.base import (
    API_VERSION,
    Command,
    Effect,
    ErrorClass,
    Found,
    Operation,
    Outcome,
    Problem,
)
from erp_integrations.adapters.conformance import report
from erp_integrations.adapters.conformance.harness import Harness, cannot
from erp_integrations.adapters.conformance.trouble import Trouble
from erp_integrations.workflow.payloads.field_rules import problems

# Values that break somebody's ERP. The key characters stand alone too, for an ERP may trim.
NASTY = {
    "letters with accents": "Ærø Čapek Łódź Ñandú",
    "other scripts": "東京 Ελλάδα",
    "beyond the basic plane": "Crane \U0001f3d7 Co",
    "ampersand": "Smith & Sons",
    "comma": "Smith, Jones, LLC",
    "colon": "Unit 4: Concrete",
    "semicolon and tab-free bar": "A;B|C",
    "straight quotes": """O'Brien "Best" Co""",
    "typographic quotes": "“Best” ‘Co’",  # noqa: RUF001 - these are the quotes
    "markup": "<b>Bold</b> &amp;",
    "back-slash and percent": r"C:\new %s {0}",
    "formula": "=1+1",
    "signs in front": "+Plus @At -Minus",
}


class AdapterConformance(Trouble):
    """Subclass it in a test module, override :meth:`make_harness`, and let pytest run it."""

    def make_harness(self, folder: Path) -> Harness:
        """A fresh ERP whose files, if it has any, are in ``folder``."""
        raise NotImplementedError

    @pytest.fixture
    def erp(
        self, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Iterator[Harness]:  # pragma: no cover - wraps every case
        """The harness of this test. Closed with ``close()`` if it has that."""
        report.watch(request.config)
        harness = self.make_harness(tmp_path)
        yield harness
        getattr(harness, "close", lambda: None)()

    # --- what it declares -------------------------------------------------------------------

    def test_manifest_says_what_the_adapter_is_and_asks_for(self, erp: Harness) -> None:
        """Contract version, verification in words, a key that is among the fields it asks for."""
        adapter, manifest, entity = erp.adapter(), erp.manifest, erp.entity_manifest
        assert adapter.api_version == API_VERSION
        assert manifest.key
        assert manifest.verification
        asked = {one.name for one in entity.acceptance_fields}
        assert entity.key
        assert set(entity.key) <= asked | {one.name for one in entity.fields}
        assert Operation.CREATE in entity.operations
        assert entity.batch >= 1

    def test_settings_that_say_where_a_connection_leads_are_declared(self, erp: Harness) -> None:
        """One at least is ``identity``, or ``no_identity`` says why none; a secret never is."""
        manifest = erp.manifest
        declared = [one for one in manifest.settings if one.identity]
        assert [one.name for one in declared if one.kind == "secret"] == []
        assert bool(declared) != bool(manifest.no_identity.strip())

    def test_what_the_erp_holds_has_a_value_in_every_column(self, erp: Harness) -> None:
        """``shows`` names the key and the field for text, and records that are pulled have all."""
        entity = erp.entity_manifest
        if not entity.imports:
            cannot("The records of this ERP cannot be read.")
        asked = {one.name for one in entity.acceptance_fields}
        assert set(entity.shows) <= asked | {one.name for one in entity.fields}
        assert {*entity.key, erp.text_field} <= set(entity.shows)
        done = applied(erp, erp.command())
        (record,) = [one for one in pulled(erp) if one.erp_id == done.erp_id]
        assert [name for name in entity.shows if name not in record.data] == []

    def test_connection_test_of_a_healthy_erp_finds_no_problem(self, erp: Harness) -> None:
        """Everything is there in a fresh ERP."""
        assert erp.adapter().check().problems == ()

    def test_every_list_that_acceptance_asks_for_can_be_fetched(self, erp: Harness) -> None:
        """An acceptance field with choices has some to offer."""
        adapter = erp.adapter()
        kinds = {one.choices for one in erp.entity_manifest.acceptance_fields if one.choices}
        assert kinds <= set(adapter.choice_kinds())
        for kind in kinds:
            assert all(one.code and one.label for one in adapter.choices(kind))
            assert adapter.choices(kind)

    def test_every_kind_that_acceptance_asks_for_is_on_its_list(self, erp: Harness) -> None:
        """A field with a ``group`` has values of it to offer, or of no kind that the ERP tells."""
        grouped = [one for one in erp.entity_manifest.acceptance_fields if one.group]
        if not grouped:
            cannot("No field of the manifest takes values of one kind only.")
        for one in grouped:
            groups = {choice.group for choice in erp.adapter().choices(one.choices)}
            assert groups & {one.group, ""}

    # --- once -------------------------------------------------------------------------------

    def test_created_record_is_there_once_and_is_found(self, erp: Harness) -> None:
        """The plain good case."""
        done = applied(erp, erp.command())
        (row,) = erp.held(erp.command().key)
        assert str(row["erp_id"]) == done.erp_id
        if erp.manifest.can_find:
            found = erp.look(erp.command().key)
            assert isinstance(found, Found)
            assert found.erp_id == done.erp_id
            assert erp.look(erp.command(2).key) is None

    def test_a_record_is_there_under_its_id_and_no_other_under_what_is_none(
        self, erp: Harness
    ) -> None:
        """By an ID that a program named the right record is found, or none."""
        if not erp.manifest.can_fetch:
            cannot("This ERP cannot be asked by ID.")
        done, other = applied(erp, erp.command()), applied(erp, erp.command(2))
        found = erp.adapter().fetch(erp.entity, done.erp_id)
        assert isinstance(found, Found)
        assert (found.erp_id, found.erp_code) == (done.erp_id, done.erp_code)
        assert found.erp_version == done.erp_version
        for nobody in ("no such ID", "-1", "0", "9" * 50, f"{other.erp_id}x"):
            assert erp.adapter().fetch(erp.entity, nobody) is None

    def test_the_same_command_three_times_gives_one_record(self, erp: Harness) -> None:
        """The second and third answer with the same record, or that it is there already."""
        first = applied(erp, erp.command())
        for _ in range(2):
            (again,) = erp.deliver(erp.command())
            if again.error is None:
                assert again.erp_id == first.erp_id
            else:
                assert again.error.cls == ErrorClass.DUPLICATE
        assert len(erp.held(erp.command().key)) == 1

    def test_eight_at_once_with_one_key_give_one_record(self, erp: Harness) -> None:
        """Each with an intent of its own, from a thread of its own, with an adapter of its own."""
        command, start, turn = erp.command(), Barrier(8), Lock()
        rivals = [replace(command, intent=f"{command.intent}-{one}") for one in range(8)]
        race = partial(_race if erp.erp_keeps_keys_unique else _take_turns, erp, start, turn)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(race, rivals))
        assert len(erp.held(command.key)) == 1
        assert sum(one is not None and one.error is None for one in outcomes) <= 1

    # --- values -----------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", NASTY)
    def test_text_arrives_as_it_was_sent(self, erp: Harness, kind: str) -> None:
        """Nothing is cut, escaped twice, trimmed or run."""
        text = NASTY[kind]
        command = erp.command(**{erp.text_field: text})
        if broken(erp, command):
            cannot(f"The ERP takes no such text, and says so: {broken(erp, command)[0].message}")
        applied(erp, command)
        assert stored(erp, command, erp.text_field) == text

    def test_leading_zeros_stay(self, erp: Harness) -> None:
        """A code of digits is text."""
        command = erp.command(**{erp.digits_field: "00420"})
        applied(erp, command)
        assert stored(erp, command, erp.digits_field) == "00420"

    def test_what_is_too_long_is_named_before_it_is_sent(self, erp: Harness) -> None:
        """By the rules of the manifest or by ``validate()``."""
        field, command = too_long(erp)
        assert field in {one.field for one in broken(erp, command)}

    def test_what_is_too_long_and_forced_through_is_invalid_and_writes_nothing(
        self, erp: Harness
    ) -> None:
        """An ERP that would cut it silently needs an adapter that refuses it."""
        _field, command = too_long(erp)
        before = rows(erp)
        (outcome,) = erp.deliver(command)
        assert outcome.error is not None
        assert (outcome.error.cls, outcome.error.effect) == (
            ErrorClass.INVALID,
            Effect.NOT_APPLIED,
        )
        assert rows(erp) == before

    def test_one_bad_record_of_a_batch_takes_no_other_down(self, erp: Harness) -> None:
        """One outcome each, in order."""
        field, bad = too_long(erp, 2)
        first, refused, last = erp.deliver(erp.command(1), bad, erp.command(3))
        assert (first.error, last.error) == (None, None)
        assert refused.error is not None, field
        assert refused.error.effect == Effect.NOT_APPLIED
        assert [len(erp.held(erp.command(one).key)) for one in (1, 2, 3)] == [1, 0, 1]
        assert first.erp_id != last.erp_id

    def test_preview_is_what_is_then_sent(self, erp: Harness) -> None:
        """Every field that is written is in the preview with the same value, and none beside."""
        command = erp.command(**{erp.text_field: "Smith & Sons"})
        preview = {one.erp_name: one.value for one in erp.adapter().preview(command).fields}
        applied(erp, command)
        sent = dict(erp.received())
        assert {name: preview.get(name, "not shown") for name in sent} == sent
        assert [name for name in preview if name not in sent and preview[name]] == []

    def test_preview_asks_nothing_of_the_erp(self, erp: Harness) -> None:
        """It is pure: the same for the same command, and nothing is written."""
        before = rows(erp)
        assert erp.adapter().preview(erp.command()) == erp.adapter().preview(erp.command())
        assert rows(erp) == before
        json.dumps([one.value for one in erp.adapter().preview(erp.command()).fields])

    # --- what is there already --------------------------------------------------------------

    def test_update_changes_the_record_and_makes_none(self, erp: Harness) -> None:
        """And gives it another version, where the ERP has versions."""
        if Operation.UPDATE not in erp.entity_manifest.operations:
            cannot("The manifest declares no updates.")
        done = applied(erp, erp.command())
        changed = erp.update(erp.command(), done, **{erp.text_field: "Changed Name"})
        again = applied(erp, changed)
        assert again.erp_id == done.erp_id
        assert len(erp.held(erp.command().key)) == 1
        assert stored(erp, erp.command(), erp.text_field) == "Changed Name"
        assert not done.erp_version or again.erp_version != done.erp_version

    def test_stale_version_is_a_conflict_and_writes_nothing(self, erp: Harness) -> None:
        """What a person changed at the ERP meanwhile is not overwritten."""
        done = applied(erp, erp.command())
        erp.change(done.erp_id)
        before = rows(erp)
        (outcome,) = erp.deliver(
            erp.update(erp.command(), done, **{erp.text_field: "Changed Name"})
        )
        assert outcome.error is not None
        assert (outcome.error.cls, outcome.error.effect) == (
            ErrorClass.CONFLICT,
            Effect.NOT_APPLIED,
        )
        assert rows(erp) == before

    def test_record_planted_before_a_create_stays_as_it_is(self, erp: Harness) -> None:
        """The look shows it; a create forced through all the same does not write to it."""
        command = erp.command()
        erp.plant(command, **{erp.text_field: "Entered by Hand"})
        before = rows(erp)
        if erp.manifest.can_find:
            assert erp.look(command.key) is not None
        if erp.erp_keeps_keys_unique:
            (outcome,) = erp.deliver(command)
            assert outcome.error is not None
            assert (outcome.error.cls, outcome.error.effect) == (
                ErrorClass.DUPLICATE,
                Effect.NOT_APPLIED,
            )
        assert rows(erp) == before

    def test_a_key_that_two_records_have_is_ambiguous(self, erp: Harness) -> None:
        """No one of them is picked."""
        erp.plant_twins(erp.command())
        found = erp.look(erp.command().key)
        assert len(getattr(found, "erp_ids", ())) >= 2


def _race(erp: Harness, start: Barrier, _turn: Lock, command: Command) -> Outcome | None:
    start.wait()
    return erp.deliver(command)[0]


def _take_turns(erp: Harness, start: Barrier, turn: Lock, command: Command) -> Outcome | None:
    """As the engine does for an ERP that would take a key twice: one at a time, after a look."""
    start.wait()
    with turn:
        return erp.deliver(command)[0] if erp.look(command.key) is None else None


def applied(erp: Harness, command: Command) -> Outcome:
    """Deliver a command that must succeed."""
    (outcome,) = erp.deliver(command)
    assert outcome.error is None, outcome.error
    assert outcome.erp_id
    return outcome


def pulled(erp: Harness) -> list[Found]:
    """All records of the type, page by page."""
    found: list[Found] = []
    adapter, cursor = erp.adapter(), ""
    while True:
        page = adapter.pull(erp.entity, cursor)
        found += page.records
        cursor = page.cursor
        if not cursor:
            return found


def rows(erp: Harness) -> list[tuple[Any, ...]]:
    """Everything the ERP holds, as something to compare, once it has settled."""
    erp.settle()
    return sorted(tuple(sorted(row.items(), key=str)) for row in erp.holdings())


def stored(erp: Harness, command: Command, field: str) -> str:
    """A payload field as the ERP holds it: by a look, or else in its only row."""
    if erp.manifest.can_find:
        found = erp.look(command.key)
        assert isinstance(found, Found)
        return str(found.data[field])
    names = {one.name: one.erp_name for one in erp.entity_manifest.fields}
    (row,) = erp.held(command.key)
    return str(row[names[field]])


def broken(erp: Harness, command: Command) -> Sequence[Problem]:
    """Every rule that a command breaks, of the manifest and of the adapter."""
    declared = problems(erp.entity_manifest, command.payload, command.acceptance)
    return [*declared, *erp.adapter().validate(command)]


def too_long(erp: Harness, number: int = 1) -> tuple[str, Command]:
    """A command with one character too many in the first field that has a limit."""
    entity = erp.entity_manifest
    limits = ((one.name, entity.max_length(one.name)) for one in entity.fields)
    name, most = next(((name, most) for name, most in limits if most), ("", 0))
    if not most:
        cannot("No field of the manifest has a limit.")
    return name, erp.command(number, **{name: "x" * (most + 1)})
