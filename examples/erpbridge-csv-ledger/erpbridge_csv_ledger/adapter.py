"""The adapter: converts between erpbridge's adapter contract and the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from erp_integrations.adapters.base import (
    AcceptanceField,
    Adapter,
    AdapterError,
    Ambiguous,
    Batches,
    Choice,
    Command,
    Delivery,
    Effect,
    EntityManifest,
    ErpError,
    ErrorClass,
    Field,
    Found,
    Health,
    Io,
    Manifest,
    Operation,
    Outcome,
    Page,
    Problem,
    Rule,
    RuleKind,
    Setting,
    SettingKind,
    Wire,
    WireField,
)

from erpbridge_csv_ledger.ledger import Busy, Ledger, Row, Unreadable

FIELDS = (
    Field(
        "name",
        "Name",
        "name",
        (Rule(RuleKind.PRESENT, "name"), Rule(RuleKind.MAX_LENGTH, "name", 40)),
    ),
    Field("address", "Address", "street", (Rule(RuleKind.MAX_LENGTH, "address", 40),)),
    Field("zip", "ZIP", "zip", (Rule(RuleKind.MAX_LENGTH, "zip", 10),)),
)
CODE = AcceptanceField(
    "code",
    "Vendor code",
    rules=(Rule(RuleKind.MAX_LENGTH, "code", 12), Rule(RuleKind.CHARSET, "code", "A-Z0-9-")),
    proposal="mnemonic",
)
MANIFEST = Manifest(
    key="csv-ledger",
    label="CSV ledger",
    short_name="CSV",
    vendor="Example",
    tested_versions="1",
    delivery=Delivery.SYNC,
    verification="An example: a vendor list in a CSV file, tested with the conformance kit.",
    entities={
        "vendor": EntityManifest(
            entity="vendor",
            label="Vendor",
            operations=frozenset({Operation.CREATE, Operation.UPDATE}),
            fields=FIELDS,
            key=("code",),
            key_case_sensitive=True,
            acceptance_fields=(CODE,),
            imports=True,
            batches=Batches(create=50, update=50, find=200),
            shows=("code", "name", "address", "zip"),
        )
    },
    settings=(
        Setting(
            "patience", "Seconds to wait for the file", kind=SettingKind.INTEGER, default=5, most=10
        ),
    ),
    can_fetch=True,
    no_identity="The list is always the file in the folder that erpbridge gives the account.",
)


class CsvLedgerAdapter(Adapter):
    """Adapter of a CSV file in the adapter's folder."""

    api_version = 2

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], io: Io) -> None:
        super().__init__(config, secrets, io)
        self.ledger = Ledger(io.folder, float(config.get("patience", 5)))

    @classmethod
    def manifest(cls, config: Mapping[str, Any]) -> Manifest:
        """The manifest, which is the same for every configuration."""
        return MANIFEST

    def check(self) -> Health:
        """Check that the file can be read."""
        try:
            return Health(facts={"Vendors": str(len(self.ledger.rows()))})
        except (OSError, ValueError, Unreadable) as error:
            return Health((f"{error} Put the vendor list in order, then test again.",))

    def choice_kinds(self) -> Sequence[str]:
        """The ledger has no lists."""
        return ()

    def choices(self, kind: str) -> Sequence[Choice]:
        """:raises AdapterError: always."""
        raise AdapterError(_error(ErrorClass.UNSUPPORTED, f"There is no list “{kind}”."))

    def validate(self, command: Command) -> Sequence[Problem]:
        """No rules besides the manifest's."""
        return ()

    def preview(self, command: Command) -> Wire:
        """The cells of the row that :meth:`submit` writes."""
        cells = _cells(command)
        sources = {field.erp_name: field.name for field in FIELDS} | {"code": "code"}
        fields = tuple(WireField(name, value, sources[name]) for name, value in cells.items())
        return Wire(fields, json.dumps(cells, ensure_ascii=False, indent=2))

    def find(self, entity: str, key: str) -> Found | Ambiguous | None:
        """The vendor with this code.

        :raises AdapterError: if the file cannot be read.
        """
        return self.find_many(entity, [key])[0]

    def find_many(self, entity: str, keys: Sequence[str]) -> Sequence[Found | Ambiguous | None]:
        """The vendors with these codes, from one reading of the file.

        :raises AdapterError: if the file cannot be read.
        """
        rows = self._read()
        return [_the_only([row for row in rows if row["code"] == key.strip()]) for key in keys]

    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """The vendor with this number.

        :raises AdapterError: if the file cannot be read.
        """
        return next((_found(row) for row in self._read() if row["number"] == erp_id), None)

    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Write all commands at once; an invalid command does not affect the others."""
        try:
            with self.ledger.writing() as rows:
                return [_carry_out(rows, command) for command in commands]
        except Busy as busy:
            error = _error(ErrorClass.TRANSIENT, str(busy))
        except (ValueError, Unreadable) as problem:
            error = _error(ErrorClass.BUG, f"The vendor list cannot be read: {problem}")
        except OSError as problem:
            # Uncertain, because the file may have been replaced already.
            error = ErpError(ErrorClass.TRANSIENT, Effect.UNCERTAIN, str(problem))
        return [Outcome(error=error)] * len(commands)

    def pull(self, entity: str, cursor: str = "", since: str = "") -> Page:
        """All vendors in one page; the file does not say what has changed since.

        :raises AdapterError: if the file cannot be read.
        """
        return Page(tuple(_found(row) for row in self._read()))

    def _read(self) -> list[Row]:
        try:
            return self.ledger.rows()
        except (OSError, ValueError, Unreadable) as problem:
            message = f"The vendor list cannot be read: {problem}"
            raise AdapterError(_error(ErrorClass.BUG, message)) from problem


def _error(cls: ErrorClass, message: str, field: str = "") -> ErpError:
    return ErpError(cls, Effect.NOT_APPLIED, message, field=field)


def _cells(command: Command) -> Row:
    values = {field.erp_name: str(command.payload.get(field.name) or "") for field in FIELDS}
    code = str(command.acceptance.get("code") or command.key)
    return {"code": code, **values}


def _carry_out(rows: list[Row], command: Command) -> Outcome:
    cells = _cells(command)
    entity = MANIFEST.entities[command.entity]
    for field in FIELDS:
        most = entity.max_length(field.name)
        if most is not None and len(cells[field.erp_name]) > most:
            message = f"{field.erp_name} holds at most {most} characters."
            return Outcome(error=_error(ErrorClass.INVALID, message, field.name))
    if command.operation is Operation.UPDATE:
        return _update(rows, command, cells)
    if any(row["code"] == cells["code"] for row in rows):
        duplicate = _error(ErrorClass.DUPLICATE, f"{cells['code']} is there already.", "code")
        return Outcome(error=duplicate)
    number = max((int(row["number"]) for row in rows), default=0) + 1
    rows.append({"number": str(number), "version": "1", **cells})
    return _done(rows[-1])


def _update(rows: list[Row], command: Command, cells: Row) -> Outcome:
    row = next((row for row in rows if row["number"] == command.erp_id), None)
    if row is None:
        return Outcome(error=_error(ErrorClass.MISSING_REF, "The vendor is no longer there."))
    if row["version"] != command.erp_version:
        return Outcome(error=_error(ErrorClass.CONFLICT, "Somebody changed the vendor meanwhile."))
    row |= cells
    row["version"] = str(int(row["version"]) + 1)
    return _done(row)


def _done(row: Row) -> Outcome:
    return Outcome(row["number"], row["code"], row["version"], json.dumps(row))


def _the_only(rows: list[Row]) -> Found | Ambiguous | None:
    if len(rows) > 1:
        return Ambiguous(tuple(row["number"] for row in rows))
    return _found(rows[0]) if rows else None


def _found(row: Row) -> Found:
    data = {field.name: row[field.erp_name] for field in FIELDS} | {"code": row["code"]}
    return Found(row["number"], row["code"], row["version"], data)
