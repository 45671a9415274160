"""Invented firms in the shape of a state's register of certified businesses.

The same seed gives the same firms. No name, phone number or address belongs to anybody: phones use
the exchange 555, web addresses the reserved ending .example.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable

from erpbridge.db.text import fold

COLUMNS = (
    "name",
    "address",
    "city",
    "state_code",
    "zip",
    "country_code",
    "business_phone",
    "fax_number",
    "website",
    "license_number",
    "naics",
    "certification",
    "trades",
)
LONG = 30
SHARE_OF_LONG_NAMES = 0.28
FAMILIES = [
    "Ashdown",
    "Bellweather",
    "Brannoch",
    "Calloway-Reyes",
    "Corvane",
    "Dunmarrow",
    "Eastlake",
    "Ferrowick",
    "Galbrae",
    "Hollinsworth",
    "Ibarrola",
    "Jessamy",
    "Kestrelby",
    "Larkfield",
    "Marrowstone",
    "Nakashiro",
    "Oyelaran",
    "Pemberline",
    "Quillfeather",
    "Ravenhurst",
    "Sotheringham",
    "Thistlewood",
    "Umbergate",
    "Valdecasas",
    "Wexcombe",
    "Yarbrook",
    "Zellinger",
    "Núñez-Oria",
    "Béringuet",
    "Østergren",
    "Gärtnerhof",
    "D'Amarro",
    "O'Fenlon",
    "Szczepanek",
    "Tŭvelli",
    "Langevål",
    "Castañeira",
    "Lécuyer",
    "Müllenkamp",
    "Abernethy-Cole",
]
PLACES = [
    "Three Rivers",
    "Cedar Hollow",
    "Blue Heron",
    "Copper Ridge",
    "Old Mill",
    "North Quay",
    "Granite Point",
    "Saltmarsh",
    "Twin Elms",
    "High Meadow",
    "Redstone",
    "Foxglove",
    "Ironbridge",
    "Willow Bend",
    "Stonegate",
    "Harbor Light",
    "Juniper Hill",
    "Lantern Lane",
    "Millrace",
    "Osprey Creek",
]
# What a firm does: short word for its name, long words for a long name, code, text of its work.
WORK = (
    ("Electric", "Electrical Systems & Controls", "238210", "Electrical contractors"),
    ("Plumbing", "Plumbing, Heating & Drainage", "238220", "Plumbing and heating contractors"),
    ("Masonry", "Masonry Restoration & Stonework", "238140", "Masonry contractors"),
    ("Framing", "Framing and Rough Carpentry", "238130", "Framing contractors"),
    ("Roofing", "Roofing & Waterproofing Systems", "238160", "Roofing contractors"),
    ("Paving", "Asphalt Paving & Site Development", "237310", "Highway and street construction"),
    ("Drywall", "Drywall, Insulation & Acoustics", "238310", "Drywall and insulation contractors"),
    ("Painting", "Painting and Industrial Coatings", "238320", "Painting contractors"),
    ("Steel", "Structural Steel & Ornamental Iron", "238120", "Structural steel contractors"),
    ("Glass", "Glass, Glazing & Curtain Walls", "238150", "Glass and glazing contractors"),
    ("Concrete", "Concrete Foundations & Flatwork", "238110", "Poured concrete contractors"),
    ("Hauling", "Trucking, Hauling & Aggregates", "484220", "Local specialized freight trucking"),
    ("Survey", "Land Surveying & Laser Scanning", "541370", "Surveying and mapping"),
    ("Landscapes", "Landscape Design & Maintenance", "561730", "Landscaping services"),
)
FORMS = (
    ", LLC",
    ", Inc.",
    " Inc",
    " Co.",
    " LLC",
    " Corporation",
    ", L.P.",
    "",
    " & Sons",
    " Group",
)
CERTIFICATIONS = ("WBE", "SBE", "DBE", "MBE", "MBE/DBE/SBE", "NR (SBE only)")
# City, state, the first three digits of its ZIP codes, area code.
CITIES = (
    ("Baltimore", "MD", "212", "410"),
    ("Silver Spring", "MD", "209", "301"),
    ("Frederick", "MD", "217", "240"),
    ("Annapolis", "MD", "214", "443"),
    ("Columbia", "MD", "210", "667"),
    ("Alexandria", "VA", "223", "703"),
    ("Richmond", "VA", "232", "804"),
    ("Lancaster", "PA", "176", "717"),
    ("Wilmington", "DE", "198", "302"),
    ("Washington", "DC", "200", "202"),
    ("Trenton", "NJ", "086", "609"),
    ("Raleigh", "NC", "276", "919"),
)
STREETS = ("Quarry", "Foundry", "Tidewater", "Orchard", "Signal", "Canal", "Mercer", "Larch")
KINDS = ("Street", "Road", "Avenue", "Court", "Blvd., Suite 8")

Firm = dict[str, str]


def firms(count: int, *, seed: int = 1, long_names: float = SHARE_OF_LONG_NAMES) -> list[Firm]:
    """``count`` firms with different names; the share ``long_names`` has names over 30 characters.

    Which ones are long is spread evenly, so the first n of them hold the same share.
    """
    chance = random.Random(seed)  # noqa: S311 - the same firms each time, nothing secret
    taken: set[str] = set()
    found = []
    for place in range(count):
        is_long = int((place + 1) * long_names) > int(place * long_names)
        found.append(_firm(chance, taken, number=place, is_long=is_long))
    return found


def csv_text(rows: Iterable[Firm]) -> str:
    """The firms as a CSV file with a heading."""
    text = io.StringIO(newline="")
    out = csv.DictWriter(text, COLUMNS)
    out.writeheader()
    out.writerows(rows)
    return text.getvalue()


def _firm(chance: random.Random, taken: set[str], *, number: int, is_long: bool) -> Firm:
    work = chance.choice(WORK)
    name = _name(chance, work, taken, is_long=is_long)
    city, state, zip_start, area = chance.choice(CITIES)
    certificate = chance.choice(CERTIFICATIONS)
    return {
        "name": name,
        "address": f"{chance.randint(10, 9899)} {chance.choice(STREETS)} {chance.choice(KINDS)}",
        "city": city,
        "state_code": state,
        "zip": f"{zip_start}{chance.randint(1, 99):02}" + chance.choice(("", "", "-4730")),
        "country_code": "US",
        # The number makes phones differ; nine in ten thousand firms share one at most.
        "business_phone": f"{area}555{number % 10_000:04}",
        "fax_number": f"{area}555{chance.randint(0, 9999):04}" if chance.random() < 0.77 else "",
        "website": _website(name) if chance.random() < 0.68 else "",
        "license_number": f"{chance.randint(3, 17):02}-{number % 1000:03}",
        "naics": f"{work[2]}-{certificate}",
        "certification": certificate,
        "trades": f"{work[3]} specifically {work[1].lower()} for public and private owners",
    }


def _name(
    chance: random.Random, work: tuple[str, str, str, str], taken: set[str], *, is_long: bool
) -> str:
    """A name nobody has yet, told apart by more than its legal form."""
    while True:
        first = chance.choice((*FAMILIES, *PLACES))
        if chance.random() < 0.4:
            first = f"{first} {chance.choice(('& ', 'and ', ''))}{chance.choice(FAMILIES)}"
        words = f"{first} {work[1 if is_long else 0]}"
        name = words + chance.choice(FORMS)
        key = fold(words.replace("&", "and"))
        if key not in taken and (len(name) > LONG) == is_long:
            taken.add(key)
            return name


def _website(name: str) -> str:
    plain = "".join(sign for sign in name.lower() if sign.isascii() and sign.isalnum())
    return f"http://www.{plain[:40]}.example"
