"""Country and state codes from the codes or names that people type and files hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

import pycountry

from erpbridge.db.text import unaccented

# Whose states are meant where no country is given, and known for certain where one is.
KNOWN = ("US", "CA", "AU")
NAMES = {"US": "the United States", "CA": "Canada", "AU": "Australia"}
# What people call countries, beside the names and codes of ISO 3166, as ``_plain`` gives it.
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
    """A state's code and its country; of a state that no list knows, the text as it was given."""

    state: str
    country: str


class UnclearState(ValueError):
    """Why a text names no state, or more than one; a sentence for whoever gave it."""


def country_code(text: str) -> str:
    """The ISO 3166 alpha-2 code of a country's code or name; empty where there is none."""
    return _countries().get(_plain(text).removeprefix("the "), "")


@lru_cache(maxsize=8192)
def located(text: str, country: str = "") -> Place:
    """A state by its code or name, with the country it belongs to.

    :param country: its ISO code; without one it is that of :data:`KNOWN` which has the state.
    :raises UnclearState: when no country, or more than one, can be meant.
    """
    if not text.strip():
        return Place("", country)
    countries = (country,) if country else KNOWN
    found = {place: code for place in countries if (code := _code(text, place))}
    if len(found) > 1:
        raise UnclearState(f"“{text[:40]}” is {_both(found)}. Give the country too.")
    for place, code in found.items():
        return Place(code, place)
    if not country:
        raise UnclearState(
            f"“{text[:40]}” is no state of {NAMES['US']}, {NAMES['CA']} or {NAMES['AU']}. Use a "
            "code such as MD, or a name; or give its country too."
        )
    if country in KNOWN:
        raise UnclearState(
            f"“{text[:40]}” is no state of {NAMES[country]}. Use its code or its name."
        )
    return Place(text.strip(), country)


@cache
def state_names(country: str) -> dict[str, str]:
    """Code without the country's prefix, and name, of every state of a country."""
    every = pycountry.subdivisions.get(country_code=country)  # type: ignore[no-untyped-call]
    return dict(sorted((one.code.partition("-")[2], one.name) for one in every or ()))


def _both(found: dict[str, str]) -> str:
    """The states that one code may mean."""
    named = (f"{state_names(country)[code]} in {NAMES[country]}" for country, code in found.items())
    return " and ".join(named)


def _code(text: str, country: str) -> str:
    """The code of a country's state by code or name; empty where it has no such state."""
    return _states(country).get(_plain(text).removeprefix(f"{country.casefold()}-"), "")


@cache
def _states(country: str) -> dict[str, str]:
    """Code and name as they are compared, to the code without its country."""
    found: dict[str, str] = {}
    for code, name in state_names(country).items():
        found |= {_plain(name): code, _plain(code): code}
    return found


@cache
def _countries() -> dict[str, str]:
    """Every code and name of a country as it is compared, to its code; people's own names last."""
    found: dict[str, str] = dict(ALIASES)
    for country in pycountry.countries:
        for kind in ("official_name", "common_name", "name", "numeric", "alpha_3", "alpha_2"):
            name = _plain(getattr(country, kind, ""))
            if name:
                found[name.removeprefix("the ")] = str(country.alpha_2)
    return found


def _plain(text: str) -> str:
    """A name of a place as it is compared: without accents, dots and case."""
    return SIGNS.sub(" ", unaccented(text.replace("&", " and ").replace(".", ""))).strip()
