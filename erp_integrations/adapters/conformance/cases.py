"""Cases of the conformance kit without failures, and the class that adapters subclass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier, Lock

import pytest

from erp_integrations.adapters.base import (
    API_VERSION,
    MOST_IN_BATCH,
    Ambiguous,
    Command,
    Delivery,
    Effect,
    ErrorClass,
    Feed,
    Found,
    Operation,
    Outcome,
    Problem,
    SettingKind,
)
from erp_integrations.adapters.conformance import report
from erp_integrations.adapters.conformance.harness import Harness, cannot
from erp_integrations.adapters.conformance.trouble import Trouble
from erp_integrations.workflow.payloads.field_rules import problems

BATCH_NAMES = ("create", "update", "deactivate", "find")
# Texts that are known to break ERPs.
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
    """Subclass it in a test module, override :meth:`make_harness`, and run pytest."""

    def make_harness(self, folder: Path) -> Harness:
        """A new ERP; ``folder`` is for its files, if it has any."""
        raise NotImplementedError

    @pytest.fixture
    def erp(
        self, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Iterator[Harness]:  # pragma: no cover - wraps every case
        """The harness of this test; its ``close()`` is called at the end, if it has one."""
        report.watch(request.config)
        harness = self.make_harness(tmp_path)
        yield harness
        getattr(harness, "close", lambda: None)()

    # --- the manifest -----------------------------------------------------------------------

    def test_manifest_says_what_the_adapter_is_and_asks_for(self, erp: Harness) -> None:
        """Contract version, verification, and a key made of declared fields."""
        adapter, manifest, entity = erp.adapter(), erp.manifest, erp.entity_manifest
        assert adapter.api_version == API_VERSION, (
            f"The adapter says api_version = {adapter.api_version}; it must be {API_VERSION} "
            "(guide, section 2)."
        )
        assert manifest.key
        assert manifest.verification
        asked_fields = {field.name for field in entity.acceptance_fields}
        assert entity.key
        assert set(entity.key) <= asked_fields | {field.name for field in entity.fields}
        assert Operation.CREATE in entity.operations
        for name in BATCH_NAMES:
            size = getattr(entity.batches, name)
            assert 1 <= size <= MOST_IN_BATCH, (
                f"EntityManifest.batches.{name} is {size}; it must be from 1 to {MOST_IN_BATCH:,} "
                "(guide, section 2)."
            )
        assert manifest.concurrency >= 1, "Manifest.concurrency must be at least 1."

    def test_settings_that_say_where_a_connection_leads_are_declared(self, erp: Harness) -> None:
        """At least one setting is ``identity``, or ``no_identity`` is set; no secret is."""
        manifest = erp.manifest
        declared = [setting for setting in manifest.settings if setting.identity]
        assert [setting.name for setting in declared if setting.kind == SettingKind.SECRET] == []
        assert bool(declared) != bool(manifest.no_identity.strip())

    def test_what_the_erp_holds_has_a_value_in_every_column(self, erp: Harness) -> None:
        """``shows`` has the key and the text field, and pulled records have a value for all."""
        entity = erp.entity_manifest
        if not entity.imports:
            cannot("The records of this ERP cannot be read.")
        asked_fields = {field.name for field in entity.acceptance_fields}
        assert set(entity.shows) <= asked_fields | {field.name for field in entity.fields}
        assert {*entity.key, erp.text_field} <= set(entity.shows)
        done = applied(erp, erp.command())
        (record,) = [record for record in pulled(erp) if record.erp_id == done.erp_id]
        assert [name for name in entity.shows if name not in record.data] == []

    def test_connection_test_of_a_healthy_erp_finds_no_problem(self, erp: Harness) -> None:
        """The connection test of a new ERP passes."""
        assert erp.adapter().check().problems == ()

    def test_every_list_that_acceptance_asks_for_can_be_fetched(self, erp: Harness) -> None:
        """Every list that an acceptance field uses has values with a code and a label."""
        adapter = erp.adapter()
        kinds = {field.choices for field in erp.entity_manifest.acceptance_fields if field.choices}
        assert kinds <= set(adapter.choice_kinds())
        for kind in kinds:
            assert all(choice.code and choice.label for choice in adapter.choices(kind))
            assert adapter.choices(kind)

    def test_every_kind_that_acceptance_asks_for_is_on_its_list(self, erp: Harness) -> None:
        """Every ``group`` of an acceptance field has values, or the list has ungrouped values."""
        grouped = [field for field in erp.entity_manifest.acceptance_fields if field.group]
        if not grouped:
            cannot("No field of the manifest takes values of one kind only.")
        for field in grouped:
            groups = {choice.group for choice in erp.adapter().choices(field.choices)}
            assert groups & {field.group, ""}

    # --- many at once -----------------------------------------------------------------------

    def test_keys_that_are_looked_up_together_get_their_own_answers(self, erp: Harness) -> None:
        """``find_many`` answers for each key, in order, what ``find`` answers for it alone."""
        if not erp.manifest.can_find:
            cannot("This ERP cannot be asked by key.")
        for number in (1, 3):
            applied(erp, erp.command(number))
        keys = [erp.command(number).key for number in (1, 2, 3, 4)]
        together: list[Found | Ambiguous | None] = []
        # Not through the queue of a polling ERP, which is asked one key at a time.
        if erp.manifest.delivery is Delivery.POLLED:
            cannot("This ERP asks for lookups itself, one ticket each.")
        most = erp.entity_manifest.batches.find
        for start in range(0, len(keys), most):
            together += erp.adapter().find_many(erp.entity, keys[start : start + most])
        alone = [erp.look(key) for key in keys]
        assert together == alone, (
            f"find_many answered {together} for {keys}, and find answered {alone}: each key must "
            "get the answer that it gets alone, in the order of the keys (guide, section 2)."
        )
        assert [result is not None for result in together] == [True, False, True, False]

    def test_a_full_batch_arrives_complete(self, erp: Harness) -> None:
        """As many creates as the manifest declares for one call are all applied."""
        size = min(erp.entity_manifest.batches.create, erp.full_batch)
        commands = [erp.command(number) for number in range(1, size + 1)]
        outcomes = erp.deliver(*commands)
        failed = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert failed == [], f"{len(failed)} of a batch of {size} failed: {failed[:3]}"
        assert len({outcome.erp_id for outcome in outcomes}) == size
        for command in commands:
            assert len(erp.rows_with_key(command.key)) == 1, f"{command.key} is not there once."

    def test_as_many_calls_as_declared_may_be_open_at_the_same_time(self, erp: Harness) -> None:
        """``concurrency`` calls at once, each by an adapter of its own, are all applied."""
        count = erp.manifest.concurrency
        if count == 1:
            cannot("The manifest declares one call at a time.")
        start = Barrier(count)

        def deliver(number: int) -> Outcome:
            start.wait()
            return erp.deliver(erp.command(number))[0]

        with ThreadPoolExecutor(count) as pool:
            outcomes = list(pool.map(deliver, range(1, count + 1)))
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert errors == [], f"Manifest.concurrency is {count}, but calls failed: {errors[:3]}"
        assert len({outcome.erp_id for outcome in outcomes}) == count

    # --- what has changed -------------------------------------------------------------------

    def test_a_later_pull_tells_what_is_new_and_what_was_changed_since(self, erp: Harness) -> None:
        """``pull(since=point)`` has every record that was created or changed since the point."""
        entity = erp.entity_manifest
        if entity.feed is Feed.NOTHING:
            cannot("The manifest declares no feed: every pull reads all records.")
        kept, changed = applied(erp, erp.command(1)), applied(erp, erp.command(2))
        everything, point = pulled_since(erp)
        assert {kept.erp_id, changed.erp_id} <= set(everything), "The first pull lacks a record."
        assert point, "The last page of a pull must have a point (guide, section 2)."
        new = applied(erp, erp.command(3))
        erp.change(changed.erp_id)
        told, later = pulled_since(erp, point)
        missing = {new.erp_id, changed.erp_id} - set(told)
        assert not missing, (
            f"pull(since=...) does not tell {sorted(missing)}, created or changed since the point."
        )
        assert later, "The last page of a pull of changes must have a point too."
        # Pulled again and again from the newest point, nothing is lost.
        last = applied(erp, erp.command(4))
        assert last.erp_id in pulled_since(erp, later)[0]

    def test_a_later_pull_tells_what_was_deleted(self, erp: Harness) -> None:
        """With the feed "deletions", ``Page.deleted`` has the IDs that were deleted since."""
        if erp.entity_manifest.feed is not Feed.DELETIONS:
            cannot("The manifest does not declare that deletions are told.")
        done = applied(erp, erp.command())
        _records, point = pulled_since(erp)
        erp.delete(done.erp_id)
        page = erp.adapter().pull(erp.entity, "", point)
        assert done.erp_id in page.deleted, "The deleted record is not in Page.deleted."

    # --- no duplicates ----------------------------------------------------------------------

    def test_created_record_is_there_once_and_is_found(self, erp: Harness) -> None:
        """A created record exists once, and is found by its key."""
        done = applied(erp, erp.command())
        (row,) = erp.rows_with_key(erp.command().key)
        assert str(row["erp_id"]) == done.erp_id
        if erp.manifest.can_find:
            record = erp.look(erp.command().key)
            assert isinstance(record, Found)
            assert record.erp_id == done.erp_id
            assert erp.look(erp.command(2).key) is None

    def test_a_record_is_there_under_its_id_and_no_other_under_what_is_none(
        self, erp: Harness
    ) -> None:
        """``fetch`` returns the record with an ERP ID, and None for any other string."""
        if not erp.manifest.can_fetch:
            cannot("This ERP cannot be asked by ID.")
        done, other = applied(erp, erp.command()), applied(erp, erp.command(2))
        record = erp.adapter().fetch(erp.entity, done.erp_id)
        assert isinstance(record, Found)
        assert (record.erp_id, record.erp_code) == (done.erp_id, done.erp_code)
        assert record.erp_version == done.erp_version
        for unknown in ("no such ID", "-1", "0", "9" * 50, f"{other.erp_id}x"):
            assert erp.adapter().fetch(erp.entity, unknown) is None

    def test_the_same_command_three_times_gives_one_record(self, erp: Harness) -> None:
        """Repeats return the same record, or the error DUPLICATE."""
        first = applied(erp, erp.command())
        for _ in range(2):
            (again,) = erp.deliver(erp.command())
            if again.error is None:
                assert again.erp_id == first.erp_id
            else:
                assert again.error.cls == ErrorClass.DUPLICATE
        assert len(erp.rows_with_key(erp.command().key)) == 1

    def test_eight_at_once_with_one_key_give_one_record(self, erp: Harness) -> None:
        """Eight threads, each with its own adapter and intent, create only one record."""
        command, start, turn = erp.command(), Barrier(8), Lock()
        rivals = [replace(command, intent=f"{command.intent}-{number}") for number in range(8)]
        race = partial(_race if erp.erp_keeps_keys_unique else _take_turns, erp, start, turn)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(race, rivals))
        assert len(erp.rows_with_key(command.key)) == 1
        assert sum(outcome is not None and outcome.error is None for outcome in outcomes) <= 1

    # --- values -----------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", NASTY)
    def test_text_arrives_as_it_was_sent(self, erp: Harness, kind: str) -> None:
        """Texts are stored unchanged: not cut, trimmed, escaped or interpreted."""
        text = NASTY[kind]
        command = erp.command(**{erp.text_field: text})
        if broken(erp, command):
            cannot(f"The ERP takes no such text, and says so: {broken(erp, command)[0].message}")
        applied(erp, command)
        assert stored(erp, command, erp.text_field) == text

    def test_leading_zeros_stay(self, erp: Harness) -> None:
        """A value of digits is stored as text."""
        command = erp.command(**{erp.digits_field: "00420"})
        applied(erp, command)
        assert stored(erp, command, erp.digits_field) == "00420"

    def test_what_is_too_long_is_named_before_it_is_sent(self, erp: Harness) -> None:
        """A value that is too long breaks a rule of the manifest or of ``validate()``."""
        field, command = too_long(erp)
        assert field in {problem.field for problem in broken(erp, command)}

    def test_what_is_too_long_and_forced_through_is_invalid_and_writes_nothing(
        self, erp: Harness
    ) -> None:
        """A value that is too long is refused by the ERP or the adapter, and never cut."""
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
        """A batch returns one outcome per command in order; a bad record fails alone."""
        field, bad = too_long(erp, 2)
        first, refused, last = erp.deliver(erp.command(1), bad, erp.command(3))
        assert (first.error, last.error) == (None, None)
        assert refused.error is not None, field
        assert refused.error.effect == Effect.NOT_APPLIED
        assert [len(erp.rows_with_key(erp.command(number).key)) for number in (1, 2, 3)] == [
            1,
            0,
            1,
        ]
        assert first.erp_id != last.erp_id

    def test_preview_is_what_is_then_sent(self, erp: Harness) -> None:
        """The preview has exactly the fields and values that are sent."""
        command = erp.command(**{erp.text_field: "Smith & Sons"})
        preview = {field.erp_name: field.value for field in erp.adapter().preview(command).fields}
        applied(erp, command)
        sent = dict(erp.received())
        assert {name: preview.get(name, "not shown") for name in sent} == sent
        assert [name for name in preview if name not in sent and preview[name]] == []

    def test_preview_asks_nothing_of_the_erp(self, erp: Harness) -> None:
        """The preview is pure: the same for the same command, and nothing is written."""
        before = rows(erp)
        assert erp.adapter().preview(erp.command()) == erp.adapter().preview(erp.command())
        assert rows(erp) == before
        json.dumps([field.value for field in erp.adapter().preview(erp.command()).fields])

    # --- existing records -------------------------------------------------------------------

    def test_update_changes_the_record_and_makes_none(self, erp: Harness) -> None:
        """An update changes the record, and its version if the ERP has versions."""
        if Operation.UPDATE not in erp.entity_manifest.operations:
            cannot("The manifest declares no updates.")
        done = applied(erp, erp.command())
        changed = erp.update(erp.command(), done, **{erp.text_field: "Changed Name"})
        again = applied(erp, changed)
        assert again.erp_id == done.erp_id
        assert len(erp.rows_with_key(erp.command().key)) == 1
        assert stored(erp, erp.command(), erp.text_field) == "Changed Name"
        assert not done.erp_version or again.erp_version != done.erp_version

    def test_stale_version_is_a_conflict_and_writes_nothing(self, erp: Harness) -> None:
        """An update does not overwrite what a user of the ERP has changed meanwhile."""
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
        """A record that exists is found by the lookup, and a create does not change it."""
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
        """A lookup of a key that two records have returns neither of them."""
        erp.plant_twins(erp.command())
        result = erp.look(erp.command().key)
        assert len(getattr(result, "erp_ids", ())) >= 2


def _race(erp: Harness, start: Barrier, _turn: Lock, command: Command) -> Outcome | None:
    start.wait()
    return erp.deliver(command)[0]


def _take_turns(erp: Harness, start: Barrier, turn: Lock, command: Command) -> Outcome | None:
    """Look up, then create, one thread at a time, as the engine does."""
    start.wait()
    with turn:
        return erp.deliver(command)[0] if erp.look(command.key) is None else None


def applied(erp: Harness, command: Command) -> Outcome:
    """Deliver a command that must succeed."""
    (outcome,) = erp.deliver(command)
    assert outcome.error is None, outcome.error
    assert outcome.erp_id
    return outcome


def pulled_since(erp: Harness, since: str = "") -> tuple[dict[str, Found], str]:
    """The records of a pull by ERP ID, and the point for the next pull."""
    records: dict[str, Found] = {}
    cursor, adapter = "", erp.adapter()
    while True:
        page = adapter.pull(erp.entity, cursor, since)
        records |= {record.erp_id: record for record in page.records}
        if not page.cursor:
            return records, page.point
        cursor = page.cursor


def pulled(erp: Harness) -> list[Found]:
    """All records of the type, read page by page."""
    return list(pulled_since(erp)[0].values())


def rows(erp: Harness) -> list[tuple[object, ...]]:
    """All rows of the ERP in a comparable form, after pending commands have finished."""
    erp.settle()
    return sorted(tuple(sorted(row.items(), key=str)) for row in erp.holdings())


def stored(erp: Harness, command: Command, field: str) -> str:
    """The value of a payload field in the ERP, by lookup, or else from its only row."""
    if erp.manifest.can_find:
        record = erp.look(command.key)
        assert isinstance(record, Found)
        return str(record.data[field])
    names = {declared.name: declared.erp_name for declared in erp.entity_manifest.fields}
    (row,) = erp.rows_with_key(command.key)
    return str(row[names[field]])


def broken(erp: Harness, command: Command) -> Sequence[Problem]:
    """All rules that a command breaks, of the manifest and of the adapter."""
    declared = problems(erp.entity_manifest, command.payload, command.acceptance)
    return [*declared, *erp.adapter().validate(command)]


def too_long(erp: Harness, number: int = 1) -> tuple[str, Command]:
    """A command with one character too many in the first field that has a limit."""
    entity = erp.entity_manifest
    limits = ((field.name, entity.max_length(field.name)) for field in entity.fields)
    name, most = next(((name, most) for name, most in limits if most), ("", 0))
    if not most:
        cannot("No field of the manifest has a limit.")
    return name, erp.command(number, **{name: "x" * (most + 1)})
