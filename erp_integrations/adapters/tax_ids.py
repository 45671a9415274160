"""Tax IDs for ERPs that keep US employer numbers (EIN) and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stdnum.us import ein

from erp_integrations.adapters.base import Problem

EIN = "ein"
SEPARATORS = re.compile(r"[\s-]+")


def employer_number(payload: Mapping[str, Any]) -> str:
    """A company's EIN as the IRS writes it, 52-7654321; one that is none as typed; or nothing."""
    number, kind = _given(payload)
    if kind != EIN:
        return ""
    compact = SEPARATORS.sub("", number)
    # With its dash in another place a number is of another kind.
    as_written = re.fullmatch(r"\d{2}[\s-]*\d{7}", number)
    return str(ein.format(compact)) if as_written and ein.is_valid(compact) else number


def problems(payload: Mapping[str, Any], *, erp: str) -> list[Problem]:
    """Why a company's number would not arrive: it is of another kind, or no number of the IRS.

    A number without a kind is refused before any ERP is asked.
    """
    number, kind = _given(payload)
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


def _given(payload: Mapping[str, Any]) -> tuple[str, str]:
    number, kind = (str(payload.get(name) or "").strip() for name in ("entity_id", "entity_type"))
    return number, kind.lower()
