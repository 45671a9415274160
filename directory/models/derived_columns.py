"""Columns derived from other columns: sort order, look-alikes, search. No database access."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from erpbridge.db.text import LONGEST_KEY, fold, key
from erpbridge.db.text import search_text as searched

if TYPE_CHECKING:
    from directory.models import Company

# Removed from the end of a name only: "Co Star Framing" is not "Star Framing Co".
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
# Dropped without a gap: "L.L.C." is "llc", "O'Brien" is "obrien".
JOINED_SIGNS = re.compile("[.']")
WORD = re.compile(r"\w+")
NOT_A_DIGIT = re.compile(r"\D")


def sort_name(name: str) -> str:
    """The sort key of lists."""
    return key(name)


def name_key(name: str) -> str:
    """A key that is equal for spellings of one name: "Star Framing", "STAR FRAMING, L.L.C."."""
    plain = fold(name).replace("&", " and ")
    # To a regular expression an underscore is a letter.
    words = [word.strip("_") for word in WORD.findall(JOINED_SIGNS.sub("", plain))]
    words = [word for word in words if word]
    core = words[1:] if len(words) > 1 and words[0] == "the" else list(words)
    # More than one suffix may follow: "Co., Inc.". A firm that is called "Limited" keeps its only
    # word.
    while len(core) > 1 and core[-1] in LEGAL_SUFFIXES:
        core.pop()
    # A name of signs only has no words. A cut key may match too much, which is no more than a hint.
    return ("".join(core) or plain)[:LONGEST_KEY]


def legal_form(name: str) -> str:
    """The legal form at the end of a name, normalized; empty if there is none.

    "Co" and "Company" are part of the name and do not give a legal form.
    """
    words = WORD.findall(JOINED_SIGNS.sub("", fold(name)))
    return LEGAL_FORMS.get(words[-1], "") if words else ""


def digits(text: str) -> str:
    """The digits of a phone number, ZIP code or tax number."""
    return NOT_A_DIGIT.sub("", text)


def search_text(company: Company) -> str:
    """The text that is searched; numbers also without punctuation."""
    numbers = (company.business_phone, company.mobile_phone, company.zip, company.entity_id)
    texts = (company.name, company.trade_name, company.city, *numbers, company.notes)
    bare = [digits(number) for number in numbers if digits(number) != number]
    return searched(*texts, *bare)


def prepare(company: Company) -> Company:
    """Set the derived columns of a new or edited company, and return it."""
    # Neither ``save()`` nor an UPDATE computes these, unlike the folded columns of
    # ``erpbridge.db``.
    company.sort_name = sort_name(company.name)
    company.name_key = name_key(company.name)
    company.search_text = search_text(company)
    return company
