"""Country and state of a body as ISO 3166 codes.

See docs/design/procore-rest-conventions.md, "Formats".
"""

from __future__ import annotations

from erpbridge.countries import UnclearState, country_code, located
from erpbridge.rest.requests import bodies

LONGEST_STATE = 10
# A state may be sent by name although its code is stored.
READERS = {"state_code": bodies.line(60)}


def codes(values: bodies.Values, *, country: str) -> dict[str, list[str]]:
    """Replace country and state in ``values`` with their codes. Return the errors by field.

    A state without a country sets the country that the state belongs to.

    :param country: the stored country of the record, used if only a state is sent.
    """
    country_text = values.get("country_code")
    if country_text:
        values["country_code"] = country_code(country_text)
        if not values["country_code"]:
            return {"country_code": [f"“{country_text[:40]}” is not a country code such as US"]}
    state_text = values.get("state_code")
    if not state_text:
        return {}
    try:
        location = located(state_text, values.get("country_code", country) or "")
    except UnclearState as unclear:
        return {"state_code": [str(unclear)]}
    if len(location.state) > LONGEST_STATE:
        return {"state_code": [f"must be a state code of at most {LONGEST_STATE} characters"]}
    values |= {"state_code": location.state.upper(), "country_code": location.country}
    return {}
