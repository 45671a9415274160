"""The simulator's adapter: messages to the ledger, and its answers in the words of the contract."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from stdnum.us import ein

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
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
from erp_integrations.adapters.simulator.faults import (
    ERRORS,
    LATE_SECONDS,
    NO_ANSWER,
    Fault,
    strike,
)
from erp_integrations.adapters.simulator.ledger import (
    BUSY_SECONDS,
    Ledger,
    LedgerDown,
    Refused,
    Vendor,
    row_number,
)
from erp_integrations.adapters.simulator.manifest import (
    ENTITY,
    FIELDS,
    MANIFEST,
    VENDOR_ID,
    VENDOR_TYPE,
    manifest_of,
)
from erp_integrations.adapters.simulator.options import read_options

PAGE_SIZE = 100
# Later than this a busy ledger could answer after the deadline of the call.
TIME_TO_START = MANIFEST.call_deadline - BUSY_SECONDS - 1
SOURCES = {one.erp_name: one.name for one in FIELDS} | {
    VENDOR_TYPE: VENDOR_TYPE,
    VENDOR_ID: VENDOR_ID,
}
CLASSES = {
    "E1001": ErrorClass.DUPLICATE,
    "E1005": ErrorClass.MISSING_REF,
    "E1007": ErrorClass.CONFLICT,
    "E1008": ErrorClass.MISSING_REF,
    "E1009": ErrorClass.BUG,
    "E1010": ErrorClass.BUG,
}
ADVICE = {
    "E1001": "Link to the vendor that is there, or choose another ID.",
    "E1005": "Refresh the list of vendor types and choose one of them.",
    "E1007": "Look at what changed in the ERP, then send again.",
    "E1008": "The vendor was removed from the ERP; unlink the company and send it anew.",
}


class SimulatorAdapter(Adapter):
    """A vendor ledger that comes with erpbridge, for trying out and for tests."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], io: Io) -> None:
        super().__init__(config, secrets, io)
        self.options = read_options(config)
        self.ledger = Ledger(io.folder, self.options.ledger)

    @classmethod
    def manifest(cls, config: Mapping[str, Any]) -> Manifest:
        """The same under every configuration, but for how late the ledger may write."""
        return manifest_of(config)

    def check(self) -> Health:
        """Settings in order, and the ledger can be written to."""
        if self.options.problems:
            return Health(self.options.problems)
        try:
            with self._reached() as ledger:
                with ledger.transaction():
                    pass
                facts = {"Ledger": self.options.ledger, "Vendors": str(ledger.count())}
        except AdapterError as error:
            return Health((f"{error} Check the server that holds the ledger, then test again.",))
        if self.options.plan.kind is not Fault.NONE:
            facts["Switched-on fault"] = self.options.plan.kind.value
        return Health(facts=facts)

    def choice_kinds(self) -> Sequence[str]:
        """Vendor types are the ledger's only list."""
        return (VENDOR_TYPE,)

    def choices(self, kind: str) -> Sequence[Choice]:
        """The ledger's vendor types. :raises AdapterError:"""
        if kind != VENDOR_TYPE:
            raise AdapterError(_unsupported(f"The simulator has no list called “{kind}”."))
        with self._reached() as ledger:
            return tuple(Choice(code, label) for code, label in ledger.vendor_types().items())

    def validate(self, command: Command) -> Sequence[Problem]:
        """A tax ID said to be an EIN must be one."""
        tax_id = _tax_id(command.payload)
        if not tax_id or ein.is_valid(tax_id):
            return ()
        message = f"Tax ID {tax_id} is not a valid EIN: nine digits that the IRS gives out."
        return (Problem("entity_id", "format", message, tax_id, "EIN"),)

    def preview(self, command: Command) -> Wire:
        """The message as :meth:`submit` hands it to the ledger."""
        message = _message(command)
        fields = tuple(
            WireField(column, value, SOURCES[column]) for column, value in message["vendor"].items()
        )
        return Wire(fields, json.dumps(message, ensure_ascii=False, indent=2))

    def find(self, entity: str, key: str) -> Found | None:
        """The vendor with this ID in any case; the ledger never has two. :raises AdapterError:"""
        _require_vendor(entity)
        with self._reached() as ledger:
            vendor = ledger.vendor(key.strip())
        return None if vendor is None else _found(vendor)

    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Post the commands one by one; when the ledger goes away the rest is not tried."""
        started = self.io.clock()
        self._travel()
        outcomes: list[Outcome] = []
        try:
            hits = strike(self._named_ledger(), self.options.plan, commands)
            for place, command in enumerate(commands):
                if self.io.clock() - started > TIME_TO_START:
                    raise LedgerDown("The simulator is too slow; this vendor was not sent.")
                outcomes.append(self._carry_out(command, hits.on(place)))
        except AdapterError as error:
            return [Outcome(error=error.error)] * len(commands)
        except LedgerDown as down:
            outcomes.append(Outcome(error=_down(down)))
            unsent = Outcome(error=_down(LedgerDown(str(down))))
            outcomes += [unsent] * (len(commands) - len(outcomes))
        return outcomes[: len(commands)]

    def pull(self, entity: str, cursor: str = "") -> Page:
        """A hundred vendors, oldest first. :raises AdapterError:"""
        _require_vendor(entity)
        with self._reached() as ledger:
            vendors = ledger.page(row_number(cursor), PAGE_SIZE + 1)
        records = tuple(_found(one) for one in vendors[:PAGE_SIZE])
        return Page(records, records[-1].erp_id if len(vendors) > PAGE_SIZE else "")

    def _carry_out(self, command: Command, fault: Fault) -> Outcome:
        if command.entity != ENTITY or command.operation is Operation.DEACTIVATE:
            wish = f"{command.operation.value} a {command.entity}"
            return Outcome(error=_unsupported(f"The simulator cannot {wish}."))
        if fault in ERRORS:
            return Outcome(error=ERRORS[fault])
        try:
            outcome = self._written(command, late=fault is Fault.LATE)
        except Refused as refused:
            outcome = Outcome(error=_refusal(refused))
        silent = fault in (Fault.TIMEOUT_AFTER, Fault.LATE)
        return Outcome(error=NO_ANSWER) if silent else outcome

    def _written(self, command: Command, *, late: bool) -> Outcome:
        """:raises Refused:"""
        text = self.preview(command).text
        if late:
            return Outcome(handle=self.ledger.enqueue(command.intent, text, wait=LATE_SECONDS))
        return _applied(self.ledger.post(command.intent, text))

    def _travel(self) -> None:
        time.sleep(self.options.latency)

    def _named_ledger(self) -> Ledger:
        if not self.options.ledger:
            raise AdapterError(_unsupported(self.options.problems[0]))
        return self.ledger

    @contextmanager
    def _reached(self) -> Iterator[Ledger]:
        self._travel()
        if self.options.plan.shuts_out:
            raise AdapterError(ERRORS[self.options.plan.kind])
        try:
            yield self._named_ledger()
        except LedgerDown as down:
            raise AdapterError(_down(down)) from down


def _message(command: Command) -> dict[str, Any]:
    """The one place where a command becomes what is written.

    Blank acceptance values of an update are left out, so that the ledger keeps what it has.
    """
    values = {one.erp_name: _text(command.payload.get(one.name)) for one in FIELDS}
    values["tax_id"] = _tax_id(command.payload)
    accepted = {
        VENDOR_TYPE: _text(command.acceptance.get(VENDOR_TYPE)),
        VENDOR_ID: (_text(command.acceptance.get(VENDOR_ID)) or command.key).strip().upper(),
    }
    if command.operation is Operation.CREATE:
        return {"operation": "create", "vendor": values | accepted}
    values |= {column: value for column, value in accepted.items() if value}
    message = {"operation": "update", "id": command.erp_id, "version": command.erp_version}
    return {**message, "vendor": values}


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if text.strip() else ""


def _tax_id(payload: Mapping[str, Any]) -> str:
    """The ledger keeps US employer numbers only; another kind of number is not sent."""
    is_ein = _text(payload.get("entity_type")).strip().lower() == "ein"
    return _text(payload.get("entity_id")).strip() if is_ein else ""


def _applied(vendor: Vendor) -> Outcome:
    number, code, version = str(vendor.id), vendor.values[VENDOR_ID], str(vendor.version)
    answer = json.dumps({"id": number, "vendor_id": code, "version": version})
    return Outcome(erp_id=number, erp_code=code, erp_version=version, answer=answer)


def _found(vendor: Vendor) -> Found:
    data = {SOURCES[column]: value for column, value in vendor.values.items()}
    data["entity_type"] = "ein" if vendor.values["tax_id"] else ""
    return Found(str(vendor.id), vendor.values[VENDOR_ID], str(vendor.version), data)


def _refusal(refused: Refused) -> ErpError:
    return ErpError(
        CLASSES.get(refused.code, ErrorClass.INVALID),
        Effect.NOT_APPLIED,
        refused.message,
        field=SOURCES.get(refused.column, ""),
        erp_code=refused.code,
        advice=ADVICE.get(refused.code, ""),
    )


def _down(down: LedgerDown) -> ErpError:
    effect = Effect.UNCERTAIN if down.uncertain else Effect.NOT_APPLIED
    return ErpError(ErrorClass.TRANSIENT, effect, str(down))


def _unsupported(message: str) -> ErpError:
    return ErpError(ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED, message)


def _require_vendor(entity: str) -> None:
    if entity != ENTITY:
        raise AdapterError(_unsupported(f"The simulator keeps no records called “{entity}”."))
