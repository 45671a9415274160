"""The ledger itself: its vendors, and the rules by which it takes them.

It stands for an ERP, so it knows nothing of erpbridge.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

Row = dict[str, Any]

# The lists that a vendor's values come from: code -> name, and what kind of account it is.
TYPES = {"SUB": "Subcontractor", "SUP": "Supplier", "CON": "Consultant"}
ACCOUNTS = {
    "2000": ("Accounts payable", "liability account"),
    "2100": ("Retention payable", "liability account"),
    "5100": ("Subcontract cost", "expense account"),
}
# Column -> the most characters.
LIMITS = {"code": 12, "name": 40, "street": 60, "city": 40, "zip": 10, "email": 100}
MOST_ROWS = 50


class Refused(Exception):
    """What the ledger does not take; ``code`` is the reason, ``column`` where it is."""

    def __init__(
        self, status: int, code: str, message: str, column: str = "", *, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.column = column
        self.retry_after = retry_after


class Ledger:
    """Vendors by number. Every change has the next number of one sequence, also a deletion.

    :param file: where it is kept; None: it is forgotten when it ends.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.lock = RLock()
        self.vendors: dict[int, Row] = {}
        self.deleted: dict[int, int] = {}
        self.sequence = 0
        self.last_id = 0
        # The caller's key of a write -> what it was answered.
        self.answered: dict[str, Row] = {}
        if file and file.exists():
            kept = json.loads(file.read_text(encoding="utf-8"))
            self.vendors = {row["id"]: row for row in kept["vendors"]}
            self.deleted = {int(place): number for place, number in kept["deleted"].items()}
            self.sequence, self.last_id = kept["sequence"], kept["last_id"]
            self.answered = kept["answered"]

    def _keep(self) -> None:
        if self.file:
            names = ("deleted", "sequence", "last_id", "answered")
            kept = {name: getattr(self, name) for name in names}
            kept["vendors"] = list(self.vendors.values())
            new = self.file.with_suffix(".new")
            new.write_text(json.dumps(kept), encoding="utf-8")
            new.replace(self.file)

    # --- what the API does ------------------------------------------------------------------

    def write(self, operation: str, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Carry out one operation for several rows; a bad row does not affect the others.

        A row whose ``key`` was carried out before is answered as it was then.
        """
        steps = {"create": self._create, "update": self._update, "deactivate": self._deactivate}
        with self.lock:
            results = [self._write_once(steps[operation], row) for row in rows]
            self._keep()
        return results

    def _write_once(self, step: Callable[[Mapping[str, Any]], Row], row: Mapping[str, Any]) -> Row:
        key = str(row["key"])
        if key not in self.answered:
            try:
                # Only what was done is kept: what was refused may be right the next time.
                self.answered[key] = {"status": 200, "vendor": dict(step(row))}
            except Refused as refused:
                error = {"code": refused.code, "message": str(refused), "column": refused.column}
                return {"status": refused.status, "error": error}
        return self.answered[key]

    def _create(self, row: Mapping[str, Any]) -> Row:
        vendor = _checked(row["vendor"])
        if self.with_codes([vendor["code"]]):
            raise Refused(409, "code_taken", f"Code {vendor['code']} is taken.", "code")
        return self._add(vendor)

    def _update(self, row: Mapping[str, Any]) -> Row:
        vendor = self._current(row)
        # A column that is not named keeps its value.
        wanted = _checked(vendor | row["vendor"])
        if wanted["code"] != vendor["code"]:
            raise Refused(422, "fixed", "The code of a vendor cannot be changed.", "code")
        return self._store(vendor, wanted)

    def _deactivate(self, row: Mapping[str, Any]) -> Row:
        return self._store(self._current(row), {"active": False})

    def _current(self, row: Mapping[str, Any]) -> Row:
        """The vendor that a row names, if nobody has changed it since the row's version."""
        number = str(row["id"])
        vendor = self.vendors.get(int(number)) if number.isdecimal() else None
        if vendor is None:
            raise Refused(404, "no_vendor", f"There is no vendor {number}.")
        if row.get("version") and str(row["version"]) != str(vendor["version"]):
            raise Refused(409, "stale", f"Vendor {number} was changed meanwhile.")
        return vendor

    def with_codes(self, codes: Sequence[str]) -> list[Row]:
        """The vendors that have one of these codes."""
        with self.lock:
            return [dict(row) for row in self.vendors.values() if row["code"] in codes]

    def changes(self, since: int, most: int) -> Row:
        """What changed after a number of the sequence, in its order."""
        with self.lock:
            numbers = {row["changed"]: row for row in self.vendors.values()}
            later = sorted(n for n in {*numbers, *self.deleted} if n > since)
            page = later[:most]
            return {
                "vendors": [dict(numbers[n]) for n in page if n in numbers],
                "deleted": [self.deleted[n] for n in page if n in self.deleted],
                "next": page[-1] if page else since,
                "more": len(later) > most,
            }

    # --- what its own users do, on its own screens --------------------------------------------

    def enter(self, **values: Any) -> Row:
        """Add a vendor. Its own users may use a code twice."""
        with self.lock:
            row = self._add(values)
            self._keep()
        return row

    def edit(self, number: int, **values: Any) -> Row:
        """Change a vendor."""
        with self.lock:
            row = self._store(self.vendors[number], values)
            self._keep()
        return row

    def delete(self, number: int) -> None:
        """Delete a vendor."""
        with self.lock:
            del self.vendors[number]
            self.sequence += 1
            self.deleted[self.sequence] = number
            self._keep()

    def _add(self, values: Mapping[str, Any]) -> Row:
        self.last_id += 1
        blank = dict.fromkeys(LIMITS, "") | {"type": "", "account": "", "active": True}
        self.vendors[self.last_id] = blank | {"id": self.last_id, "version": 0}
        return self._store(self.vendors[self.last_id], values)

    def _store(self, row: Row, values: Mapping[str, Any]) -> Row:
        self.sequence += 1
        row |= values
        row |= {"version": row["version"] + 1, "changed": self.sequence}
        return row


def _checked(vendor: Mapping[str, Any]) -> Row:
    """A vendor that follows the rules of the columns."""
    row = {column: str(vendor.get(column) or "") for column in LIMITS}
    for column, most in LIMITS.items():
        if len(row[column]) > most:
            message = f"{column} holds at most {most} characters."
            raise Refused(422, "too_long", message, column)
    for column in ("code", "name"):
        if not row[column].strip():
            raise Refused(422, "missing", f"{column} is missing.", column)
    kind = str(vendor.get("type") or "")
    if kind not in TYPES:
        raise Refused(422, "no_type", f"There is no vendor type “{kind}”.", "type")
    account = str(vendor.get("account") or "")
    if account not in ACCOUNTS:
        raise Refused(422, "no_account", f"There is no account “{account}”.", "account")
    active = bool(vendor.get("active", True))
    return row | {"type": kind, "account": account, "active": active}
