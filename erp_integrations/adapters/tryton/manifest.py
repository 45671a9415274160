"""Manifest of Tryton: fields, acceptance fields and settings.

Tryton has no length limits; customers set their own in the connection.
"""

from __future__ import annotations

from collections.abc import Mapping

from erp_integrations.adapters.base import (
    AcceptanceField,
    Batches,
    CodeFormat,
    Delivery,
    EntityManifest,
    Feed,
    Field,
    Manifest,
    Operation,
    Rule,
    RuleKind,
    Setting,
    SettingKind,
)
from erp_integrations.adapters.code_settings import SETTINGS as CODE_SETTINGS
from erp_integrations.adapters.tryton.options import (
    HOME_COUNTRY,
    ID_LIMIT,
    NAME_LIMIT,
    read_options,
)

VENDOR = "vendor"
COST_CODE = "cost_code"
VENDOR_ID = "vendor_id"
VENDOR_TYPE = "vendor_type"
CALL_DEADLINE = 40.0
SETTLES_WITHIN = 30.0
# About a second of work for Tryton: docs/design/tryton.md, "Speed".
BATCHES = Batches(create=20, update=20, deactivate=20, find=50)
OPERATIONS = frozenset({Operation.CREATE, Operation.UPDATE, Operation.DEACTIVATE})

# Payload field -> label, and Tryton's name: a field of the address, a type of contact mechanism.
ADDRESS = {
    "address": ("Address", "street"),
    "city": ("City", "city"),
    "state_code": ("State", "subdivision"),
    "zip": ("ZIP", "postal_code"),
    "country_code": ("Country", "country"),
}
MECHANISMS = {
    "business_phone": ("Business phone", "phone"),
    "mobile_phone": ("Mobile phone", "mobile"),
    "fax_number": ("Fax", "fax"),
    "email_address": ("Email", "email"),
    "website": ("Website", "website"),
}
VENDOR_FIELDS = (
    *(Field(name, label, f"addresses.{on_wire}") for name, (label, on_wire) in ADDRESS.items()),
    *(
        Field(name, label, f"contact_mechanisms.{on_wire}")
        for name, (label, on_wire) in MECHANISMS.items()
    ),
    Field("entity_id", "Tax ID", "identifiers.us_ein"),
    Field("is_active", "Active", "active"),
)
SETTINGS = (
    Setting(
        "url",
        "Address",
        kind=SettingKind.URL,
        help="Of the Tryton database, such as https://tryton.example.com/erp",
        identity=True,
    ),
    Setting(
        "key",
        "Key",
        kind=SettingKind.SECRET,
        help="An application key of kind REST that Tryton's administrator has validated.",
    ),
    Setting(
        "company",
        "Company number",
        kind=SettingKind.INTEGER,
        default=1,
        least=1,
        most=1_000_000_000,
        help="The ID of the company in Tryton.",
        identity=True,
    ),
    Setting(
        "root",
        "Root of the cost codes",
        default="COSTCODES",
        help="Code of the root analytic account that the standard cost codes are under.",
        identity=True,
    ),
    *CODE_SETTINGS,
    Setting(
        "name_limit",
        "Longest name",
        kind=SettingKind.INTEGER,
        default=NAME_LIMIT,
        least=10,
        most=1000,
        help="Tryton has no limit of its own; forms and bank files that follow it may.",
    ),
    Setting(
        "id_limit",
        "Longest vendor ID",
        kind=SettingKind.INTEGER,
        default=ID_LIMIT,
        least=4,
        most=40,
    ),
    Setting(
        "home_country",
        "Country of addresses that name none",
        default=HOME_COUNTRY,
        help="Two letters.",
    ),
)


def manifest(config: Mapping[str, object]) -> Manifest:
    """The manifest with the limits and the code format of a connection."""
    options = read_options(config)
    return Manifest(
        key="tryton",
        label="Tryton",
        short_name="Tryton",
        vendor="Tryton Foundation",
        tested_versions="8.0",
        delivery=Delivery.SYNC,
        verification="Level A: every test of erpbridge runs against a real Tryton, and what was "
        "exported is read back from Tryton's own database.",
        entities={
            VENDOR: _vendor(options.name_limit, options.id_limit),
            COST_CODE: _cost_code(options.name_limit, options.code_format),
        },
        settings=SETTINGS,
        call_deadline=CALL_DEADLINE,
        settles_within=SETTLES_WITHIN,
        can_fetch=True,
        # A Tryton on SQLite answers 500 to writes that overlap.
        concurrency=1,
    )


def _name(name: str, label: str, limit: int) -> Field:
    return Field(
        name, label, "name", (Rule(RuleKind.PRESENT, name), Rule(RuleKind.MAX_LENGTH, name, limit))
    )


def _vendor(name_limit: int, id_limit: int) -> EntityManifest:
    vendor_id = AcceptanceField(
        VENDOR_ID,
        "Vendor ID",
        rules=(Rule(RuleKind.MAX_LENGTH, VENDOR_ID, id_limit),),
        proposal="mnemonic",
        help=f"Becomes the party's code, which is unique. Up to {id_limit} characters.",
    )
    vendor_type = AcceptanceField(
        VENDOR_TYPE,
        "Party category",
        required=False,
        choices=VENDOR_TYPE,
        help="Added to the party's categories.",
    )
    return EntityManifest(
        entity=VENDOR,
        label="Party",
        operations=OPERATIONS,
        fields=(_name("name", "Name", name_limit), *VENDOR_FIELDS),
        key=(VENDOR_ID,),
        key_case_sensitive=True,
        acceptance_fields=(vendor_id, vendor_type),
        imports=True,
        feed=Feed.CHANGES,
        batches=BATCHES,
        shows=(VENDOR_ID, "name", VENDOR_TYPE, "city", "state_code", "business_phone"),
    )


def _cost_code(name_limit: int, code_format: CodeFormat) -> EntityManifest:
    return EntityManifest(
        entity=COST_CODE,
        label="Analytic account",
        operations=OPERATIONS,
        fields=(
            Field("full_code", "Code", "code", (Rule(RuleKind.PRESENT, "full_code"),)),
            _name("description", "Description", name_limit),
            Field("is_group", "Group", "type"),
        ),
        key=("full_code",),
        key_case_sensitive=True,
        imports=True,
        feed=Feed.CHANGES,
        batches=BATCHES,
        code_format=code_format,
        shows=("full_code", "description", "is_group"),
    )
