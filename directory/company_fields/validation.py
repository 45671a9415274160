"""Rules between fields of a company, for the form and the import. No database access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from directory.models import Company, EntityType
from erpbridge.countries import UnclearState, located

LONGEST_STATE = Company._meta.get_field("state_code").max_length or 0
NO_DIGITS = "An entity ID holds digits; this one has none."
KINDS = ", ".join(str(kind.label) for kind in EntityType)
NO_KIND = f"Choose what kind of number the entity ID is: {KINDS}."


def placed(state: str, country: str) -> tuple[dict[str, str], str]:
    """The state's code and its country, or the reason why it cannot be stored.

    :param country: country code; empty if none was given.
    """
    try:
        place = located(state, country)
    except UnclearState as unclear:
        return {}, str(unclear)
    # States of countries whose states are not all known are kept as typed.
    if len(place.state) > LONGEST_STATE:
        return {}, (
            f"A state that is not in the list may have at most {LONGEST_STATE} characters; "
            f"“{place.state[:40]}” has {len(place.state)}."
        )
    return {"state_code": place.state, "country_code": place.country}, ""


def tax_id_refusals(values: Mapping[str, Any]) -> dict[str, str]:
    """Errors of an entity ID and its type, by field."""
    number = values.get("entity_id", "")
    refusals = {}
    if number and not any(map(str.isdigit, number)):
        refusals["entity_id"] = NO_DIGITS
    if number and not values.get("entity_type"):
        refusals["entity_type"] = NO_KIND
    return refusals
