"""``PATCH …/sync``: many rows in one call (docs/design/procore-rest-conventions.md, "Sync").

A row is matched by ``id``, else by ``origin_id``, else it is new. With both, ``id`` matches and
``origin_id`` is changed. An invalid row never stops the others, and the status is always 200.

The call is one transaction in which the view has locked the account, so that two callers who send
the same new rows cannot both find them missing. Rejected rows leave nothing behind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Model, QuerySet

from erpbridge.db.among import among
from erpbridge.db.busy import retried, trouble_of
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.pagination import Shape
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.bodies import Reader
from erpbridge.rest.requests.rows import SentRow, many_answer, refuse_too_many
from erpbridge.rest.responses import JsonAnswer

# Rows per transaction, when a sync runs in several.
BATCH = 100
# Most rows of one record that are saved one after the other.
MANY_OF_ONE = 20
NO_SUCH_ID = {"id": ["Entity with this ID not found"]}
TAKEN_JUST_NOW = {"base": ["was stored by somebody else at this moment. Read it again."]}


@dataclass(eq=False)
class SyncRow(SentRow):
    """One row: as sent, the record it belongs to, and its errors."""

    origin_id: str = ""


class Records(ABC):
    """The records that rows can refer to, and how they are saved.

    ``origin`` is the column of the origin id, or the path to it; ``identity`` is the column that
    API clients know as the id.
    """

    origin = "origin_id"
    identity = "pk"
    # Readers of a row's fields.
    readers: Mapping[str, Reader[object]] = {}

    @abstractmethod
    def visible(self) -> QuerySet[Model]:
        """Return the records that the caller can see."""

    @abstractmethod
    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and update records; no two rows are the same record. Sets ``pk``, or adds errors.

        Nothing is saved of a row with errors (:func:`without_refused`).
        """


def without_refused(rows: Sequence[SyncRow], store: Callable[[Sequence[SyncRow]], None]) -> None:
    """Save rows together, leaving out those that turn out to be invalid.

    ``store`` adds errors to rows; its transaction is then rolled back and repeated without those
    rows. If a database constraint fails, the rows are tried one by one.
    """
    remaining = list(rows)
    while remaining:
        new = [row for row in remaining if row.pk is None]
        try:
            with transaction.atomic():
                store(remaining)
                refused = any(row.errors for row in remaining)
                # Rolls back to the savepoint; the caller's transaction continues.
                transaction.set_rollback(refused)
        except IntegrityError:
            _clear_created(new)
            _one_by_one(remaining, store)
            return
        if not refused:
            return
        _clear_created(new)
        remaining = [row for row in remaining if not row.errors]


def _one_by_one(rows: Sequence[SyncRow], store: Callable[[Sequence[SyncRow]], None]) -> None:
    if len(rows) == 1:
        rows[0].refuse(TAKEN_JUST_NOW)
        return
    for row in rows:
        without_refused([row], store)


def _clear_created(new: Sequence[SyncRow]) -> None:
    """Reset the ids of rows whose creation was rolled back."""
    for row in new:
        row.pk = None


def store_one(records: Records, row: SyncRow) -> int:
    """Save the row of a call that is not a sync. Return the id of its record.

    :raises Invalid: 422 with the row's errors.
    """
    records.store([row])
    if row.errors or row.pk is None:
        raise Invalid(row.errors)
    return row.pk


def answer(
    updates: object,
    records: Records,
    shape: Shape,
    *,
    hold: Callable[[], None] | None = None,
) -> JsonAnswer:
    """Run a sync and return its response.

    :param hold: if given, rows are saved in batches, each in its own transaction, in which this
        function takes the locks; if not, everything runs in the caller's transaction.
    :raises Malformed: for anything but a list of objects.
    :raises ApiError: 413 for more than 1,000 rows.
    """
    rows = [SyncRow(values) for values in _checked(updates)]
    if hold is None:
        _store(rows, records)
    else:
        _store_in_batches(rows, records, hold)
    return many_answer(rows, shape)


def _store_in_batches(rows: Sequence[SyncRow], records: Records, hold: Callable[[], None]) -> None:
    """Save in batches. If the database fails in a later batch, earlier ones stay saved."""
    for start in range(0, len(rows), BATCH):
        try:
            _store_batch(batch := rows[start : start + BATCH], records, hold)
        except OperationalError as error:
            # Nothing is saved yet in the first batch, so the whole call can fail with 503.
            if start == 0 or (trouble := trouble_of(error)) is None:
                raise
            for row in batch:
                row.pk, row.errors = None, {"base": [trouble.text]}


@retried
def _store_batch(rows: Sequence[SyncRow], records: Records, hold: Callable[[], None]) -> None:
    for row in rows:
        row.pk, row.errors = None, {}
    with transaction.atomic():
        hold()
        _store(rows, records)


def _store(rows: Sequence[SyncRow], records: Records) -> None:
    """Save what is valid. What one row releases, such as an origin id, a later row can take."""
    readable = [row for row in rows if _read_ids(row)]
    superseded = _superseded(readable, records)
    remaining = [row for row in readable if id(row) not in superseded]
    while remaining:
        # The loop ends, because only a round that saved a row is followed by another.
        for wave in _waves(remaining, records):
            records.store(wave)
        remaining = _to_try_again(remaining, records)
        for row in remaining:
            row.pk, row.errors = None, {}
    for row in readable:
        if (last := superseded.get(id(row))) is not None:
            row.pk = last.pk
            row.refuse(last.errors)


def _superseded(rows: Sequence[SyncRow], records: Records) -> dict[int, SyncRow]:
    """Return rows whose every field a later row of the same record sets, with that row.

    Only for records with more than ``MANY_OF_ONE`` rows, which would be slow one after the other.
    """
    counts = Counter(map(_finder, rows))
    last: dict[object, SyncRow] = {}
    superseded: dict[int, SyncRow] = {}
    # From the end, so that a row is compared with the last one of its record.
    for row in reversed(rows):
        finder = _finder(row)
        if finder is None or counts[finder] <= MANY_OF_ONE or _is_unreadable(row, records):
            continue
        later = last.setdefault(finder, row)
        if later is not row and row.given.keys() <= later.given.keys():
            superseded[id(row)] = later
    return superseded


def _to_try_again(rows: Sequence[SyncRow], records: Records) -> list[SyncRow]:
    """Return rejected rows after a saved one, which may have released what they need.

    Not rows of a record that a later row has already changed.
    """
    stored = [position for position, row in enumerate(rows) if not row.errors]
    latest = {_finder(rows[position]): position for position in stored}
    return [
        row
        for position, row in enumerate(rows)
        if row.errors
        and stored
        and stored[0] < position
        and latest.get(_finder(row) or id(row), -1) < position
        and row.errors != NO_SUCH_ID
        and not _is_unreadable(row, records)
    ]


def _finder(row: SyncRow) -> object:
    """Return what the row's record is matched by; None if it is certainly new."""
    record_id = bodies.whole(row.given.get("id"))
    return record_id if record_id is not None else row.origin_id or None


def _is_unreadable(row: SyncRow, records: Records) -> bool:
    """Whether a field of the row is invalid by itself."""
    return bool(bodies.read(row.given, records.readers)[1])


def _checked(updates: object) -> list[Mapping[str, object]]:
    if not isinstance(updates, list):
        raise Malformed({"updates": ["must be a list"]})
    refuse_too_many(updates, "updates")
    if not all(isinstance(row, Mapping) for row in updates):
        raise Malformed({"updates": ["must hold only objects"]})
    return updates


def _waves(rows: Sequence[SyncRow], records: Records) -> Iterator[list[SyncRow]]:
    """Yield rows that can be saved together; a record that appears again waits for the next."""
    remaining = list(rows)
    while remaining:
        _identify(remaining, records)
        seen: set[object] = set()
        wave: list[SyncRow] = []
        later: list[SyncRow] = []
        for row in remaining:
            if row.errors:
                continue
            keys = {key for key in (row.pk, row.origin_id) if key}
            (later if keys & seen else wave).append(row)
            seen |= keys
        # All rows of a wave may have errors.
        if wave:
            yield wave
        # Looked up again in its own wave: the one before may have created its record.
        for row in later:
            row.pk = None
        remaining = later


def _read_ids(row: SyncRow) -> bool:
    """Parse both ids, adding errors to the row. Return whether they are valid."""
    for name, reader in (("id", bodies.whole), ("origin_id", bodies.identifier(200))):
        try:
            reader(row.given.get(name))
        except ValidationError as error:
            row.refuse({name: list(error.messages)})
    if not row.errors:
        row.origin_id = bodies.plain(row.given.get("origin_id"))
    return not row.errors


def _identify(rows: list[SyncRow], records: Records) -> None:
    ids = {id(row): bodies.whole(row.given.get("id")) for row in rows}
    requested = {record_id for record_id in ids.values() if record_id is not None}
    by_id = records.visible().filter(among(records.identity, requested))
    # Two queries for all rows, not two per row.
    pk_of_id = dict(by_id.values_list(records.identity, "pk"))
    origin_ids = {row.origin_id for row in rows if ids[id(row)] is None and row.origin_id}
    by_origin = records.visible().filter(**{f"{records.origin}__in": origin_ids})
    pk_of_origin = dict(by_origin.values_list(records.origin, "pk"))
    for row in rows:
        record_id = ids[id(row)]
        if record_id is None:
            row.pk = pk_of_origin.get(row.origin_id)
        elif record_id in pk_of_id:
            row.pk = pk_of_id[record_id]
        else:
            row.refuse(NO_SUCH_ID)
