"""The ledger's messages and answers, whichever way they travel."""

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
from erp_integrations.adapters.simulator.ledger import Refused, Vendor
from erp_integrations.adapters.simulator.manifest import ENTITY, FIELDS, VENDOR_ID, VENDOR_TYPE

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


def message_of(command: Command) -> dict[str, Any]:
    """The one place where a command becomes what is written.

    Blank acceptance values of an update are left out, so that the ledger keeps what it has.
    """
    values = {one.erp_name: text_of(command.payload.get(one.name)) for one in FIELDS}
    values["tax_id"] = tax_id_of(command.payload)
    accepted = {
        VENDOR_TYPE: text_of(command.acceptance.get(VENDOR_TYPE)),
        VENDOR_ID: (text_of(command.acceptance.get(VENDOR_ID)) or command.key).strip().upper(),
    }
    if command.operation is Operation.CREATE:
        return {"operation": "create", "vendor": values | accepted}
    values |= {column: value for column, value in accepted.items() if value}
    message = {"operation": "update", "id": command.erp_id, "version": command.erp_version}
    return {**message, "vendor": values}


def written(message: Mapping[str, Any]) -> str:
    """The message as text: equal messages are equal texts."""
    return json.dumps(message, ensure_ascii=False, indent=2)


def text_of(value: Any) -> str:
    """A value as the ledger keeps it; blanks alone are nothing."""
    text = "" if value is None else str(value)
    return text if text.strip() else ""


def tax_id_of(payload: Mapping[str, Any]) -> str:
    """The ledger keeps US employer numbers only; another kind of number is not sent."""
    is_ein = text_of(payload.get("entity_type")).strip().lower() == "ein"
    return text_of(payload.get("entity_id")).strip() if is_ein else ""


def impossible(command: Command) -> Outcome | None:
    """The outcome of a command that the ledger has no message for."""
    if command.entity == ENTITY and command.operation is not Operation.DEACTIVATE:
        return None
    wish = f"{command.operation.value} a {command.entity}"
    return Outcome(error=unsupported(f"The simulator cannot {wish}."))


def unsupported(message: str) -> ErpError:
    """Something that there is not; nothing was written."""
    return ErpError(ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED, message)


def applied(vendor: Vendor) -> Outcome:
    """The outcome of a message that the ledger carried out."""
    return done(str(vendor.id), vendor.values[VENDOR_ID], str(vendor.version))


def done(number: str, code: str, version: str) -> Outcome:
    """The same of a vendor known by its numbers only."""
    answer = json.dumps({"id": number, "vendor_id": code, "version": version})
    return Outcome(erp_id=number, erp_code=code, erp_version=version, answer=answer)


def refusal(refused: Refused) -> ErpError:
    """The error of a message that the ledger refused."""
    return ErpError(
        CLASSES.get(refused.code, ErrorClass.INVALID),
        Effect.NOT_APPLIED,
        refused.message,
        field=SOURCES.get(refused.column, ""),
        erp_code=refused.code,
        advice=ADVICE.get(refused.code, ""),
    )


def found(number: str, version: str, values: Mapping[str, str]) -> Found:
    """A vendor of the ledger in the contract's words."""
    data = {SOURCES[column]: value for column, value in values.items()}
    data["entity_type"] = "ein" if values["tax_id"] else ""
    return Found(number, values[VENDOR_ID], version, data)
