"""Columns of a company that follow from others: its place in lists, look-alikes, search. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directory.models import Company

# Dropped from the end of a name only: "Co Star Framing" is somebody else than "Star Framing Co".
LEGAL_SUFFIXES = frozenset(
    {"co", "company", "corp", "corporation", "gmbh", "inc", "incorporated", "limited", "llc"}
    | {"llp", "lp", "ltd", "pa", "pc", "plc", "pllc", "pty", "sa"}
)
LEGAL_FORMS = {
    "corporation": "corp",
    "incorporated": "inc",
    "limited": "ltd",
    **{form: form for form in ("corp", "gmbh", "inc", "llc", "llp", "lp", "ltd", "pa", "pc")},
    **{form: form for form in ("plc", "pllc", "sa")},
}
JOINED_SIGNS = re.compile("[.'`\u2019]")
WORD = re.compile(r"\w+")
NOT_A_DIGIT = re.compile(r"\D")
LONGEST_KEY = 255


def sort_name(name: str) -> str:
    """What lists are ordered by."""
    return name.strip().casefold()[:LONGEST_KEY]


def name_key(name: str) -> str:
    """What two spellings of one name share: "Star Framing" and "STAR FRAMING, L.L.C."."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("&", " and ")
    words = [word.strip("_") for word in WORD.findall(JOINED_SIGNS.sub("", plain))]
    words = [word for word in words if word]
    core = words[1:] if len(words) > 1 and words[0] == "the" else list(words)
    while len(core) > 1 and core[-1] in LEGAL_SUFFIXES:
        core.pop()
    return ("".join(core) or plain.strip())[:LONGEST_KEY]


def legal_form(name: str) -> str:
    """The legal form at the end of a name, the same for its spellings; empty where none is given.

    "Co" and "Company" are part of a name like any other, and say nothing of its form.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    words = WORD.findall(JOINED_SIGNS.sub("", plain))
    return LEGAL_FORMS.get(words[-1], "") if words else ""


def digits(text: str) -> str:
    """The digits of a phone number, ZIP code or tax number."""
    return NOT_A_DIGIT.sub("", text)


def search_text(company: Company) -> str:
    """Everything a search looks at, in lower case; numbers also without their punctuation."""
    numbers = (company.business_phone, company.mobile_phone, company.zip, company.entity_id)
    texts = (company.name, company.trade_name, company.city, *numbers, company.notes)
    bare = [digits(number) for number in numbers if digits(number) != number]
    return "\n".join(text for text in (*texts, *bare) if text).lower()


def prepare(company: Company) -> Company:
    """Set the derived columns of an unsaved or edited company, and return it."""
    company.sort_name = sort_name(company.name)
    company.name_key = name_key(company.name)
    company.search_text = search_text(company)
    return company
