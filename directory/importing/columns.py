"""Map the columns of a file to fields: the possible fields, and a proposal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Field

from directory.models import Company, EntityType
from erpbridge.db.text import fold
from erpbridge.files.table import Table

IGNORE = ""
ROW_KIND = "row_kind"
TEXTS = (
    "name",
    "abbreviated_name",
    "trade_name",
    "entity_id",
    "business_phone",
    "mobile_phone",
    "fax_number",
    "website",
    "address",
    "city",
    "zip",
    "license_number",
    "labor_union",
    "notes",
)
FLAGS = ("union_member", "non_union_prevailing_wage", "prequalified", "authorized_bidder")
# In a column of one register's numbers, the column gives the type of each number.
REGISTERS = {"ein": EntityType.EIN, "abn": EntityType.ABN}
OTHERS = {
    **{name: f"Entity ID: {kind.label}" for name, kind in REGISTERS.items()},
    "trades": "Trades (separated by ;)",
    "classifications": "Business classifications (separated by ;)",
    ROW_KIND: "Person / Vendor (people are left out)",
}
# Headings in files of other programs, best first: Procore's export, state license registers.
HEADINGS = {
    "name": (
        "name",
        "company",
        "company name",
        "vendor name",
        "full business name",
        "business name",
        "vendor",
    ),
    "abbreviated_name": ("abbreviated name", "short name", "abbreviation"),
    "trade_name": ("trade name", "dba", "doing business as", "bus name 2"),
    "entity_type": ("entity type",),
    "entity_id": ("entity id", "tax id", "tax number", "tax identification number"),
    "ein": ("ein", "entity id ein", "fein", "federal ein", "federal tax id", "federal id"),
    "abn": ("abn", "entity id abn", "australian business number"),
    "business_phone": ("business phone", "phone", "phone number", "telephone"),
    "mobile_phone": ("mobile phone", "mobile", "cell phone", "cell"),
    "fax_number": ("fax number", "business fax", "fax"),
    "email_address": ("email address", "e mail address", "email", "e mail"),
    "website": ("website", "web site", "url"),
    "address": ("address", "street address", "mailing address", "street"),
    "city": ("city", "town"),
    "state_code": ("state code", "state", "province", "state province"),
    "zip": ("zip", "zip code", "postal code", "postcode"),
    "country_code": ("country code", "country"),
    "license_number": ("license number", "licence number", "license no", "license"),
    "labor_union": ("labor union", "union"),
    "union_member": ("union member",),
    "non_union_prevailing_wage": ("non union prevailing wage",),
    "prequalified": ("prequalified",),
    "authorized_bidder": ("authorized bidder",),
    "trades": ("trades", "trade", "trade s"),
    "notes": ("notes", "tags keywords", "tags", "keywords"),
    "classifications": ("classifications", "business classifications"),
    ROW_KIND: ("person vendor",),
}
TAX_IDS = ("entity_id", *REGISTERS)
# Not the comma, which occurs within the names of trades.
SEPARATOR = re.compile(r"[;|]")
# A longer text describes what a company does and is not the name of a trade.
LONGEST_LIKELY_TRADE = 60


def model_field(name: str) -> Field[Any, Any]:
    """The model field of a company's column."""
    column = Company._meta.get_field(name)
    assert isinstance(column, Field)
    return column


def field_label(field: str) -> str:
    """The label of a field on the pages."""
    if field in OTHERS:
        return OTHERS[field]
    return str(model_field(field).verbose_name)


def short_label(field: str) -> str:
    """The label without its hint, for messages about a cell."""
    return field_label(field).partition(" (")[0]


def choices() -> list[tuple[str, str]]:
    """After "Ignore", all fields that a column can be mapped to, in record page order."""
    return [(IGNORE, "Ignore this column")] + [(field, field_label(field)) for field in HEADINGS]


def proposed(table: Table) -> dict[str, str]:
    """Position of a column (as text) -> field, for known headings."""
    # Reversed, so that of two columns with the same heading the first is proposed.
    places = {_key(heading): place for place, heading in reversed([*enumerate(table.header)])}
    columns: dict[str, int] = {}
    for field, headings in HEADINGS.items():
        # The name of the field itself too, as in the API.
        matching = [places[key] for key in map(_key, (*headings, field)) if key in places]
        if matching:
            columns[field] = matching[0]
    _keep_descriptions_out_of_trades(columns, table)
    return {str(place): field for field, place in columns.items()}


def chosen(answers: Mapping[str, str], header: Sequence[str]) -> dict[str, str]:
    """The mapping that the person chose; unknown fields are ignored."""
    fields = {str(place): answers.get(f"column-{place}", IGNORE) for place in range(len(header))}
    return {place: field for place, field in fields.items() if field in HEADINGS}


def problems(columns: Mapping[str, str], header: Sequence[str]) -> list[str]:
    """Why rows cannot be checked with this mapping."""
    messages = []
    for field in dict.fromkeys(columns.values()):
        names = [f"“{header[int(place)]}”" for place, other in columns.items() if other == field]
        if len(names) > 1:
            messages.append(
                f"{short_label(field)} can take one column; chosen: {', '.join(names)}."
            )
    numbers = [short_label(field) for field in TAX_IDS if field in columns.values()]
    if len(numbers) > 1:
        messages.append(f"An entity ID can come from one column; chosen: {', '.join(numbers)}.")
    if "name" not in columns.values():
        messages.append("Choose the column that holds the company's name.")
    return messages


def split(text: str) -> list[str]:
    """The names in a cell with several names."""
    return [part.strip() for part in SEPARATOR.split(text) if part.strip()]


def _key(heading: str) -> str:
    # "Zip-Code", "zip code" and "ZIP_CODE" are one heading.
    return re.sub(r"[\W_]+", "", fold(heading))


def _keep_descriptions_out_of_trades(columns: dict[str, int], table: Table) -> None:
    """Map a column of long free text to keywords instead of trades, if these are free."""
    if "trades" not in columns:
        return
    place = columns["trades"]
    names = (name for line in table.lines for name in split(line.cells[place]))
    if all(len(name) <= LONGEST_LIKELY_TRADE for name in names):
        return
    del columns["trades"]
    columns.setdefault("notes", place)
