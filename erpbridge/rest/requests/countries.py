"""Country and state of a body as codes of ISO 3166.

See docs/design/procore-rest-conventions.md, "Formats".
"""

from __future__ import annotations

from typing import Any

from erpbridge.countries import UnclearState, country_code, located
from erpbridge.rest.requests import bodies

LONGEST_STATE = 10
# A state's name may be given where its code is stored.
READERS = {"state_code": bodies.line(60)}


def codes(values: dict[str, Any], *, country: str) -> dict[str, list[str]]:
    """Turn the places among cleaned values into codes; what is wrong with them.

    A state that comes without a country brings the country it was found in.

    :param country: that of the record as stored, for a state that comes without one.
    """
    given = values.get("country_code")
    if given:
        values["country_code"] = country_code(given)
        if not values["country_code"]:
            return {"country_code": [f"“{given[:40]}” is not a country code such as US"]}
    typed = values.get("state_code")
    if not typed:
        return {}
    try:
        place = located(typed, values.get("country_code", country) or "")
    except UnclearState as unclear:
        return {"state_code": [str(unclear)]}
    if len(place.state) > LONGEST_STATE:
        return {"state_code": [f"must be a state code of at most {LONGEST_STATE} characters"]}
    values |= {"state_code": place.state.upper(), "country_code": place.country}
    return {}
