"""Fields of the payloads that adapters get, for each record type: names, meanings and lengths.

``Command.payload`` has these fields and no others. A manifest's ``Field.name`` is one of them. What
an approver enters is not here: an adapter declares it (``EntityManifest.acceptance_fields``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from erp_integrations.adapters.base import EntityManifest

# In ``Found.data``, ``WireField.source`` and ``ErpError.field``: the ERP ID of the record's parent,
# which a command has as ``parent_erp_id``.
PARENT = "parent"


class Kind(StrEnum):
    """What a field of a payload holds: a text, True or False, or a list of texts."""

    TEXT = "text"
    FLAG = "flag"
    TEXTS = "texts"


@dataclass(frozen=True)
class PayloadField:
    """A field of a payload. ``length``: the most characters of a text, empty texts included."""

    name: str
    meaning: str
    kind: Kind = Kind.TEXT
    length: int | None = None


def _flag(name: str, meaning: str) -> PayloadField:
    return PayloadField(name, meaning, Kind.FLAG)


def _text(name: str, meaning: str, length: int) -> PayloadField:
    return PayloadField(name, meaning, Kind.TEXT, length)


VENDOR = (
    _text("name", "Name; never empty", 255),
    _text("abbreviated_name", "Abbreviated name", 10),
    _text("trade_name", "Name under which the company does business", 255),
    _text("entity_type", "Kind of the tax ID: ein, abn or other; empty without a tax ID", 10),
    _text("entity_id", "Tax ID, as it was entered", 30),
    _text("business_phone", "Business phone", 50),
    _text("mobile_phone", "Mobile phone", 50),
    _text("fax_number", "Business fax", 50),
    _text("email_address", "E-mail address", 254),
    _text("website", "Website", 255),
    _text("address", "Street and number", 255),
    _text("city", "City", 100),
    _text("state_code", "Code of the state, such as MD", 10),
    _text("zip", "ZIP or postal code", 20),
    _text("country_code", "Country, as two letters of ISO 3166", 2),
    _text("license_number", "License number", 100),
    _text("labor_union", "Labor union", 100),
    _flag("union_member", "Whether it is a member of the union"),
    _flag("non_union_prevailing_wage", "Whether it pays prevailing wages without a union"),
    _flag("prequalified", "Whether it is prequalified"),
    _flag("authorized_bidder", "Whether it may bid"),
    _text("notes", "Tags and keywords", 1000),
    _flag("is_active", "Whether it is active"),
)
COST_CODE = (
    _text("code", "Code of the last tier; never empty", 30),
    _text("full_code", "Code with those of the tiers above, in the ERP's format", 155),
    _text("description", "Description; never empty", 255),
    PayloadField("path", "Codes of the tiers, beginning with the first", Kind.TEXTS),
    _flag("is_group", "Whether other codes are under it"),
    _flag("is_active", "Whether it is active"),
)
PAYLOADS: Mapping[str, tuple[PayloadField, ...]] = {"vendor": VENDOR, "cost_code": COST_CODE}


def payload_names(entity: str) -> frozenset[str]:
    """The names of the payload fields of a record type."""
    return frozenset(field.name for field in PAYLOADS[entity])


def payload_length(entity: str, name: str) -> int:
    """The most characters that a text of the payload has; 0 for another kind of field."""
    return next((field.length or 0 for field in PAYLOADS[entity] if field.name == name), 0)


def known_names(manifest: EntityManifest) -> frozenset[str]:
    """All names for values of a record: payload and acceptance fields, and the parent."""
    accepted = {field.name for field in manifest.acceptance_fields}
    return payload_names(manifest.entity) | accepted | {PARENT}
