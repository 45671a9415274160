"""Invented firms in the format of a state's register of certified businesses.

The same seed gives the same firms. Names, phone numbers and addresses are not real: phones use the
exchange 555, websites the reserved domain .example.
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
# The shortest limit of an ERP: docs/design/directory-and-companies.md, "Length of names".
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
# Work of a firm: word for a short name, words for a long name, NAICS code, description.
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
# City, state, first three digits of the ZIP code, area code.
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
    """``count`` firms with different names; a share of ``long_names`` has more than 30 characters.

    Long names are spread evenly, so that the first n firms contain the same share.
    """
    rng = random.Random(seed)  # noqa: S311 - the same firms each time, nothing secret
    taken: set[str] = set()
    rows = []
    for number in range(count):
        is_long = int((number + 1) * long_names) > int(number * long_names)
        rows.append(_firm(rng, taken, number=number, is_long=is_long))
    return rows


def csv_text(rows: Iterable[Firm]) -> str:
    """The firms as a CSV file with a header row."""
    text = io.StringIO(newline="")
    out = csv.DictWriter(text, COLUMNS)
    out.writeheader()
    out.writerows(rows)
    return text.getvalue()


def _firm(rng: random.Random, taken: set[str], *, number: int, is_long: bool) -> Firm:
    work = rng.choice(WORK)
    name = _name(rng, work, taken, is_long=is_long)
    city, state, zip_start, area = rng.choice(CITIES)
    certificate = rng.choice(CERTIFICATIONS)
    return {
        "name": name,
        "address": f"{rng.randint(10, 9899)} {rng.choice(STREETS)} {rng.choice(KINDS)}",
        "city": city,
        "state_code": state,
        "zip": f"{zip_start}{rng.randint(1, 99):02}" + rng.choice(("", "", "-4730")),
        "country_code": "US",
        # The number makes phones differ, except among more than 10,000 firms of an area.
        "business_phone": f"{area}555{number % 10_000:04}",
        "fax_number": f"{area}555{rng.randint(0, 9999):04}" if rng.random() < 0.77 else "",
        "website": _website(name) if rng.random() < 0.68 else "",
        "license_number": f"{rng.randint(3, 17):02}-{number % 1000:03}",
        "naics": f"{work[2]}-{certificate}",
        "certification": certificate,
        "trades": f"{work[3]} specifically {work[1].lower()} for public and private owners",
    }


def _name(
    rng: random.Random, work: tuple[str, str, str, str], taken: set[str], *, is_long: bool
) -> str:
    """A name that is not taken, different in more than its legal form."""
    while True:
        first = rng.choice((*FAMILIES, *PLACES))
        if rng.random() < 0.4:
            first = f"{first} {rng.choice(('& ', 'and ', ''))}{rng.choice(FAMILIES)}"
        words = f"{first} {work[1 if is_long else 0]}"
        name = words + rng.choice(FORMS)
        key = fold(words.replace("&", "and"))
        if key not in taken and (len(name) > LONG) == is_long:
            taken.add(key)
            return name


def _website(name: str) -> str:
    plain = "".join(sign for sign in name.lower() if sign.isascii() and sign.isalnum())
    return f"http://www.{plain[:40]}.example"
