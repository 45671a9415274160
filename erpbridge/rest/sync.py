"""``PATCH …/sync``: many rows in one call (docs/design/procore-rest-conventions.md, "Sync").

A row is found by ``id``, else by ``origin_id``, else it is new; with both, ``id`` finds and
``origin_id`` is changed. One bad row never stops the others, and the answer is always 200.

The call is one transaction, in which the view has locked the account: two callers with the same new
rows do not both find them missing. Nothing of a refused row stays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import QuerySet

from erpbridge.db.busy import retried, trouble_of
from erpbridge.rest.errors import ApiError, Invalid, Malformed
from erpbridge.rest.pagination import Shape
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.bodies import Reader
from erpbridge.rest.responses import JsonAnswer

MOST_ROWS = 1_000
# Rows of a transaction, where a sync is carried out in several.
BATCH = 100
# Rows of one record that are stored one after the other.
MANY_OF_ONE = 20
NO_SUCH_ID = {"id": ["Entity with this ID not found"]}
TAKEN_JUST_NOW = {"base": ["was stored by somebody else at this moment. Read it again."]}


@dataclass
class SyncRow:
    """One row: as sent, which record it is, and what is wrong with it.

    ``pk`` is None for a record to create, and is set by who creates it.
    """

    given: Mapping[str, Any]
    pk: int | None = None
    origin_id: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, errors: Mapping[str, list[str]]) -> None:
        """Note what is wrong."""
        for name, messages in errors.items():
            self.errors.setdefault(name, []).extend(messages)


class Records(ABC):
    """The records that rows can name, and what is done with them.

    ``origin`` is the column that holds their origin id, or the path to it; ``identity`` the
    one that holds what callers know as their id.
    """

    origin = "origin_id"
    identity = "pk"
    # The readers of the fields of a row.
    readers: Mapping[str, Reader] = {}

    @abstractmethod
    def found(self) -> QuerySet[Any]:
        """Those that the caller can see."""

    @abstractmethod
    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and update; no two rows are the same record. Sets ``pk``, or notes errors.

        Of a row with errors nothing is stored (:func:`without_refused`).
        """


def without_refused(rows: Sequence[SyncRow], store: Callable[[Sequence[SyncRow]], None]) -> None:
    """Store rows together; those that turn out to be wrong are left out, and nothing of them stays.

    ``store`` notes errors on rows; whatever it wrote with them is taken back and done again without
    them. Where a constraint of the database refuses all of them, each is tried for itself.
    """
    left = list(rows)
    while left:
        new = [row for row in left if row.pk is None]
        try:
            with transaction.atomic():
                store(left)
                refused = any(row.errors for row in left)
                transaction.set_rollback(refused)
        except IntegrityError:
            _forget(new)
            _one_by_one(left, store)
            return
        if not refused:
            return
        _forget(new)
        left = [row for row in left if not row.errors]


def _one_by_one(rows: Sequence[SyncRow], store: Callable[[Sequence[SyncRow]], None]) -> None:
    if len(rows) == 1:
        rows[0].refuse(TAKEN_JUST_NOW)
        return
    for row in rows:
        without_refused([row], store)


def _forget(new: Sequence[SyncRow]) -> None:
    """What was created is gone again."""
    for row in new:
        row.pk = None


def store_one(records: Records, row: SyncRow) -> int:
    """Store the one row of a call that is no sync; returns the id of its record.

    :raises Invalid: 422 with what stands against it.
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
    """Carry out a sync.

    :param hold: with it, the rows are stored in batches, each in a transaction of its own in which
        this locks what has to be locked; without it, in the transaction of the caller.
    :raises Malformed: for anything but a list of objects.
    :raises ApiError: 413 for more than 1,000 rows.
    """
    rows = [SyncRow(given) for given in _checked(updates)]
    if hold is None:
        _store(rows, records)
    else:
        _store_in_batches(rows, records, hold)
    done = [row.pk for row in rows if row.pk is not None and not row.errors]
    shown = shape(done)
    return JsonAnswer(
        {
            "entities": [shown[pk] for pk in done if pk in shown],
            "errors": [{**row.given, "errors": row.errors} for row in rows if row.errors],
        }
    )


def _store_in_batches(rows: Sequence[SyncRow], records: Records, hold: Callable[[], None]) -> None:
    """What is stored stays where the database cannot take a later batch now, which is refused."""
    for start in range(0, len(rows), BATCH):
        try:
            _store_batch(batch := rows[start : start + BATCH], records, hold)
        except OperationalError as error:
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
    """Store what can be stored; what a row gives up, such as its origin id, a later row takes."""
    readable = [row for row in rows if _readable(row)]
    said_again = _said_again(readable, records)
    left = [row for row in readable if id(row) not in said_again]
    while left:
        for wave in _waves(left, records):
            records.store(wave)
        left = _to_try_again(left, records)
        for row in left:
            row.pk, row.errors = None, {}
    for row in readable:
        if (last := said_again.get(id(row))) is not None:
            row.pk = last.pk
            row.refuse(last.errors)


def _said_again(rows: Sequence[SyncRow], records: Records) -> dict[int, SyncRow]:
    """Rows of which nothing would be left, and the row that counts in their place.

    Only of a record that comes so often that the rows before the last one can hardly be meant.
    """
    often = Counter(map(_finder, rows))
    last: dict[object, SyncRow] = {}
    found: dict[int, SyncRow] = {}
    for row in reversed(rows):
        finder = _finder(row)
        if finder is None or often[finder] <= MANY_OF_ONE or _is_unreadable(row, records):
            continue
        later = last.setdefault(finder, row)
        if later is not row and row.given.keys() <= later.given.keys():
            found[id(row)] = later
    return found


def _to_try_again(rows: Sequence[SyncRow], records: Records) -> list[SyncRow]:
    """Refused rows behind one that was stored; not where a later row of the record was stored."""
    stored = [place for place, row in enumerate(rows) if not row.errors]
    latest = {_finder(rows[place]): place for place in stored}
    return [
        row
        for place, row in enumerate(rows)
        if row.errors
        and stored
        and stored[0] < place
        and latest.get(_finder(row) or id(row), -1) < place
        and row.errors != NO_SUCH_ID
        and not _is_unreadable(row, records)
    ]


def _finder(row: SyncRow) -> object:
    """What the row's record is found by; None for one that is new in any case."""
    given = bodies.whole(row.given.get("id"))
    return given if given is not None else row.origin_id or None


def _is_unreadable(row: SyncRow, records: Records) -> bool:
    """Whether a field of the row is wrong, whatever else there is."""
    return bool(bodies.read(row.given, records.readers)[1])


def _checked(updates: object) -> list[Mapping[str, Any]]:
    if not isinstance(updates, list):
        raise Malformed({"updates": ["must be a list"]})
    if len(updates) > MOST_ROWS:
        message = f"has {len(updates):,} rows; the limit is {MOST_ROWS:,}"
        raise ApiError(413, {"updates": [message]})
    if not all(isinstance(one, Mapping) for one in updates):
        raise Malformed({"updates": ["must hold only objects"]})
    return updates


def _waves(rows: Sequence[SyncRow], records: Records) -> Iterator[list[SyncRow]]:
    """Rows that can be stored together; a record that comes again waits for the next wave."""
    left = list(rows)
    while left:
        _identify(left, records)
        seen: set[object] = set()
        wave: list[SyncRow] = []
        later: list[SyncRow] = []
        for row in left:
            if row.errors:
                continue
            keys = {key for key in (row.pk, row.origin_id) if key}
            (later if keys & seen else wave).append(row)
            seen |= keys
        if wave:
            yield wave
        for row in later:
            row.pk = None
        left = later


def _readable(row: SyncRow) -> bool:
    """Read both ids; an unreadable one is the row's error."""
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
    asked = {one for one in ids.values() if one is not None}
    named = records.found().filter(**{f"{records.identity}__in": asked})
    known = dict(named.values_list(records.identity, "pk"))
    wanted = {row.origin_id for row in rows if ids[id(row)] is None and row.origin_id}
    carried = records.found().filter(**{f"{records.origin}__in": wanted})
    origins = dict(carried.values_list(records.origin, "pk"))
    for row in rows:
        given = ids[id(row)]
        if given is None:
            row.pk = origins.get(row.origin_id)
        elif given in known:
            row.pk = known[given]
        else:
            row.refuse(NO_SUCH_ID)
