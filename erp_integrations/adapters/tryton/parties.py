"""Vendors as Tryton's parties, with an address, contact mechanisms and a tax identifier.

A party may have several of each; the first active one of a kind is taken for the company's.
A value that the company no longer has is deactivated in Tryton, never deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from erp_integrations.adapters import tax_ids
from erp_integrations.adapters.base import AdapterError, Command, ErrorClass, Operation
from erp_integrations.adapters.tryton.manifest import (
    ADDRESS,
    MECHANISMS,
    VENDOR_FIELDS,
    VENDOR_ID,
    VENDOR_TYPE,
)
from erp_integrations.adapters.tryton.options import Options
from erp_integrations.adapters.tryton.records import (
    Records,
    Refer,
    Values,
    changed,
    text,
)
from erp_integrations.adapters.tryton.refusals import error
from erp_integrations.adapters.tryton.rest import Rest, Row

EIN = "us_ein"
COUNTRY = "country.country"
SUBDIVISION = "country.subdivision"
CATEGORY = "party.category"
NAMED = {COUNTRY: "country", SUBDIVISION: "state"}


class Parties(Records):
    """Parties; the key is the code, which is unique in Tryton."""

    model = "party.party"
    parts = ("addresses", "contact_mechanisms", "identifiers")
    fields = (
        "code",
        "name",
        "active",
        "addresses.street",
        "addresses.city",
        "addresses.postal_code",
        "addresses.country.code",
        "addresses.subdivision.code",
        "contact_mechanisms.type",
        "contact_mechanisms.value",
        "identifiers.type",
        "identifiers.code",
        "categories",
    )

    def __init__(self, rest: Rest, options: Options) -> None:
        super().__init__(rest, options)
        # A batch of vendors looks up each country, state and category once.
        self.known: dict[tuple[str, str], int] = {}

    def wanted(self, command: Command) -> Values:
        """The party's values, normalized as Tryton stores them."""
        if command.operation is Operation.DEACTIVATE:
            return {"is_active": False}
        payload = command.payload
        wanted: Values = {"name": text(payload.get("name"))}
        wanted |= _address(payload, self.options.home_country)
        wanted |= {name: text(payload.get(name)) for name in MECHANISMS}
        wanted["entity_id"] = tax_ids.employer_number(payload)
        wanted["is_active"] = payload.get("is_active", True) not in (False, None, "", 0)
        wanted[VENDOR_ID] = text(command.acceptance.get(VENDOR_ID)) or text(command.key)
        if category := text(command.acceptance.get(VENDOR_TYPE)):
            wanted[VENDOR_TYPE] = category
        return wanted

    def wire_names(self) -> Mapping[str, str]:
        """Tryton's field names, as in the manifest."""
        names = {field.name: field.erp_name for field in VENDOR_FIELDS}
        return {"name": "name", **names, VENDOR_ID: "code", VENDOR_TYPE: "categories"}

    def creation(self, wanted: Values, refer: Refer) -> Values:
        """The message that creates a party with its address, contacts and identifier.

        One message, so that Tryton stores all of it or nothing.
        """
        message = {
            "code": wanted[VENDOR_ID],
            "name": wanted["name"],
            "active": wanted["is_active"],
        }
        if address := _on_wire(wanted, [name for name in ADDRESS if wanted[name]], refer):
            message["addresses"] = [["create", [address]]]
        mechanisms = [_mechanism(name, wanted[name]) for name in MECHANISMS if wanted[name]]
        if mechanisms:
            message["contact_mechanisms"] = [["create", mechanisms]]
        if wanted["entity_id"]:
            message["identifiers"] = [["create", [{"type": EIN, "code": wanted["entity_id"]}]]]
        if VENDOR_TYPE in wanted:
            message["categories"] = [["add", [refer(CATEGORY, wanted[VENDOR_TYPE])]]]
        return message

    def difference(self, wanted: Values, row: Row, refer: Refer) -> Values:
        """The message with the changed values only. The code of a party is never changed."""
        current = self.data(row)
        if wanted[VENDOR_ID] != current[VENDOR_ID]:
            problem = f"The party's code is {current[VENDOR_ID]}; erpbridge does not change codes."
            raise AdapterError(error(ErrorClass.INVALID, problem, field=VENDOR_ID))
        message = {
            {"name": "name", "is_active": "active"}[name]: value
            for name, value in changed(wanted, current, ["name", "is_active"]).items()
        }
        actions = {
            "addresses": _address_actions(wanted, current, row["addresses"], refer),
            "contact_mechanisms": list(_mechanism_actions(wanted, current, row)),
            "identifiers": _identifier_actions(wanted, current, row["identifiers"]),
            "categories": _category_actions(wanted, row["categories"], refer),
        }
        return {**message, **{name: values for name, values in actions.items() if values}}

    def data(self, row: Row) -> Values:
        """The party's values: of its first address, and its first contact and tax identifier."""
        address: Row = next(iter(row["addresses"]), {})
        mechanisms = _firsts(row["contact_mechanisms"], "value")
        number = text(_firsts(row["identifiers"], "code").get(EIN))
        country = text((address.get("country") or {}).get("code"))
        # Tryton's codes of subdivisions contain the country, such as US-TX.
        return {
            "name": text(row["name"]),
            "address": text(address.get("street")),
            "city": text(address.get("city")),
            "state_code": text((address.get("subdivision") or {}).get("code")).removeprefix(
                f"{country}-"
            ),
            "zip": text(address.get("postal_code")),
            "country_code": country,
            **{name: text(mechanisms.get(kind)) for name, (_, kind) in MECHANISMS.items()},
            "entity_id": number,
            "entity_type": "ein" if number else "",
            "is_active": bool(row["active"]),
            VENDOR_ID: text(row["code"]),
            VENDOR_TYPE: ",".join(str(category) for category in sorted(row["categories"])),
        }

    def everything(self) -> list[object]:
        """All parties."""
        return []

    def refer(self, model: str, name: str) -> object:
        """The ID of a country or subdivision by its code, or of a category by its number."""
        if model == CATEGORY:
            return self._category(name)
        if (model, name) not in self.known:
            rows = self.rest.search(model, [["code", "=", name]], ["code"], most=1)
            if not rows:
                noun = NAMED[model]
                message = f"Tryton has no {noun} “{name}”."
                field = "country_code" if model == COUNTRY else "state_code"
                raise AdapterError(error(ErrorClass.MISSING_REF, message, field=field))
            self.known[model, name] = int(rows[0]["id"])
        return self.known[model, name]

    def _category(self, number: str) -> int:
        cache_key = (CATEGORY, number)
        if cache_key not in self.known:
            category_id = int(number) if number.isascii() and number.isdecimal() else 0
            # A search leaves out inactive categories; reading one by its ID would not.
            if not self.rest.search(CATEGORY, [["id", "=", category_id]], ["name"], most=1):
                message = f"Tryton has no active party category {number}."
                raise AdapterError(error(ErrorClass.MISSING_REF, message, field=VENDOR_TYPE))
            self.known[cache_key] = category_id
        return self.known[cache_key]


def _address(payload: Mapping[str, object], home_country: str) -> Values:
    """Values of the address; the home country if it has none. A country alone is no address."""
    address = {name: text(payload.get(name)) for name in ADDRESS}
    if not any(value for name, value in address.items() if name != "country_code"):
        return dict.fromkeys(ADDRESS, "")
    # Tryton finds a state only within its country.
    address["country_code"] = (address["country_code"] or home_country).upper()
    address["state_code"] = address["state_code"].upper()
    return address


def _on_wire(wanted: Values, names: Sequence[str], refer: Refer) -> Values:
    """The named address values as Tryton's fields; None for empty ones."""
    country = wanted["country_code"]
    references = {"country_code": (COUNTRY, country)}
    references["state_code"] = (SUBDIVISION, f"{country}-{wanted['state_code']}")
    return {
        ADDRESS[name][1]: None
        if not wanted[name]
        else refer(*references[name])
        if name in references
        else wanted[name]
        # The country first, so that an unknown country is reported before its state.
        for name in sorted(names, key=lambda name: name != "country_code")
    }


def _mechanism(name: str, value: str) -> Values:
    return {"type": MECHANISMS[name][1], "value": value}


def _address_actions(
    wanted: Values, current: Values, addresses: Sequence[Row], refer: Refer
) -> list[object]:
    names = list(changed(wanted, current, list(ADDRESS)))
    if not names:
        return []
    if not any(wanted[name] for name in ADDRESS):
        return [["write", [addresses[0]["id"]], {"active": False}]]
    if not addresses:
        return [["create", [_on_wire(wanted, [name for name in ADDRESS if wanted[name]], refer)]]]
    if "country_code" in names and "state_code" not in names:
        # Subdivisions belong to a country: the old one is not valid in the new country.
        names.append("state_code")
    return [["write", [addresses[0]["id"]], _on_wire(wanted, names, refer)]]


def _mechanism_actions(wanted: Values, current: Values, row: Row) -> Iterator[list[object]]:
    for name, value in changed(wanted, current, list(MECHANISMS)).items():
        kind = MECHANISMS[name][1]
        ids = [contact["id"] for contact in row["contact_mechanisms"] if contact["type"] == kind]
        # All contacts of the kind, or the next one would be taken for the company's.
        if not value:
            yield ["write", ids, {"active": False}]
        elif ids:
            yield ["write", ids[:1], {"value": value}]
        else:
            yield ["create", [_mechanism(name, value)]]


def _identifier_actions(
    wanted: Values, current: Values, identifiers: Sequence[Row]
) -> list[object]:
    number = wanted["entity_id"]
    if number == current["entity_id"]:
        return []
    ids = [identifier["id"] for identifier in identifiers if identifier["type"] == EIN]
    # All of them, for the same reason as with contacts.
    if not number:
        return [["write", ids, {"active": False}]]
    if ids:
        return [["write", ids[:1], {"code": number}]]
    return [["create", [{"type": EIN, "code": number}]]]


def _category_actions(wanted: Values, current: Sequence[int], refer: Refer) -> list[object]:
    """Add the category; the party's other categories stay."""
    category = wanted.get(VENDOR_TYPE)
    if not category or category in {str(category_id) for category_id in current}:
        return []
    return [["add", [refer(CATEGORY, category)]]]


def _firsts(rows: Sequence[Row], name: str) -> Values:
    """Type -> the named value of its first row."""
    values: Values = {}
    for row in rows:
        values.setdefault(row["type"], row[name])
    return values
