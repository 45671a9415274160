"""Payloads for cases: a value for every field, and a payload that notes what it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.adapters.payloads import PAYLOADS, Kind

SAMPLES: Mapping[str, Mapping[str, object]] = {
    "vendor": {
        "name": "Harbor Concrete Works",
        "abbreviated_name": "HARBOR",
        "trade_name": "Harbor Ready-Mix",
        "entity_type": "ein",
        "entity_id": "91-1144442",
        "business_phone": "(410) 555-0100",
        "mobile_phone": "(410) 555-0102",
        "fax_number": "(410) 555-0101",
        "email_address": "office@harbor.example",
        "website": "http://www.harbor.example",
        "address": "12 Dover Street",
        "city": "Easton",
        "state_code": "MD",
        "zip": "21601",
        "country_code": "US",
        "license_number": "MD-40-7731",
        "labor_union": "Laborers' Local 710",
        "union_member": True,
        "non_union_prevailing_wage": True,
        "prequalified": True,
        "authorized_bidder": True,
        "notes": "Ready-mix, pumps",
        "is_active": True,
    },
    "cost_code": {"description": "Structural Concrete", "is_group": True, "is_active": True},
}
BLANKS: Mapping[Kind, object] = {Kind.TEXT: "", Kind.FLAG: False, Kind.TEXTS: ()}


def blank(entity: str) -> dict[str, object]:
    """A payload with every field of the record type and no values."""
    values = {field.name: BLANKS[field.kind] for field in PAYLOADS[entity]}
    return values | ({"is_active": True} if "is_active" in values else {})


def samples(manifest: EntityManifest, overridden: Mapping[str, object]) -> dict[str, object]:
    """A value for every field of the record type that has one, cut to the manifest's limits.

    :param overridden: used in place of the kit's own values, and never cut.
    """
    values = dict(SAMPLES.get(manifest.entity, {}))
    for name, value in values.items():
        most = manifest.max_length(name)
        if isinstance(value, str) and most is not None:
            values[name] = value[:most].strip()
    return values | dict(overridden)


class NotedPayload(dict[str, object]):
    """A payload that notes the names that it is asked for and that no payload has."""

    def __init__(self, values: Mapping[str, object], known: frozenset[str]) -> None:
        super().__init__(values)
        self.known = known
        self.unknown: set[str] = set()

    def _note(self, name: object) -> None:
        if name not in self.known:
            self.unknown.add(str(name))

    def __getitem__(self, name: str) -> object:
        self._note(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._note(name)
        return super().__contains__(name)

    def get(self, name: str, default: object = None) -> object:
        """The value, noted like every other question."""
        self._note(name)
        return super().get(name, default)
