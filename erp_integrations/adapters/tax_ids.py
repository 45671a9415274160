"""Tax IDs for ERPs that store only US employer identification numbers (EIN)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stdnum.us import ein

from erp_integrations.adapters.base import Problem

EIN = "ein"
SEPARATORS = re.compile(r"[\s-]+")


def employer_number(payload: Mapping[str, object]) -> str:
    """A company's EIN in the form 52-7654321; an invalid one unchanged; empty for other kinds."""
    number, kind = _tax_id(payload)
    if kind != EIN:
        return ""
    compact = SEPARATORS.sub("", number)
    # A dash in another place means another kind of number, such as a social security number.
    as_written = re.fullmatch(r"\d{2}[\s-]*\d{7}", number)
    return str(ein.format(compact)) if as_written and ein.is_valid(compact) else number


def problems(payload: Mapping[str, object], *, erp: str) -> list[Problem]:
    """Problems of a company's tax ID: it is not an EIN, or not a valid one.

    A number without a kind is no problem here; the core refuses it.
    """
    number, kind = _tax_id(payload)
    if not number or not kind:
        return []
    if kind != EIN:
        name = kind.upper() if kind != "other" else "Tax ID"
        message = (
            f"{name} {number} would not arrive: {erp} keeps US employer numbers (EIN) only. Remove "
            "it from the company to send the company without it."
        )
        return [Problem("entity_id", "kind", message, number, "EIN")]
    if ein.is_valid(employer_number(payload)):
        return []
    message = f"Tax ID {number} is not a valid EIN: nine digits that the IRS gives out."
    return [Problem("entity_id", "format", message, number, "EIN")]


def _tax_id(payload: Mapping[str, object]) -> tuple[str, str]:
    number, kind = (str(payload.get(name) or "").strip() for name in ("entity_id", "entity_type"))
    return number, kind.lower()
