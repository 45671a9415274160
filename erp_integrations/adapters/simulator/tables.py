"""Tables of the simulator's ledger: their columns and validation rules."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stdnum.us import ein

VENDOR = "vendor"
COST_CODE = "cost_code"
VENDOR_TYPES = {
    "SUB": "Subcontractor",
    "MAT": "Material supplier",
    "EQP": "Equipment rental",
    "PRO": "Professional services",
    "OTH": "Other",
}
GL_ACCOUNTS = {
    "4000": "Contract income",
    "4010": "Change order income",
    "4020": "Time and material income",
    "4030": "Service income",
    "4040": "Equipment rental income",
    "4100": "Retention income",
    "4900": "Other income",
    "5000": "Job cost",
    "5010": "Direct labor",
    "5020": "Labor burden",
    "5030": "Materials",
    "5040": "Subcontracts",
    "5050": "Equipment, owned",
    "5060": "Equipment, rented",
    "5070": "Permits and fees",
    "5080": "Bonds and insurance",
    "5090": "Travel to site",
    "5100": "Temporary facilities",
    "5110": "Small tools",
    "5120": "Fuel",
    "5130": "Waste removal",
    "5140": "Professional services",
    "5150": "Warranty work",
    "5200": "Retention cost",
    "5900": "Other job cost",
}
LISTS: Mapping[str, Mapping[str, str]] = {
    "vendor_type": VENDOR_TYPES,
    "gl_account": GL_ACCOUNTS,
}
INCOME, EXPENSE = "income account", "expense account"
GROUP, DETAIL = "group", "detail"


class Refused(Exception):
    """The ledger refuses a message; nothing was written."""

    def __init__(self, code: str, message: str, column: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.column = column


# Validates the values of the row with this number (0 for a new one). Raises Refused.
Check = Callable[[sqlite3.Connection, int, Mapping[str, str]], None]


@dataclass(frozen=True)
class Table:
    """One record type of the ledger; ``name`` is used in messages and files.

    ``limits``: its columns, all text, and their lengths. ``key``: the unique column, ignoring case.
    ``fixed``: the key cannot be changed. ``kept``: columns that a blank cell of an imported file
    does not change.
    """

    name: str
    noun: str
    key: str
    key_label: str
    limits: Mapping[str, int]
    check: Check
    fixed: bool
    kept: frozenset[str]


def _check_vendor(_db: sqlite3.Connection, _number: int, values: Mapping[str, str]) -> None:
    if not values["vendor_name"].strip():
        raise Refused("E1003", "vendor_name is required.", "vendor_name")
    if not re.fullmatch(r"[A-Z0-9-]+", values["vendor_id"]):
        raise Refused("E1006", "vendor_id takes A-Z, 0-9 and the hyphen.", "vendor_id")
    if values["vendor_type"] not in VENDOR_TYPES:
        raise Refused("E1005", f"Vendor type “{values['vendor_type']}” is unknown.", "vendor_type")
    if values["tax_id"] and not ein.is_valid(values["tax_id"]):
        raise Refused("E1004", f"{values['tax_id']} is not a valid US tax ID.", "tax_id")


def _check_code(db: sqlite3.Connection, number: int, values: Mapping[str, str]) -> None:
    if not values["name"].strip():
        raise Refused("E1003", "name is required.", "name")
    if not re.fullmatch(r"[A-Za-z0-9 ._/-]*[A-Za-z0-9][A-Za-z0-9 ._/-]*", values["code"]):
        raise Refused("E1006", "code takes letters, digits, space and . _ / - only.", "code")
    if values["kind"] not in (GROUP, DETAIL):
        raise Refused("E1010", f"kind is {GROUP} or {DETAIL}.", "kind")
    # The expense account is optional.
    for column in ("income_account", "expense_account"):
        required = column == "income_account"
        if (required or values[column]) and values[column] not in GL_ACCOUNTS:
            raise Refused("E1013", f"GL account “{values[column]}” is unknown.", column)
    if values["parent"]:
        _check_parent(db, number, values["parent"])


def _check_parent(db: sqlite3.Connection, number: int, parent: str) -> None:
    """Refuse a parent that does not exist, or is the code itself or one of its descendants."""
    visited: set[int] = {number}
    ancestor = parent
    while ancestor:
        query = db.execute("SELECT parent FROM cost_code WHERE id = ?", (row_number(ancestor),))
        row = query.fetchone()
        if row is None:
            message = f"There is no cost code number “{ancestor}” to put this one under."
            raise Refused("E1014", message, "parent")
        if row_number(ancestor) in visited:
            raise Refused("E1015", "A cost code cannot be put under itself.", "parent")
        visited.add(row_number(ancestor))
        ancestor = str(row["parent"])


def row_number(text: object) -> int:
    """A record number or cursor as an integer; 0, which no record has, if it is not a number."""
    digits = str(text)
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else 0


VENDORS = Table(
    VENDOR,
    "vendor",
    key="vendor_id",
    key_label="Vendor ID",
    limits={
        "vendor_name": 30,
        "short_name": 10,
        "trade_name": 60,
        "street": 60,
        "city": 30,
        "state": 3,
        "zip": 10,
        "country": 2,
        "phone": 30,
        "mobile": 30,
        "fax": 30,
        "email": 100,
        "web": 100,
        "license_no": 30,
        "tax_id": 20,
        "vendor_id": 10,
        "vendor_type": 3,
    },
    check=_check_vendor,
    fixed=True,
    kept=frozenset({"vendor_type"}),
)
COST_CODES = Table(
    COST_CODE,
    "cost code",
    key="code",
    key_label="Cost code",
    limits={
        "code": 20,
        "name": 40,
        "kind": 6,
        "parent": 18,
        "income_account": 10,
        "expense_account": 10,
    },
    check=_check_code,
    fixed=False,
    kept=frozenset({"parent", "income_account", "expense_account"}),
)
TABLES: Mapping[str, Table] = {table.name: table for table in (VENDORS, COST_CODES)}
