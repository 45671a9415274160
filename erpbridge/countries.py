"""Country and state codes, from codes or names in forms and files."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache

from erpbridge.db.text import unaccented

# Countries that are tried when a state has no country, and whose states are all known.
KNOWN = ("US", "CA", "AU")
NAMES = {"US": "the United States", "CA": "Canada", "AU": "Australia"}
# Common names that are not in ISO 3166, as normalized by ``_normalized``.
ALIASES = {
    "america": "US",
    "bolivia": "BO",
    "britain": "GB",
    "brunei": "BN",
    "burma": "MM",
    "cape verde": "CV",
    "congo brazzaville": "CG",
    "congo kinshasa": "CD",
    "czech republic": "CZ",
    "democratic republic of congo": "CD",
    "dr congo": "CD",
    "drc": "CD",
    "east timor": "TL",
    "england": "GB",
    "great britain": "GB",
    "holland": "NL",
    "hong kong sar": "HK",
    "iran": "IR",
    "ivory coast": "CI",
    "laos": "LA",
    "macao sar": "MO",
    "macau": "MO",
    "macedonia": "MK",
    "micronesia": "FM",
    "moldova": "MD",
    "north korea": "KP",
    "northern ireland": "GB",
    "palestine": "PS",
    "republic of ireland": "IE",
    "republic of korea": "KR",
    "russia": "RU",
    "scotland": "GB",
    "south korea": "KR",
    "swaziland": "SZ",
    "syria": "SY",
    "taiwan": "TW",
    "tanzania": "TZ",
    "turkey": "TR",
    "turkiye": "TR",
    "uae": "AE",
    "uk": "GB",
    "us": "US",
    "vatican": "VA",
    "vatican city": "VA",
    "venezuela": "VE",
    "vietnam": "VN",
    "wales": "GB",
}
SIGNS = re.compile(r"[\s,()]+")


@dataclass(frozen=True)
class Place:
    """A state's code and its country; an unknown state is kept as the given text."""

    state: str
    country: str


class UnclearState(ValueError):
    """A text names no state, or more than one; the message is for the person who gave it."""


def country_code(text: str) -> str:
    """Return the ISO 3166 alpha-2 code of a country's code or name; empty if there is none."""
    return _countries().get(_normalized(text).removeprefix("the "), "")


# An import looks up the same few states for thousands of rows.
@lru_cache(maxsize=8192)
def located(text: str, country: str = "") -> Place:
    """Return a state by its code or name, with its country.

    :param country: its ISO code; without one, the country of :data:`KNOWN` that has the state.
    :raises UnclearState: when no country, or more than one, is possible.
    """
    if not text.strip():
        return Place("", country)
    countries = (country,) if country else KNOWN
    matches = {
        country_of_state: code
        for country_of_state in countries
        if (code := _code(text, country_of_state))
    }
    if len(matches) > 1:
        raise UnclearState(f"“{text[:40]}” is {_as_text(matches)}. Give the country too.")
    for country_of_state, code in matches.items():
        return Place(code, country_of_state)
    if not country:
        raise UnclearState(
            f"“{text[:40]}” is not a state of {NAMES['US']}, {NAMES['CA']} or {NAMES['AU']}. Use a "
            "code such as MD, or a name; or give its country too."
        )
    # Of other countries not every state is known, so their text is kept.
    if country in KNOWN:
        raise UnclearState(
            f"“{text[:40]}” is not a state of {NAMES[country]}. Use its code or its name."
        )
    return Place(text.strip(), country)


@cache
def state_names(country: str) -> dict[str, str]:
    """Return code (without the country's prefix) and name of every state of a country."""
    return dict(sorted(_states_by_country().get(country, ())))


@cache
def _states_by_country() -> dict[str, list[tuple[str, str]]]:
    """Return code and name of the states of all countries."""
    # Imported here, as below: only forms with addresses and imports need it.
    import pycountry

    states: dict[str, list[tuple[str, str]]] = defaultdict(list)
    # A copy that is dropped at the end: the library's own would stay, with indexes of 4 MB.
    for subdivision in pycountry.Subdivisions(pycountry.subdivisions.filename):
        code = subdivision.code.partition("-")[2]
        states[subdivision.country_code].append((code, subdivision.name))
    return dict(states)


def _as_text(matches: dict[str, str]) -> str:
    """Return the states that one code may mean, as text."""
    names = (
        f"{state_names(country)[code]} in {NAMES[country]}" for country, code in matches.items()
    )
    return " and ".join(names)


def _code(text: str, country: str) -> str:
    """Return a state's code by its code or name; empty if the country has no such state."""
    return _states(country).get(_normalized(text).removeprefix(f"{country.casefold()}-"), "")


@cache
def _states(country: str) -> dict[str, str]:
    """Return a map of normalized codes and names to the code without its country."""
    codes: dict[str, str] = {}
    for code, name in state_names(country).items():
        codes |= {_normalized(name): code, _normalized(code): code}
    return codes


@cache
def _countries() -> dict[str, str]:
    """Map normalized codes and names to the country code; ISO 3166 wins over aliases."""
    import pycountry

    codes: dict[str, str] = dict(ALIASES)
    for country in pycountry.countries:
        # In this order, so that a code wins over a name.
        for kind in ("official_name", "common_name", "name", "numeric", "alpha_3", "alpha_2"):
            name = _normalized(getattr(country, kind, ""))
            if name:
                codes[name.removeprefix("the ")] = str(country.alpha_2)
    return codes


def _normalized(text: str) -> str:
    """Normalize a name of a place: without accents, dots and case."""
    return SIGNS.sub(" ", unaccented(text.replace("&", " and ").replace(".", ""))).strip()
