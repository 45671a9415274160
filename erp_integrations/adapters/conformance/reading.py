"""Cases about what is read from the ERP: by key, by ID, page by page, and since an earlier pull."""

from __future__ import annotations

from itertools import permutations

import pytest

from erp_integrations.adapters.base import Ambiguous, Command, Delivery, Feed, Found, Outcome
from erp_integrations.adapters.conformance.delivery import require_texts
from erp_integrations.adapters.conformance.harness import Harness, cannot
from erp_integrations.adapters.conformance.require import failure, require
from erp_integrations.adapters.conformance.steps import (
    applied,
    create_many,
    declared_names,
    found,
    pages,
    pulled_since,
)
from erp_integrations.adapters.payloads import known_names

READING_CALLS = ("find", "find_many", "fetch", "pull")
NO_FEED = "The manifest declares no feed: every pull reads all records."


class Reading:
    """Cases of ``find``, ``find_many``, ``fetch`` and ``pull``."""

    @pytest.mark.parametrize("call", READING_CALLS)
    def test_what_is_read_has_the_names_of_the_payload(self, erp: Harness, call: str) -> None:
        """``Found.data`` has a value for every declared field, and no name of the ERP's own."""
        record = _read(erp, call, applied(erp, erp.command()))
        entity = erp.entity_manifest
        unknown = sorted(set(record.data) - known_names(entity))
        require(
            not unknown,
            f"Found.data of {call}() has values under {unknown}, which are no payload or "
            f"acceptance fields of {erp.entity}: the ERP's names must be translated.",
            2,
        )
        names = [field.name for field in entity.fields]
        missing = [name for name in names if name not in record.data]
        require(not missing, f"Found.data of {call}() has no value under {missing}.", 2)

    @pytest.mark.parametrize("call", READING_CALLS)
    def test_what_is_read_has_texts_for_id_code_and_version(self, erp: Harness, call: str) -> None:
        """The ID and version of an outcome are those that are read, and texts."""
        done = applied(erp, erp.command())
        record = _read(erp, call, done)
        require_texts(record, f"The record that {call}() returns")
        for name in ("erp_id", "erp_code", "erp_version"):
            read, told = getattr(record, name), getattr(done, name)
            require(
                read == told,
                f"{name} is {read!r} for {call}(), and the outcome of the create had {told!r}: "
                "they must be the same.",
                2,
            )

    def test_what_the_erp_holds_has_a_value_in_every_column(self, erp: Harness) -> None:
        """``shows`` has the key and the text field, and pulled records have a value for all."""
        entity = erp.entity_manifest
        if not entity.imports:
            cannot("The manifest says that the records of this ERP cannot be read.")
        unknown = sorted(set(entity.shows) - declared_names(entity))
        require(not unknown, f"EntityManifest.shows names {unknown}, which are not declared.", 2)
        missing = sorted({*entity.key, erp.text_field} - set(entity.shows))
        require(not missing, f"EntityManifest.shows lacks {missing}: the key and the name.", 2)
        data = _read(erp, "pull", applied(erp, erp.command())).data
        empty = [name for name in entity.shows if name not in data]
        require(not empty, f"Found.data of pull() has no value for the columns {empty}.", 2)

    def test_pull_reads_every_record_page_by_page(self, erp: Harness) -> None:
        """More records than a page holds are all read, and the pull ends."""
        if not erp.entity_manifest.imports:
            cannot("The manifest says that the records of this ERP cannot be read.")
        created = {outcome.erp_id for outcome in create_many(erp, erp.page_size + 1)}
        count, read = 0, set()
        for page in pages(erp):
            count += 1
            read |= {record.erp_id for record in page.records}
        missing = created - read
        require(
            not missing,
            f"pull() ended after page {count} without {len(missing)} of {len(created)} records, "
            f"such as the one with the ID {min(missing, default='')}.",
            2,
        )

    def test_what_is_deleted_between_two_pages_hides_no_other_record(self, erp: Harness) -> None:
        """A pull that goes on by a number of records skips one, which then counts as gone."""
        if not erp.entity_manifest.imports:
            cannot("The manifest says that the records of this ERP cannot be read.")
        created = {outcome.erp_id for outcome in create_many(erp, erp.page_size + 1)}
        read: set[str] = set()
        gone = ""
        for page in pages(erp):
            ours = created & {record.erp_id for record in page.records}
            read |= ours
            if page.cursor and ours and not gone:
                gone = min(ours)
                erp.delete(gone)
        if not gone:
            cannot("All records came on one page.")
        missing = created - read
        require(
            not missing,
            f"{gone} was deleted after its page was read, and then pull() left out "
            f"{sorted(missing)}: let a cursor name the last record, not how many were read.",
            2,
        )

    # --- by key -----------------------------------------------------------------------------

    def test_keys_that_are_looked_up_together_get_their_own_answers(self, erp: Harness) -> None:
        """``find_many`` answers for each key, in order, what ``find`` answers for it alone."""
        if not erp.manifest.can_find:
            cannot("The manifest says that the ERP cannot be asked by key.")
        # Not through the queue of a polling ERP, which is asked one key at a time.
        if erp.manifest.delivery is Delivery.POLLED:
            cannot("This ERP asks for lookups itself, one ticket each.")
        ids = {number: applied(erp, erp.command(number)).erp_id for number in (1, 3)}
        # Not in the order in which the ERP has them.
        numbers = (3, 2, 1, 4)
        keys = [erp.command(number).key for number in numbers]
        together = _found_together(erp, keys)
        for number, key, answer in zip(numbers, keys, together, strict=True):
            seen = answer.erp_id if isinstance(answer, Found) else answer
            require(
                seen == ids.get(number),
                f"find_many({keys}) answers {seen!r} for {key}; it must answer "
                f"{ids.get(number)!r}: one answer for each key, in the order of the keys.",
                2,
            )
            alone = erp.look(key)
            require(
                answer == alone,
                f"find_many answers {answer} for {key}, and find answers {alone}: they must be "
                "the same.",
                2,
            )

    def test_created_record_is_there_once_and_is_found(self, erp: Harness) -> None:
        """A created record exists once, and is found by its key."""
        done, key = applied(erp, erp.command()), erp.command().key
        ids = [str(row["erp_id"]) for row in erp.rows_with_key(key)]
        require(
            ids == [done.erp_id],
            f"One create of {key} has the ID {done.erp_id!r}, but the ERP holds {ids}.",
            3,
        )
        if erp.manifest.can_find:
            seen = found(erp, key).erp_id
            require(seen == done.erp_id, f"find({key!r}) returns {seen}, not {done.erp_id}.", 2)
            other = erp.command(2).key
            record = erp.look(other)
            require(record is None, f"find({other!r}) must be None; it returns {record!r}.", 2)

    def test_a_key_that_is_a_part_of_another_key_is_not_that_key(self, erp: Harness) -> None:
        """A lookup returns the record with the whole key; many ERPs search for a part of it."""
        part, whole = _part_and_whole(erp)
        applied(erp, whole)
        record = erp.look(part.key)
        require(
            record is None,
            f"find({part.key!r}) must be None where only {whole.key!r} exists; it returns "
            f"{record!r}. Compare the whole key of what the ERP returns.",
            2,
        )
        done = applied(erp, part)
        seen = found(erp, part.key).erp_id
        require(seen == done.erp_id, f"find({part.key!r}) returns {seen}, not {done.erp_id}.", 2)

    def test_keys_are_compared_with_the_case_that_is_declared(self, erp: Harness) -> None:
        """A key in the other case is the same key only if the manifest says so."""
        command, sensitive = erp.command(), erp.entity_manifest.key_case_sensitive
        other = command.key.swapcase()
        if other == command.key:
            cannot(f"The key {command.key!r} has no letters.")
        done = applied(erp, command)
        record = erp.look(other)
        same = isinstance(record, Found) and record.erp_id == done.erp_id
        require(
            same != sensitive,
            f"The manifest says key_case_sensitive={sensitive}, but a lookup of {other!r} returns "
            f"{record!r} where {command.key!r} exists.",
            2,
        )

    def test_a_record_is_there_under_its_id_and_no_other_under_what_is_none(
        self, erp: Harness
    ) -> None:
        """``fetch`` returns the record with an ERP ID, and None for any other string."""
        if not erp.manifest.can_fetch:
            cannot("The manifest says that the ERP cannot be asked by ID.")
        done, other = applied(erp, erp.command()), applied(erp, erp.command(2))
        record = _read(erp, "fetch", done)
        seen = (record.erp_id, record.erp_code, record.erp_version)
        told = (done.erp_id, done.erp_code, done.erp_version)
        require(seen == told, f"fetch() returns {seen} for what was created as {told}.", 2)
        for unknown in ("no such ID", "-1", "0", "9" * 50, f"{other.erp_id}x", erp.missing_id):
            answer = erp.adapter().fetch(erp.entity, unknown)
            require(
                answer is None,
                f"fetch({unknown!r}) must be None for what is no ID of the ERP; it is {answer!r}.",
                4,
            )

    # --- since an earlier pull --------------------------------------------------------------

    def test_a_later_pull_tells_what_is_new_and_what_was_changed_since(self, erp: Harness) -> None:
        """``pull(since=point)`` has every record that was created or changed since the point."""
        if erp.entity_manifest.feed is Feed.NOTHING:
            cannot(NO_FEED)
        kept, changed = applied(erp, erp.command(1)), applied(erp, erp.command(2))
        everything, point = pulled_since(erp)
        _require_told({kept, changed}, everything, "The first pull")
        require(point, "The last page of a pull must have a point, from which the next starts.", 2)
        new = applied(erp, erp.command(3))
        erp.change(changed.erp_id)
        told, later = pulled_since(erp, point)
        _require_told({new, changed}, told, "pull(since=...)")
        require(later, "The last page of a pull of changes must have a point too.", 2)
        # Pulled again and again from the newest point, nothing is lost.
        last = applied(erp, erp.command(4))
        _require_told({last}, pulled_since(erp, later)[0], "The second pull of changes")

    def test_a_later_pull_tells_what_was_deleted(self, erp: Harness) -> None:
        """With the feed "deletions", ``Page.deleted`` has the IDs that were deleted since."""
        if erp.entity_manifest.feed is not Feed.DELETIONS:
            cannot("The manifest does not declare that deletions are told.")
        done = applied(erp, erp.command())
        _records, point = pulled_since(erp)
        erp.delete(done.erp_id)
        deleted = [erp_id for page in pages(erp, point) for erp_id in page.deleted]
        require(
            done.erp_id in deleted,
            f"{done.erp_id} was deleted since the point, but Page.deleted has {deleted}.",
            2,
        )


def _part_and_whole(erp: Harness) -> tuple[Command, Command]:
    """Two commands, the key of the first a part of the key of the second."""
    commands = [erp.command(number) for number in range(1, 21)]
    pairs = [pair for pair in permutations(commands, 2) if pair[0].key in pair[1].key]
    if not pairs:
        cannot("No key of the harness is a part of another.")
    return pairs[0]


def _read(erp: Harness, call: str, done: Outcome) -> Found:
    """The record of an outcome, read by one of the calls."""
    reads = {"find": _by_key, "find_many": _together, "fetch": _by_id, "pull": _pulled}
    record = reads[call](erp, done)
    if not isinstance(record, Found):
        raise failure(
            f"{call}() must return the record {done.erp_code!r}; it returns {record!r}.", 2
        )
    return record


def _by_key(erp: Harness, _done: Outcome) -> object:
    return erp.look(erp.command().key)


def _together(erp: Harness, _done: Outcome) -> object:
    if erp.manifest.delivery is Delivery.POLLED or not erp.manifest.can_find:
        cannot("This ERP cannot be asked for several keys.")
    return _found_together(erp, [erp.command().key])[0]


def _by_id(erp: Harness, done: Outcome) -> object:
    if not erp.manifest.can_fetch:
        cannot("The manifest says that the ERP cannot be asked by ID.")
    return erp.adapter().fetch(erp.entity, done.erp_id)


def _pulled(erp: Harness, done: Outcome) -> object:
    if not erp.entity_manifest.imports:
        cannot("The manifest says that the records of this ERP cannot be read.")
    return {str(key): record for key, record in pulled_since(erp)[0].items()}.get(done.erp_id)


def _found_together(erp: Harness, keys: list[str]) -> list[Found | Ambiguous | None]:
    size = erp.entity_manifest.batches.find
    answers: list[Found | Ambiguous | None] = []
    for start in range(0, len(keys), size):
        batch = keys[start : start + size]
        part = erp.adapter().find_many(erp.entity, batch)
        require(
            len(part) == len(batch),
            f"find_many must answer once for each key; it gave {len(part)} answers for {batch}.",
            2,
        )
        answers += part
    return answers


def _require_told(outcomes: set[Outcome], told: dict[str, Found], what: str) -> None:
    missing = sorted({outcome.erp_id for outcome in outcomes} - set(told))
    require(
        not missing, f"{what} does not tell {missing}, which were created or changed before it.", 2
    )
