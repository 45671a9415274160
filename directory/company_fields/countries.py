"""Countries and states offered on the pages, by ISO 3166 code."""

from __future__ import annotations

from functools import cache

from erpbridge.countries import state_names

HOME = "US"


@cache
def countries() -> dict[str, str]:
    """Code -> name, the home country first."""
    # Imported here: most pages and processes name no country.
    import pycountry

    every = sorted(pycountry.countries, key=lambda item: (item.alpha_2 != HOME, item.name))
    return {country.alpha_2: country.name for country in every}


def states(country_code: str) -> dict[str, str]:
    """Code without the country's prefix -> name; of the home country if none is given."""
    return state_names(country_code or HOME)
