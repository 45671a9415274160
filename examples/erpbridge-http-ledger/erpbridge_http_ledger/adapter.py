"""The adapter: converts between erpbridge's adapter contract and the ledger's HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Ambiguous,
    Choice,
    Command,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Health,
    Io,
    Manifest,
    Operation,
    Outcome,
    Page,
    Problem,
    Wire,
    WireField,
)

from erpbridge_http_ledger.api import Api, Row, outcome
from erpbridge_http_ledger.manifest import ACCOUNT, CODE, FIELDS, MANIFEST, NAMES, TYPE

LONGEST_NUMBER = 9


class HttpLedgerAdapter(Adapter):
    """Adapter of a ledger that is called over HTTP."""

    api_version = 2

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], io: Io) -> None:
        super().__init__(config, secrets, io)
        key = str(secrets.get("key") or "").strip()
        self.problem = ""
        # It becomes a header, which takes printable ASCII only.
        if not (key and key.isascii() and key.isprintable()):
            self.problem = "API key: enter the key of the ledger."
            key = ""
        self.api = Api(str(config.get("url") or ""), key, io)

    @classmethod
    def manifest(cls, config: Mapping[str, Any]) -> Manifest:
        """The manifest, which is the same for every configuration."""
        return MANIFEST

    def check(self) -> Health:
        """Ask the ledger for its name."""
        try:
            ledger = self._called().ledger()
        except AdapterError as problem:
            error = problem.error
            return Health((f"{error.message} {error.advice}".strip(),))
        return Health(facts={"Ledger": ledger["name"], "Vendors": str(ledger.get("vendors"))})

    def choice_kinds(self) -> Sequence[str]:
        """Vendor types and accounts."""
        return (TYPE, ACCOUNT)

    def choices(self, kind: str) -> Sequence[Choice]:
        """The ledger's vendor types, or its accounts with their kinds.

        :raises AdapterError: for another list, or if the call fails.
        """
        if kind == TYPE:
            return tuple(Choice(row["code"], row["name"]) for row in self._called().types())
        if kind == ACCOUNT:
            accounts = self._called().accounts()
            return tuple(Choice(row["code"], row["name"], row["kind"]) for row in accounts)
        raise AdapterError(_error(ErrorClass.UNSUPPORTED, f"The ledger has no list “{kind}”."))

    def validate(self, command: Command) -> Sequence[Problem]:
        """No rules besides the manifest's."""
        return ()

    def preview(self, command: Command) -> Wire:
        """The columns that :meth:`submit` sends."""
        columns = _columns(command)
        fields = tuple(WireField(name, value, NAMES[name]) for name, value in columns.items())
        return Wire(fields, json.dumps(columns, ensure_ascii=False, indent=2))

    def find(self, entity: str, key: str) -> Found | Ambiguous | None:
        """The vendor with this code.

        :raises AdapterError: if the call fails.
        """
        return self.find_many(entity, [key])[0]

    def find_many(self, entity: str, keys: Sequence[str]) -> Sequence[Found | Ambiguous | None]:
        """The vendors with these codes, in one call.

        :raises AdapterError: if the call fails.
        """
        rows = self._called().with_codes(keys)
        return [_the_only([row for row in rows if row["code"] == key]) for key in keys]

    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """The vendor with this number.

        :raises AdapterError: if the call fails.
        """
        # It becomes a part of the address, so nothing but digits may pass.
        if not (erp_id.isascii() and erp_id.isdecimal() and len(erp_id) <= LONGEST_NUMBER):
            return None
        vendor = self._called().vendor(erp_id)
        return _found(vendor) if vendor and str(vendor["id"]) == erp_id else None

    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Send all commands in one call; the ledger answers for each of them."""
        try:
            rows = [_row(command) for command in commands]
            results, answer = self._called().write(commands[0].operation.value, rows)
        except AdapterError as problem:
            return [Outcome(error=problem.error)] * len(commands)
        return [outcome(result, answer) for result in results]

    def pull(self, entity: str, cursor: str = "", since: str = "") -> Page:
        """A page of what changed after a number of the ledger's sequence; from 0 that is all.

        :raises AdapterError: if the call fails.
        """
        vendors, page = self._called().changes(cursor or since or "0")
        records = tuple(_found(row) for row in vendors)
        # Also without since: what is deleted while the pages are read was on an earlier one.
        deleted = tuple(str(number) for number in page.get("deleted") or ())
        reached = str(page["next"])
        if page.get("more"):
            return Page(records, cursor=reached, deleted=deleted)
        return Page(records, point=reached, deleted=deleted)

    def _called(self) -> Api:
        """The ledger's API.

        :raises AdapterError: if the settings do not suffice to call it.
        """
        if self.problem:
            raise AdapterError(_error(ErrorClass.SETUP, self.problem))
        return self.api


def _error(cls: ErrorClass, message: str) -> ErpError:
    return ErpError(cls, Effect.NOT_APPLIED, message)


def _columns(command: Command) -> Row:
    """The ledger's columns of a command."""
    if command.operation is Operation.DEACTIVATE:
        return {"active": False}
    payload = command.payload
    texts = {
        field.erp_name: str(payload.get(field.name) or "")
        for field in FIELDS
        if field.name != "is_active"
    }
    columns = {**texts, "active": bool(payload.get("is_active", True))}
    if command.operation is Operation.UPDATE:
        # The approver is asked for nothing: what is not named stays as it is in the ledger.
        return columns
    given = command.acceptance
    # In a preview before acceptance there is no key, and perhaps a proposal.
    code = command.key or str(given.get(CODE) or "")
    lists = {"type": str(given.get(TYPE) or ""), "account": str(given.get(ACCOUNT) or "")}
    return {"code": code, **lists, **columns}


def _row(command: Command) -> Row:
    """A row of a write. ``intent`` is the key under which the ledger remembers its answer."""
    row: dict[str, Any] = {"key": command.intent, "vendor": dict(_columns(command))}
    if command.operation is not Operation.CREATE:
        row |= {"id": command.erp_id, "version": command.erp_version}
    return row


def _the_only(rows: Sequence[Row]) -> Found | Ambiguous | None:
    if len(rows) > 1:
        return Ambiguous(tuple(str(row["id"]) for row in rows))
    return _found(rows[0]) if rows else None


def _found(row: Row) -> Found:
    data = {name: row[column] for column, name in NAMES.items()}
    return Found(str(row["id"]), str(row["code"]), str(row["version"]), data)
