"""What the ledger takes, and the settings of a connection to it."""

from __future__ import annotations

from erp_integrations.adapters.base import (
    AcceptanceField,
    Batches,
    Delivery,
    EntityManifest,
    Feed,
    Field,
    Manifest,
    Operation,
    Rate,
    Rule,
    RuleKind,
    Setting,
    SettingKind,
)

VENDOR = "vendor"
CODE = "code"
TYPE = "vendor_type"
ACCOUNT = "payable_account"


def _text(name: str, label: str, erp_name: str, most: int, *more: Rule) -> Field:
    return Field(name, label, erp_name, (*more, Rule(RuleKind.MAX_LENGTH, name, most)))


# Payload fields, with the names and the limits of the ledger's columns.
FIELDS = (
    _text("name", "Name", "name", 40, Rule(RuleKind.PRESENT, "name")),
    _text("address", "Address", "street", 60),
    _text("city", "City", "city", 40),
    _text("zip", "ZIP", "zip", 10),
    _text("email_address", "Email", "email", 100),
    Field("is_active", "Active", "active"),
)
ACCEPTANCE_FIELDS = (
    AcceptanceField(TYPE, "Vendor type", choices=TYPE),
    # Only accounts of this kind are offered, as the ledger's list names it.
    AcceptanceField(ACCOUNT, "Payable account", choices=ACCOUNT, group="liability account"),
    AcceptanceField(
        CODE,
        "Vendor code",
        rules=(Rule(RuleKind.MAX_LENGTH, CODE, 12), Rule(RuleKind.CHARSET, CODE, "A-Z0-9-")),
        proposal="mnemonic",
    ),
)
# The ledger's column -> the name of the payload or acceptance field.
NAMES = {field.erp_name: field.name for field in FIELDS} | {
    "code": CODE,
    "type": TYPE,
    "account": ACCOUNT,
}
VENDORS = EntityManifest(
    entity=VENDOR,
    label="Vendor",
    operations=frozenset(Operation),
    fields=FIELDS,
    key=(CODE,),
    key_case_sensitive=True,
    acceptance_fields=ACCEPTANCE_FIELDS,
    imports=True,
    feed=Feed.DELETIONS,
    batches=Batches(create=50, update=50, deactivate=50, find=50),
    shows=(CODE, "name", TYPE, "city", "zip"),
)
MANIFEST = Manifest(
    key="http-ledger",
    label="HTTP ledger",
    short_name="HTTP",
    vendor="Example",
    tested_versions="1",
    delivery=Delivery.SYNC,
    verification="An example: a ledger called over HTTP, tested with the conformance kit.",
    entities={VENDOR: VENDORS},
    settings=(
        Setting(
            "url",
            "Address",
            kind=SettingKind.URL,
            help="Of the ledger, such as http://127.0.0.1:8765",
            identity=True,
        ),
        Setting("key", "API key", kind=SettingKind.SECRET),
    ),
    # More than the one call of ten seconds that every method makes.
    call_deadline=20.0,
    concurrency=4,
    # The ledger finishes a write that it has received, though its caller has left. It takes less
    # than a second for that; the rest is for a proxy that holds the request back.
    settles_within=30.0,
    can_fetch=True,
    rate=Rate(per_minute=600),
)
