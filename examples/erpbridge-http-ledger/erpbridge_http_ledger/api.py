"""Client of the ledger's HTTP API: its calls, and its refusals as errors of the contract."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from erp_integrations.adapters.base import (
    AdapterError,
    Effect,
    ErpError,
    ErrorClass,
    Io,
    Outcome,
)
from erp_integrations.adapters.http import Answer, HttpClient, status_error

from erpbridge_http_ledger.manifest import NAMES

CALL_SECONDS = 10.0
PAGE_SIZE = 100
Row = Mapping[str, Any]
# Reasons of the ledger that say more than the HTTP status.
REASONS = {
    "code_taken": ErrorClass.DUPLICATE,
    "stale": ErrorClass.CONFLICT,
    "no_vendor": ErrorClass.MISSING_REF,
    "no_type": ErrorClass.MISSING_REF,
    "no_account": ErrorClass.MISSING_REF,
    "too_long": ErrorClass.INVALID,
    "missing": ErrorClass.INVALID,
    "fixed": ErrorClass.INVALID,
}
ADVICE = {
    ErrorClass.AUTH_EXPIRED: "Enter an API key that the ledger accepts.",
    ErrorClass.CONFLICT: "Look at what changed in the ledger, then send again.",
    ErrorClass.DUPLICATE: "Link to the vendor that has the code, or choose another code.",
}


class Api:
    """One ledger. Every method raises AdapterError for an answer that is not a success."""

    def __init__(self, url: str, key: str, io: Io) -> None:
        headers = {"X-Api-Key": key, "Content-Type": "application/json"}
        self.http = HttpClient(url, headers=headers, secrets=[key], io=io)

    def ledger(self) -> Row:
        """The ledger's name and size."""
        return self._ask("/v1/ledger", "name", str)

    def types(self) -> Sequence[Row]:
        """The vendor types."""
        return _rows(self._ask("/v1/types", "types", list), "types", {"code", "name"})

    def accounts(self) -> Sequence[Row]:
        """The accounts, each with its kind."""
        answer = self._ask("/v1/accounts", "accounts", list)
        return _rows(answer, "accounts", {"code", "name", "kind"})

    def with_codes(self, codes: Sequence[str]) -> Sequence[Row]:
        """The vendors that have one of these codes."""
        params = [("code", code) for code in codes]
        return _vendors(self._ask("/v1/vendors", "vendors", list, params))

    def vendor(self, number: str) -> Row | None:
        """The vendor with this number, if there is one."""
        try:
            return _vendor(self._ask(f"/v1/vendors/{number}", "vendor", dict)["vendor"])
        except AdapterError as problem:
            # Not every 404: a wrong address answers that too.
            if problem.error.erp_code == "no_vendor":
                return None
            raise

    def changes(self, since: str) -> tuple[Sequence[Row], Row]:
        """The vendors that changed after a point, and the whole answer."""
        params = [("since", since), ("limit", str(PAGE_SIZE))]
        page = self._ask("/v1/changes", "next", int, params)
        return _vendors(page), page

    def write(self, operation: str, rows: Sequence[Row]) -> tuple[list[Any], Answer]:
        """Carry out one operation for several rows; returns one result per row."""
        body = json.dumps({"operation": operation, "rows": rows}).encode()
        answer = self.http.call("POST", "/v1/vendors", seconds=CALL_SECONDS, body=body)
        if answer.status != 200:
            raise AdapterError(refusal(answer))
        message = answer.json()
        results = message.get("results") if isinstance(message, dict) else None
        if not isinstance(results, list) or len(results) != len(rows):
            raise _unreadable(answer.unclear)
        return results, answer

    def _ask(self, path: str, name: str, kind: type, params: Sequence[tuple[str, str]] = ()) -> Row:
        """The answer to a GET, which has a value ``name`` of this kind."""
        answer = self.http.call("GET", path, seconds=CALL_SECONDS, params=params)
        if answer.status != 200:
            raise AdapterError(refusal(answer))
        message = answer.json()
        if not isinstance(message, dict) or not isinstance(message.get(name), kind):
            raise _unreadable(answer.unclear)
        return message


def refusal(answer: Answer) -> ErpError:
    """The error of a whole call, with the ledger's own reason where it gives one."""
    try:
        message = answer.json()
        reason, words = str(message["code"]), str(message["message"])
    except (AdapterError, KeyError, TypeError):
        # Not the ledger's JSON, so perhaps a proxy's page, which is not shown.
        reason, words = "", ""
    error = status_error(answer, words)
    if reason in REASONS:
        error = replace(error, cls=REASONS[reason])
    return replace(error, erp_code=reason or error.erp_code, advice=ADVICE.get(error.cls, ""))


def outcome(result: Any, answer: Answer) -> Outcome:
    """The outcome of one row of a write."""
    try:
        if result["status"] == 200:
            vendor = _vendor(result["vendor"])
            shown = answer.redact(json.dumps(vendor, ensure_ascii=False))
            return Outcome(str(vendor["id"]), vendor["code"], str(vendor["version"]), shown)
        refused = result["error"]
        cls = REASONS[refused["code"]]
        column = str(refused.get("column") or "")
        message = answer.redact(refused["message"])
    except (AdapterError, KeyError, TypeError, AttributeError):
        # Nobody knows what such an answer means, so the record has to be looked up.
        return Outcome(error=_unreadable(Effect.UNCERTAIN).error)
    error = ErpError(
        cls,
        Effect.NOT_APPLIED,
        message,
        # Our name of the field, not the ledger's.
        field=NAMES.get(column, ""),
        erp_code=refused["code"],
        advice=ADVICE.get(cls, ""),
    )
    return Outcome(error=error)


def _vendors(message: Row) -> Sequence[Row]:
    return [_vendor(row) for row in _rows(message, "vendors")]


def _rows(message: Row, name: str, columns: Collection[str] = ()) -> Sequence[Row]:
    rows = message.get(name)
    if not isinstance(rows, list):
        raise _unreadable(Effect.NOT_APPLIED)
    return [_with(row, columns) for row in rows]


def _vendor(row: Any) -> Row:
    return _with(row, {*NAMES, "id", "version"})


def _with(row: Any, columns: Collection[str]) -> Row:
    """The row, if it has these columns."""
    if not isinstance(row, dict) or not set(columns) <= row.keys():
        raise _unreadable(Effect.NOT_APPLIED)
    return row


def _unreadable(effect: Effect) -> AdapterError:
    message = "The ledger's answer is not what its API describes."
    return AdapterError(ErpError(ErrorClass.BUG, effect, message))
