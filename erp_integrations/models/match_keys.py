"""By what records of the ERP are compared with what waits: name, tax ID and phone. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from unicodedata import category

from erpbridge.db.text import fold

LONGEST_KEY = 200
# Digits of a phone number without a country's code; with fewer it names nobody.
PHONE_DIGITS, LEAST_DIGITS = 10, 7


def name_key(text: str) -> str:
    """What two spellings of a name share, as everywhere, but for what is between its words.

    Marks that are no letters of their own are kept: vowels of many scripts are such marks.
    """
    return "".join(sign for sign in fold(text) if category(sign)[0] in "LMN")[:LONGEST_KEY]


def phone_key(text: str) -> str:
    """The last digits of a number; empty for what is too short to be one."""
    digits = re.sub(r"\D", "", text)
    return digits[-PHONE_DIGITS:] if len(digits) >= LEAST_DIGITS else ""


# Field of a record -> the column that keeps how it is compared, and how that is made.
COMPARED: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "name": ("name_key", name_key),
    "entity_id": ("tax_key", name_key),
    "business_phone": ("phone_key", phone_key),
}


def keys_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Column -> what the values of a record are compared by; empty where there is nothing."""
    return {column: make(str(data.get(name) or "")) for name, (column, make) in COMPARED.items()}
