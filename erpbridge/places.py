"""Country and state codes from the codes or names that people type and files hold."""

from __future__ import annotations

from functools import lru_cache

import pycountry

# Whose states are meant where no country is given; their codes rarely contradict each other.
WITHOUT_COUNTRY = ("US", "CA", "AU")
ABBREVIATIONS = {"us": "US", "uk": "GB"}


@lru_cache(maxsize=2048)
def country_code(text: str) -> str:
    """The ISO 3166 alpha-2 code of a country's code or name; empty where there is none."""
    word = text.strip().casefold().replace(".", "")
    try:
        return ABBREVIATIONS.get(word) or str(pycountry.countries.lookup(word).alpha_2)
    except LookupError:
        return ""


@lru_cache(maxsize=8192)
def state_code(text: str, country: str) -> str:
    """The code of a state's code or name; empty where the country has no such state."""
    word = text.strip().casefold()
    for place in (country,) if country else WITHOUT_COUNTRY:
        found = _states(place).get(word.removeprefix(f"{place.casefold()}-"))
        if found:
            return found
    return ""


@lru_cache(maxsize=300)
def _states(country: str) -> dict[str, str]:
    """Code and name, in lower case, to the code without its country."""
    found: dict[str, str] = {}
    every = pycountry.subdivisions.get(country_code=country)  # type: ignore[no-untyped-call]
    for state in every or ():
        code = state.code.partition("-")[2]
        found[state.name.casefold()] = code
        found[code.casefold()] = code
    return found
