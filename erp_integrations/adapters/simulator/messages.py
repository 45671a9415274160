"""Convert commands to the ledger's messages, and its answers to outcomes, for all deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from erp_integrations.adapters.base import (
    Command,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Operation,
    Outcome,
)
from erp_integrations.adapters.simulator.entries import Record
from erp_integrations.adapters.simulator.manifest import (
    CODE_FIELDS,
    EXPENSE_ACCOUNT,
    FIELDS,
    INCOME_ACCOUNT,
    VENDOR_ID,
    VENDOR_TYPE,
)
from erp_integrations.adapters.simulator.tables import (
    COST_CODE,
    DETAIL,
    GROUP,
    TABLES,
    VENDOR,
    Refused,
)
from erp_integrations.adapters.tax_ids import employer_number

# Column of the ledger -> payload or acceptance field.
SOURCES = {field.erp_name: field.name for field in (*FIELDS, *CODE_FIELDS)} | {
    name: name for name in ("parent", VENDOR_TYPE, VENDOR_ID, INCOME_ACCOUNT, EXPENSE_ACCOUNT)
}
# Column whose values are words of the ledger's own, not those of the payload field.
OWN_WORDS = "kind"
CODE_ACCEPTED = (INCOME_ACCOUNT, EXPENSE_ACCOUNT)
# Parent of a code whose parent's number is missing; the ledger refuses it.
PARENT_UNKNOWN = "not yet known"
CLASSES = {
    "E1001": ErrorClass.DUPLICATE,
    "E1005": ErrorClass.MISSING_REF,
    "E1007": ErrorClass.CONFLICT,
    "E1008": ErrorClass.MISSING_REF,
    "E1009": ErrorClass.BUG,
    "E1010": ErrorClass.BUG,
    "E1013": ErrorClass.MISSING_REF,
    "E1014": ErrorClass.MISSING_REF,
}
ADVICE = {
    "E1001": "Link to the existing record, or choose another ID.",
    "E1005": "Refresh the list of vendor types and choose one of them.",
    "E1007": "Look at what changed in the ERP, then send again.",
    "E1008": "The record was removed from the ERP; unlink it and send it again.",
    "E1013": "Refresh the list of GL accounts and choose one of them.",
    "E1014": "Have the code above it exported first.",
}


def message_of(command: Command) -> dict[str, Any]:
    """The ledger's message for a command, for all deliveries and the preview.

    Blank acceptance values of an update are left out, so that the ledger keeps its values.
    """
    values, accepted = _code_of(command) if command.entity == COST_CODE else _vendor_of(command)
    if command.operation is Operation.CREATE:
        return {"operation": "create", command.entity: values | accepted}
    values |= {column: value for column, value in accepted.items() if value}
    message = {"operation": "update", "id": command.erp_id, "version": command.erp_version}
    return {**message, command.entity: values}


def _vendor_of(command: Command) -> tuple[dict[str, str], dict[str, str]]:
    values = {field.erp_name: text_of(command.payload.get(field.name)) for field in FIELDS}
    values["tax_id"] = employer_number(command.payload)
    # The ledger accepts upper-case vendor IDs only.
    vendor_id = text_of(command.acceptance.get(VENDOR_ID)) or command.key
    return values, {
        VENDOR_TYPE: text_of(command.acceptance.get(VENDOR_TYPE)),
        VENDOR_ID: vendor_id.strip().upper(),
    }


def _code_of(command: Command) -> tuple[dict[str, str], dict[str, str]]:
    """Values and acceptance values of a cost code; the parent is among the latter, so that an
    update without a parent keeps it.
    """
    payload = command.payload
    values = {
        "code": text_of(payload.get("full_code")) or command.key,
        "name": text_of(payload.get("description")),
        "kind": GROUP if payload.get("is_group") else DETAIL,
    }
    parent = command.parent_erp_id
    if not parent and command.operation is Operation.CREATE:
        path = payload.get("path")
        has_parent = isinstance(path, list | tuple) and len(path) > 1
        parent = PARENT_UNKNOWN if has_parent else ""
    accepted = {name: text_of(command.acceptance.get(name)) for name in CODE_ACCEPTED}
    return values, {"parent": parent, **accepted}


def written(message: Mapping[str, object]) -> str:
    """A message as JSON text; the ledger compares these texts when an intent is repeated."""
    return json.dumps(message, ensure_ascii=False, indent=2)


def text_of(value: object) -> str:
    """A value as text; empty for None and for blanks only."""
    text = "" if value is None else str(value)
    return text if text.strip() else ""


def impossible(command: Command) -> Outcome | None:
    """The outcome of a command that the ledger does not support; None if it does."""
    if command.entity in TABLES and command.operation is not Operation.DEACTIVATE:
        return None
    action = f"{command.operation.value} a {command.entity}"
    return Outcome(error=unsupported(f"The simulator cannot {action}."))


def unsupported(message: str) -> ErpError:
    """The error for something that the simulator does not support."""
    return ErpError(ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED, message)


def not_set_up(problem: str) -> ErpError:
    """The error for an invalid setting."""
    return ErpError(ErrorClass.SETUP, Effect.NOT_APPLIED, problem)


def applied(record: Record) -> Outcome:
    """The outcome of an applied message."""
    return done(str(record.id), record.key, str(record.version))


def done(number: str, key: str, version: str) -> Outcome:
    """The outcome of an applied message, from the record's number, key and version."""
    answer = json.dumps({"id": number, "key": key, "version": version})
    return Outcome(erp_id=number, erp_code=key, erp_version=version, answer=answer)


def refusal(refused: Refused) -> ErpError:
    """The error of a refused message."""
    return ErpError(
        CLASSES.get(refused.code, ErrorClass.INVALID),
        Effect.NOT_APPLIED,
        refused.message,
        field=SOURCES.get(refused.column, ""),
        erp_code=refused.code,
        advice=ADVICE.get(refused.code, ""),
    )


def found_record(entity: str, number: str, version: str, values: Mapping[str, str]) -> Found:
    """A record of the ledger as a value of the adapter contract."""
    data: dict[str, object] = {SOURCES[column]: value for column, value in values.items()}
    if entity == VENDOR:
        data["entity_type"] = "ein" if values["tax_id"] else ""
    else:
        data["is_group"] = values["kind"] == GROUP
    return Found(number, values[TABLES[entity].key], version, data)
