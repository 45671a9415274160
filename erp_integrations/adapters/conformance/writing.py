"""Cases about creates and updates: one record for each key, and nothing overwritten unseen."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Barrier, Lock

from erp_integrations.adapters.base import Command, ErrorClass, Operation, Outcome
from erp_integrations.adapters.conformance.harness import Harness, cannot
from erp_integrations.adapters.conformance.require import require
from erp_integrations.adapters.conformance.steps import (
    applied,
    described,
    found,
    only_row,
    require_refused,
    require_unchanged,
    rows,
    stored,
)

NO_UPDATES = "The manifest declares no updates."


class Writing:
    """Cases that write, one record and many at once."""

    # --- many at once -----------------------------------------------------------------------

    def test_a_full_batch_arrives_complete(self, erp: Harness) -> None:
        """As many creates as the manifest declares for one call are all applied."""
        size = min(erp.entity_manifest.batches.create, erp.full_batch)
        commands = [erp.command(number) for number in range(1, size + 1)]
        outcomes = erp.deliver(*commands)
        failed = [described(outcome) for outcome in outcomes if outcome.error is not None]
        require(not failed, f"{len(failed)} of a batch of {size} failed: {failed[:3]}.", 2)
        ids = {outcome.erp_id for outcome in outcomes}
        require(len(ids) == size, f"{size} records of a batch have {len(ids)} different IDs.", 3)
        for command in commands:
            only_row(erp, command.key)

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
        failed = [described(outcome) for outcome in outcomes if outcome.error is not None]
        require(not failed, f"Manifest.concurrency is {count}, but calls failed: {failed[:3]}.", 2)
        ids = {outcome.erp_id for outcome in outcomes}
        require(len(ids) == count, f"{count} calls at once gave {len(ids)} different IDs.", 3)

    # --- no duplicates ----------------------------------------------------------------------

    def test_the_same_command_three_times_gives_one_record(self, erp: Harness) -> None:
        """Repeats return the same record, or the error DUPLICATE."""
        first = applied(erp, erp.command())
        for _ in range(2):
            (again,) = erp.deliver(erp.command())
            if again.error is None:
                require(
                    again.erp_id == first.erp_id,
                    f"A repeated create made {again.erp_id!r} besides {first.erp_id!r}.",
                    3,
                )
            else:
                require_refused(again, ErrorClass.DUPLICATE, "A repeated create")
        only_row(erp, erp.command().key)

    def test_eight_at_once_with_one_key_give_one_record(self, erp: Harness) -> None:
        """Eight threads, each with its own adapter and intent, create only one record."""
        command, start, turn = erp.command(), Barrier(8), Lock()
        rivals = [replace(command, intent=f"{command.intent}-{number}") for number in range(8)]
        race = partial(_race if erp.erp_keeps_keys_unique else _take_turns, erp, start, turn)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(race, rivals))
        only_row(erp, command.key)
        count = sum(outcome is not None and outcome.error is None for outcome in outcomes)
        require(count <= 1, f"{count} of eight creates with one key are told as applied.", 3)

    def test_record_planted_before_a_create_stays_as_it_is(self, erp: Harness) -> None:
        """A record that exists is found by the lookup, and a create does not change it."""
        command = erp.command()
        erp.plant(command, **{erp.text_field: "Entered by Hand"})
        before = rows(erp)
        if erp.manifest.can_find:
            record = erp.look(command.key)
            require(record is not None, f"{command.key} exists, and find() returns None.", 2)
        if erp.erp_keeps_keys_unique:
            (outcome,) = erp.deliver(command)
            require_refused(outcome, ErrorClass.DUPLICATE, "The create of a key that exists")
        require_unchanged(erp, before, "The create of a key that exists")

    def test_a_key_that_two_records_have_is_ambiguous(self, erp: Harness) -> None:
        """A lookup of a key that two records have returns neither of them."""
        erp.plant_twins(erp.command())
        answer = erp.look(erp.command().key)
        require(
            len(getattr(answer, "erp_ids", ())) >= 2,
            f"find() of a key that two records have must be Ambiguous; it is {answer!r}.",
            2,
        )

    # --- existing records -------------------------------------------------------------------

    def test_update_changes_the_record_and_makes_none(self, erp: Harness) -> None:
        """An update changes the record, and its version if the ERP has versions."""
        if Operation.UPDATE not in erp.entity_manifest.operations:
            cannot(NO_UPDATES)
        done = applied(erp, erp.command())
        before = found(erp, erp.command().key).data if erp.manifest.can_find else {}
        changed = erp.update(erp.command(), done, **{erp.text_field: "Changed Name"})
        again = applied(erp, changed)
        require(
            again.erp_id == done.erp_id,
            f"The update of {done.erp_id!r} is told for the ID {again.erp_id!r}.",
            3,
        )
        only_row(erp, erp.command().key)
        held = stored(erp, erp.command(), erp.text_field)
        require(held == "Changed Name", f"'Changed Name' was sent; the ERP holds {held!r}.", 3)
        if before:
            after = found(erp, erp.command().key).data
            _require_kept(erp, before, after)
        require(
            not done.erp_version or again.erp_version != done.erp_version,
            f"The record was changed, and its version is still {again.erp_version!r}.",
            3,
        )

    def test_stale_version_is_a_conflict_and_writes_nothing(self, erp: Harness) -> None:
        """An update does not overwrite what a user of the ERP has changed meanwhile."""
        if Operation.UPDATE not in erp.entity_manifest.operations:
            cannot(NO_UPDATES)
        done = applied(erp, erp.command())
        erp.change(done.erp_id)
        before = rows(erp)
        update = erp.update(erp.command(), done, **{erp.text_field: "Changed Name"})
        (outcome,) = erp.deliver(update)
        require_refused(outcome, ErrorClass.CONFLICT, "An update with an old version")
        require_unchanged(erp, before, "An update with an old version")

    def test_update_of_what_is_gone_is_a_missing_reference(self, erp: Harness) -> None:
        """An update of an ID that does not exist is refused, and makes no record."""
        if Operation.UPDATE not in erp.entity_manifest.operations:
            cannot(NO_UPDATES)
        done = applied(erp, erp.command())
        before = rows(erp)
        update = erp.update(erp.command(), done, **{erp.text_field: "Changed Name"})
        (outcome,) = erp.deliver(replace(update, erp_id=erp.missing_id))
        what = f"The update of the ID {erp.missing_id!r}, which does not exist,"
        require_refused(outcome, ErrorClass.MISSING_REF, what)
        require_unchanged(erp, before, what)


def _require_kept(erp: Harness, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Require that an update has left alone what only the approver of a create enters."""
    asked = [field.name for field in erp.entity_manifest.acceptance_fields]
    lost = {name: after.get(name) for name in asked if after.get(name) != before.get(name)}
    require(
        not lost,
        f"Command.acceptance is blank in an update, and what it stands for must stay as it is in "
        f"the ERP; the update has changed it to {lost}.",
        2,
    )


def _race(erp: Harness, start: Barrier, _turn: Lock, command: Command) -> Outcome | None:
    start.wait()
    return erp.deliver(command)[0]


def _take_turns(erp: Harness, start: Barrier, turn: Lock, command: Command) -> Outcome | None:
    """Look up, then create, one thread at a time, as the engine does."""
    start.wait()
    with turn:
        return erp.deliver(command)[0] if erp.look(command.key) is None else None
