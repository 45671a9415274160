"""What parties and analytic accounts have in common: finding, creating, changing the difference.

Tryton's REST API has no conditional write (its clients' protocol has one, but takes no
application keys). So a record's version is a digest of the values that erpbridge knows: a change
of any of them is noticed in the read that precedes a write, a change of others is none of ours.
See docs/design/tryton.md, "Writing and its answers".
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
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
# Digits of an ID of Tryton, which is a 32-bit integer.
LONGEST_NUMBER = 9
ACTIVE_OR_NOT = ["active", "in", [True, False]]
Values = dict[str, Any]
# What a message calls a record of another model, as what Tryton calls it: its ID.
Refer = Callable[[str, str], Any]


def text(value: Any) -> str:
    """A payload value as Tryton keeps texts: without blanks around it."""
    if value is None:
        return ""
    return str(value).replace("\r\n", "\n").replace("\r", "\n").strip()


def version(data: Mapping[str, Any]) -> str:
    """A digest of everything that erpbridge knows of a record."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]


def by_name(_model: str, name: str) -> str:
    """References as the preview shows them."""
    return name


class Records(ABC):
    """One kind of record in Tryton: ``model``, and the ``fields`` to read of it."""

    model: str
    fields: tuple[str, ...]

    def __init__(self, rest: Rest, options: Options) -> None:
        self.rest = rest
        self.options = options

    @abstractmethod
    def wanted(self, command: Command) -> Values:
        """What the command wants the record to hold, by the names of :meth:`data`."""

    @abstractmethod
    def wire_names(self) -> Mapping[str, str]:
        """Tryton's name of every wanted value."""

    def given(self) -> Values:
        """What every new record gets, whatever the command says, by Tryton's names."""
        return {}

    @abstractmethod
    def creation(self, wanted: Values, refer: Refer) -> Values:
        """The message that creates the record."""

    @abstractmethod
    def difference(self, wanted: Values, row: Row, refer: Refer) -> Values:
        """The message that turns the record into what is wanted; empty where it is."""

    @abstractmethod
    def data(self, row: Row) -> Values:
        """What Tryton holds, by the names of the payload and the acceptance values."""

    @abstractmethod
    def domain(self, key: str) -> list[Any]:
        """How to search for a key."""

    @abstractmethod
    def everything(self) -> list[Any]:
        """How to search for all records."""

    @abstractmethod
    def refer(self, model: str, name: str) -> Any:
        """Tryton's ID of what the record refers to. :raises AdapterError: missing reference."""

    def preview(self, command: Command) -> Wire:
        """Every value, and the message; references by name, for looking them up is no preview."""
        wanted = self.wanted(command)
        fields = tuple(
            WireField(on_wire, wanted[name], name)
            for name, on_wire in self.wire_names().items()
            if name in wanted
        )
        if command.operation is Operation.CREATE:
            fields += tuple(WireField(*one) for one in self.given().items())
        message = (
            {"active": False}
            if command.operation is Operation.DEACTIVATE
            else self.creation(wanted, by_name)
        )
        return Wire(fields, json.dumps(message, ensure_ascii=False, indent=2))

    def find(self, key: str) -> Found | Ambiguous | None:
        """The record with this key, active or not. :raises AdapterError:"""
        rows = self.rest.search(self.model, self.domain(text(key)), self.fields, most=10)
        if len(rows) > 1:
            return Ambiguous(tuple(str(row["id"]) for row in rows))
        return self.found(rows[0]) if rows else None

    def fetch(self, erp_id: str) -> Found | None:
        """The record with this number, active or not. :raises AdapterError:"""
        if not (erp_id.isascii() and erp_id.isdecimal() and len(erp_id) <= LONGEST_NUMBER):
            return None
        domain = [["id", "=", int(erp_id)], *self.everything(), ACTIVE_OR_NOT]
        rows = self.rest.search(self.model, domain, self.fields, most=1)
        return self.found(rows[0]) if rows and str(rows[0]["id"]) == erp_id else None

    def found(self, row: Row) -> Found:
        """A record in the words of the contract."""
        data = self.data(row)
        return Found(str(row["id"]), text(row["code"]), version(data), data)

    def page(self, cursor: str) -> Page:
        """A hundred records after the one called ``cursor``. :raises AdapterError:"""
        after = int(cursor) if cursor.isascii() and cursor.isdecimal() else 0
        domain = [*self.everything(), ["id", ">", after], ACTIVE_OR_NOT]
        rows = self.rest.search(self.model, domain, self.fields, most=PAGE_SIZE + 1)
        records = tuple(self.found(row) for row in rows[:PAGE_SIZE])
        return Page(records, records[-1].erp_id if len(rows) > PAGE_SIZE else "")

    def carry_out(self, command: Command) -> Outcome:
        """One command. :raises AdapterError: for what became of it otherwise."""
        if command.operation is Operation.CREATE:
            return self._applied(self.create(self.wanted(command)), "created")
        row = self.rest.read(self.model, command.erp_id, self.fields)
        if command.operation is Operation.DEACTIVATE:
            message: Values = {"active": False} if row["active"] else {}
        else:
            message = self.difference(self.wanted(command), row, self.refer)
        if not message:
            return self._applied(row, "unchanged")
        if command.erp_version and version(self.data(row)) != command.erp_version:
            said = f"{text(row['code'])} was changed in Tryton since it was last seen."
            raise AdapterError(error(ErrorClass.CONFLICT, said))
        changed = self.rest.write(self.model, command.erp_id, message, self.fields)
        return self._applied(changed, "updated", message)

    def create(self, wanted: Values) -> Row:
        """A new record, as Tryton holds it then."""
        return self.rest.create(self.model, self.creation(wanted, self.refer), self.fields)

    def _applied(self, row: Row, done: str, message: Values | None = None) -> Outcome:
        found = self.found(row)
        answer: Values = {"status": done, "id": found.erp_id, "code": found.erp_code}
        if message:
            answer["written"] = message
        return Outcome(
            erp_id=found.erp_id,
            erp_code=found.erp_code,
            erp_version=found.erp_version,
            answer=json.dumps(answer, ensure_ascii=False),
        )


def changed(wanted: Values, held: Values, names: Sequence[str]) -> dict[str, Any]:
    """Those of the named values that are wanted and not held."""
    return {name: wanted[name] for name in names if name in wanted and wanted[name] != held[name]}
