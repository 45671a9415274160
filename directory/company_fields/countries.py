"""Countries and states as the pages offer them, by their ISO 3166 codes."""

from __future__ import annotations

from functools import cache

import pycountry

from erpbridge.countries import state_names

HOME = "US"


@cache
def countries() -> dict[str, str]:
    """Code and name, the home country first."""
    every = sorted(pycountry.countries, key=lambda one: (one.alpha_2 != HOME, one.name))
    return {one.alpha_2: one.name for one in every}


def states(country_code: str) -> dict[str, str]:
    """Code without the country's prefix, and name; of the home country where none is given."""
    return state_names(country_code or HOME)
