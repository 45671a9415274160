"""Country and state of a body as codes of ISO 3166 (reference rest-api.md 1.6)."""

from __future__ import annotations

from typing import Any

from erpbridge.places import country_code, state_code

# Countries whose states are known for certain; elsewhere a state may be anything.
STRICT = ("", "US", "CA")


def codes(values: dict[str, Any], *, country: str) -> dict[str, list[str]]:
    """Turn the places among cleaned values into codes in upper case; what is wrong with them.

    :param country: that of the record as stored, for a state that comes without one.
    """
    errors = {}
    given = values.get("country_code")
    if given:
        values["country_code"] = country_code(given)
        if not values["country_code"]:
            errors["country_code"] = [f"“{given[:40]}” is not a country code such as US"]
    typed = values.get("state_code")
    if typed:
        country = values.get("country_code") or country
        code = state_code(typed, country)
        if not code and country in STRICT:
            errors["state_code"] = [f"“{typed[:40]}” is not a state code such as MD"]
        values["state_code"] = code or typed.upper()
    return errors
