"""Base of parties and analytic accounts: find, fetch, create and update records.

Tryton's REST API has no conditional write (the protocol of its clients has one, but does not accept
application keys). So a record's version is a digest of the values that erpbridge knows, which is
compared with a read before each write. Changes of other values do not matter.
See docs/design/tryton.md, "Writing and its answers".
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from erp_integrations.adapters.base import (
    AdapterError,
    Ambiguous,
    Command,
    ErrorClass,
    Found,
    Operation,
    Outcome,
    Page,
    Wire,
    WireField,
)
from erp_integrations.adapters.tryton.options import Options
from erp_integrations.adapters.tryton.refusals import error
from erp_integrations.adapters.tryton.rest import Rest, Row

PAGE_SIZE = 100
# A record that was never changed may have no date of its last write.
DATES = ("create_date", "write_date")
# The parts of a point in time in Tryton's JSON.
MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")
# Digits of an ID in Tryton, which is a 32-bit integer.
LONGEST_NUMBER = 9
# A transaction of Tryton that took this long is still told by the next pull of changes: its writes
# have the time at which it began.
OVERLAP = timedelta(hours=1)
ACTIVE_OR_NOT = ["active", "in", [True, False]]
# The values of a record, as texts, flags and ids, or as Tryton's REST API has them.
Values = dict[str, Any]
# Model and name of a referenced record -> its ID in Tryton, or its name in a preview.
Refer = Callable[[str, str], object]


def text(value: object) -> str:
    """A payload value as Tryton stores texts: without blanks at the ends, lines end with LF."""
    if value is None:
        return ""
    return str(value).replace("\r\n", "\n").replace("\r", "\n").strip()


def version(data: Mapping[str, object]) -> str:
    """The version of a record: a digest of all values that erpbridge knows."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]


def moment(value: object) -> datetime:
    """A point in time as Tryton's REST API has it, in UTC.

    :raises AdapterError: for any other value.
    """
    try:
        parts = [int(value[part]) for part in MOMENT]  # type: ignore[index]  # checked here
        return datetime.combine(date(*parts[:3]), time(*parts[3:]), UTC)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as problem:
        message = "Tryton's answer has no point in time where one belongs."
        raise AdapterError(error(ErrorClass.BUG, message)) from problem


def encoded_moment(at: datetime) -> dict[str, object]:
    """A point in time for a search domain."""
    return {"__class__": "datetime", **{part: getattr(at, part) for part in MOMENT}}


def by_name(_model: str, name: str) -> str:
    """A :data:`Refer` for previews, which must not call Tryton: the name itself."""
    return name


class Records(ABC):
    """One record type: Tryton's ``model``, and the ``fields`` to read."""

    model: str
    fields: tuple[str, ...]
    # Relations whose rows hold values of the record: a change of such a row is one of the record.
    parts: tuple[str, ...] = ()
    # Names of values that are Tryton's own: no payload or acceptance field.
    own: frozenset[str] = frozenset()

    def __init__(self, rest: Rest, options: Options) -> None:
        self.rest = rest
        self.options = options

    @abstractmethod
    def wanted(self, command: Command) -> Values:
        """The record's values after the command, by the names of :meth:`data`."""

    @abstractmethod
    def wire_names(self) -> Mapping[str, str]:
        """Name of a wanted value -> Tryton's field name."""

    def given(self) -> Values:
        """Fixed values of every new record, by Tryton's field names."""
        return {}

    @abstractmethod
    def creation(self, wanted: Values, refer: Refer) -> Values:
        """The message that creates the record."""

    @abstractmethod
    def difference(self, wanted: Values, row: Row, refer: Refer) -> Values:
        """The message that updates the record; empty if nothing has changed."""

    @abstractmethod
    def data(self, row: Row) -> Values:
        """Tryton's values, by the names of payload and acceptance fields, and :attr:`own`."""

    @abstractmethod
    def everything(self) -> list[object]:
        """Search domain for all records."""

    @abstractmethod
    def refer(self, model: str, name: str) -> object:
        """Look up the ID of a referenced record.

        :raises AdapterError: MISSING_REF if there is none.
        """

    def domain(self, codes: Sequence[str]) -> list[object]:
        """Search domain for records with these codes, active or not."""
        return [["code", "in", list(codes)], *self.everything(), ACTIVE_OR_NOT]

    def preview(self, command: Command) -> Wire:
        """All values, and the message with names instead of the IDs of referenced records."""
        wanted = self.wanted(command)
        fields = tuple(
            WireField(on_wire, wanted[name], "" if name in self.own else name)
            for name, on_wire in self.wire_names().items()
            if name in wanted
        )
        if command.operation is Operation.CREATE:
            fields += tuple(WireField(name, value) for name, value in self.given().items())
        message = (
            {"active": False}
            if command.operation is Operation.DEACTIVATE
            else self.creation(wanted, by_name)
        )
        return Wire(fields, json.dumps(message, ensure_ascii=False, indent=2))

    def find(self, keys: Sequence[str]) -> list[Found | Ambiguous | None]:
        """The records with these keys, active or not; one result per key, in order.

        :raises AdapterError: if the call to Tryton fails.
        """
        codes = [text(key) for key in keys]
        by_code: dict[str, list[Row]] = {code: [] for code in codes}
        for row in self.rest.search(self.model, self.domain(codes), self.fields):
            # A database may compare without case; Tryton's codes differ by it.
            by_code.get(text(row["code"]), []).append(row)
        return [self._the_only(by_code[code]) for code in codes]

    def _the_only(self, rows: Sequence[Row]) -> Found | Ambiguous | None:
        if len(rows) > 1:
            return Ambiguous(tuple(str(row["id"]) for row in rows))
        return self.found_record(rows[0]) if rows else None

    def fetch(self, erp_id: str) -> Found | None:
        """The record with this ID, active or not.

        :raises AdapterError: if the call to Tryton fails.
        """
        if not (erp_id.isascii() and erp_id.isdecimal() and len(erp_id) <= LONGEST_NUMBER):
            return None
        domain = [["id", "=", int(erp_id)], *self.everything(), ACTIVE_OR_NOT]
        rows = self.rest.search(self.model, domain, self.fields, most=1)
        return self.found_record(rows[0]) if rows and str(rows[0]["id"]) == erp_id else None

    def found_record(self, row: Row) -> Found:
        """A row of Tryton as a value of the adapter contract."""
        data = self.data(row)
        known = {name: value for name, value in data.items() if name not in self.own}
        return Found(str(row["id"]), text(row["code"]), version(data), known)

    def page(self, cursor: str, since: str) -> Page:
        """A page of a hundred records in order of their IDs.

        :param cursor: the last ID of the page before, and the point for the end of the pull.
        :param since: a point: only records that were changed since then.
        :raises AdapterError: if the call to Tryton fails.
        """
        last_id, _, point = cursor.partition(" ")
        # Before the first page is read, so that what changes meanwhile is told by the next pull.
        point = point or self._newest_change() or since
        after = int(last_id) if last_id.isascii() and last_id.isdecimal() else 0
        domain = [*self.everything(), ["id", ">", after], ACTIVE_OR_NOT]
        if since:
            domain.append(self._changed_since(since))
        # One more than a page, to know whether there is a next one.
        rows = self.rest.search(self.model, domain, self.fields, most=PAGE_SIZE + 1)
        records = tuple(self.found_record(row) for row in rows[:PAGE_SIZE])
        if len(rows) > PAGE_SIZE:
            return Page(records, f"{records[-1].erp_id} {point}")
        return Page(records, point=point)

    def _newest_change(self) -> str:
        """When a record was last created or written, by Tryton's clock; empty if there is none."""
        newest: list[datetime] = []
        for column in DATES:
            domain = [*self.everything(), ACTIVE_OR_NOT, [column, "!=", None]]
            order = [[column, "DESC"]]
            rows = self.rest.search(self.model, domain, [column], most=1, order=order)
            newest += [moment(row[column]) for row in rows]
        return max(newest).isoformat() if newest else ""

    def _changed_since(self, point: str) -> list[object]:
        """Search domain for records that were written since a point.

        A part that was deleted in its own list, not in the form of its record, is not told.

        :raises AdapterError: for a point that is not one of :meth:`page`.
        """
        try:
            at = datetime.fromisoformat(point) - OVERLAP
        except (ValueError, OverflowError) as problem:
            message = f"“{point}” is no point in time of an earlier pull."
            raise AdapterError(error(ErrorClass.BUG, message)) from problem
        newer = [[column, ">=", encoded_moment(at)] for column in DATES]
        parts = [[part, "where", [["OR", *newer], ACTIVE_OR_NOT]] for part in self.parts]
        return ["OR", *newer, *parts]

    def carry_out(self, command: Command) -> Outcome:
        """Carry out one command.

        :raises AdapterError: if it was not applied, or perhaps not.
        """
        if command.operation is Operation.CREATE:
            return self._applied(self.create(self.wanted(command)), "created")
        row = self.rest.read(self.model, command.erp_id, self.fields)
        if command.operation is Operation.DEACTIVATE:
            message: Values = {"active": False} if row["active"] else {}
        else:
            message = self.difference(self.wanted(command), row, self.refer)
        # Before the version is compared: an update that is repeated because its answer was lost
        # finds its own values, under a version that it made itself.
        if not message:
            return self._applied(row, "unchanged")
        # Not a lock: a change in Tryton between this read and the write is overwritten.
        if command.erp_version and version(self.data(row)) != command.erp_version:
            problem = f"{text(row['code'])} was changed in Tryton since it was last seen."
            raise AdapterError(error(ErrorClass.CONFLICT, problem))
        updated = self.rest.write(self.model, command.erp_id, message, self.fields)
        return self._applied(updated, "updated", message)

    def create(self, wanted: Values) -> Row:
        """Create a record; returns Tryton's row."""
        return self.rest.create(self.model, self.creation(wanted, self.refer), self.fields)

    def _applied(self, row: Row, done: str, message: Values | None = None) -> Outcome:
        record = self.found_record(row)
        answer: Values = {"status": done, "id": record.erp_id, "code": record.erp_code}
        if message:
            answer["written"] = message
        return Outcome(
            erp_id=record.erp_id,
            erp_code=record.erp_code,
            erp_version=record.erp_version,
            answer=json.dumps(answer, ensure_ascii=False),
        )


def changed(wanted: Values, stored: Values, names: Sequence[str]) -> Values:
    """Those of the named values that differ from the held ones."""
    return {name: wanted[name] for name in names if name in wanted and wanted[name] != stored[name]}
