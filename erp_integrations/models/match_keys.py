"""Normalized name, tax ID and phone, by which ERP records are matched with items. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from unicodedata import category

from erpbridge.db.text import fold

LONGEST_KEY = 200
# Digits of a phone number that are compared (without country code), and the fewest that count.
PHONE_DIGITS, LEAST_DIGITS = 10, 7


def name_key(text: str) -> str:
    """A name folded like all text (``erpbridge.db.text``), without spaces and punctuation.

    Combining marks are kept, because they are the vowels of many scripts.
    """
    return "".join(char for char in fold(text) if category(char)[0] in "LMN")[:LONGEST_KEY]


def phone_key(text: str) -> str:
    """The last digits of a phone number; empty if it is too short."""
    digits = re.sub(r"\D", "", text)
    return digits[-PHONE_DIGITS:] if len(digits) >= LEAST_DIGITS else ""


# Field of a record -> column of its normalized value, and the function that normalizes it.
COMPARED: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "name": ("name_key", name_key),
    "entity_id": ("tax_key", name_key),
    "business_phone": ("phone_key", phone_key),
}


def keys_of(data: Mapping[str, object]) -> dict[str, str]:
    """Column -> normalized value of a record; empty if it has no value."""
    return {column: make(str(data.get(name) or "")) for name, (column, make) in COMPARED.items()}
