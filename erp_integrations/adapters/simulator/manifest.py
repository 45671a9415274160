"""Manifest of the simulator: fields, limits, acceptance fields and settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from erp_integrations.adapters.base import (
    MOST_IN_BATCH,
    AcceptanceField,
    Batches,
    Delivery,
    EntityManifest,
    Feed,
    Field,
    Manifest,
    Operation,
    Owner,
    Rule,
    RuleKind,
    Setting,
    SettingKind,
)
from erp_integrations.adapters.code_settings import SETTINGS as CODE_SETTINGS
from erp_integrations.adapters.code_settings import code_format
from erp_integrations.adapters.simulator.faults import FAULT_LABELS, LATE_SECONDS, Fault
from erp_integrations.adapters.simulator.tables import (
    COST_CODE,
    COST_CODES,
    EXPENSE,
    INCOME,
    VENDOR,
)

VENDOR_TYPE = "vendor_type"
VENDOR_ID = "vendor_id"
INCOME_ACCOUNT = "income_account"
EXPENSE_ACCOUNT = "expense_account"
GL_ACCOUNT = "gl_account"
CODE_OWNER = "code_owner"
PASSWORD = "password"  # noqa: S105 - the name of a setting


def _text(name: str, label: str, erp_name: str, limit: int) -> Field:
    return Field(name, label, erp_name, (Rule(RuleKind.MAX_LENGTH, name, limit),))


NAME = Field(
    "name",
    "Name",
    "vendor_name",
    (Rule(RuleKind.PRESENT, "name"), Rule(RuleKind.MAX_LENGTH, "name", 30)),
)
FIELDS = (
    NAME,
    _text("abbreviated_name", "Abbreviated name", "short_name", 10),
    _text("trade_name", "Trade name (DBA)", "trade_name", 60),
    _text("address", "Address", "street", 60),
    _text("city", "City", "city", 30),
    _text("state_code", "State", "state", 3),
    _text("zip", "ZIP", "zip", 10),
    _text("country_code", "Country", "country", 2),
    _text("business_phone", "Business phone", "phone", 30),
    _text("mobile_phone", "Mobile phone", "mobile", 30),
    _text("fax_number", "Fax", "fax", 30),
    _text("email_address", "Email", "email", 100),
    _text("website", "Website", "web", 100),
    _text("license_number", "License number", "license_no", 30),
    Field("entity_id", "Tax ID", "tax_id"),
)
ACCEPTANCE_FIELDS = (
    AcceptanceField(
        VENDOR_TYPE,
        "Vendor type",
        choices=VENDOR_TYPE,
        help="How accounting groups its vendors.",
    ),
    AcceptanceField(
        VENDOR_ID,
        "Vendor ID",
        rules=(
            Rule(RuleKind.MAX_LENGTH, VENDOR_ID, 10),
            Rule(RuleKind.CASE, VENDOR_ID, "upper"),
            Rule(RuleKind.CHARSET, VENDOR_ID, "A-Z0-9-"),
        ),
        proposal="mnemonic",
        help="Names the vendor in the ERP for good. Up to 10 of A-Z, 0-9 and the hyphen.",
    ),
)
OPERATIONS = frozenset({Operation.CREATE, Operation.UPDATE})
CODE_FIELDS = (
    Field(
        "full_code",
        "Code",
        "code",
        (
            Rule(RuleKind.PRESENT, "full_code"),
            Rule(RuleKind.MAX_LENGTH, "full_code", COST_CODES.limits["code"]),
            Rule(RuleKind.CHARSET, "full_code", "A-Za-z0-9 ._/-"),
        ),
    ),
    Field(
        "description",
        "Description",
        "name",
        (
            Rule(RuleKind.PRESENT, "description"),
            Rule(RuleKind.MAX_LENGTH, "description", COST_CODES.limits["name"]),
        ),
    ),
    Field("is_group", "Group", "kind"),
)
CODE_ACCEPTANCE_FIELDS = (
    AcceptanceField(
        INCOME_ACCOUNT,
        "GL Account – Income",  # noqa: RUF001 - as people know it
        choices=GL_ACCOUNT,
        group=INCOME,
        help="Account for amounts billed under this code.",
    ),
    AcceptanceField(
        EXPENSE_ACCOUNT,
        "GL Account – Expense",  # noqa: RUF001 - as people know it
        required=False,
        choices=GL_ACCOUNT,
        group=EXPENSE,
        help="Account for the costs of this code.",
    ),
)
SETTINGS = (
    Setting(
        "ledger",
        "Ledger",
        default="main",
        help="Name of the ledger: letters, digits and hyphens. Connections may share one.",
        identity=True,
    ),
    Setting(
        "delivery",
        "Delivery",
        kind=SettingKind.CHOICE,
        default=Delivery.SYNC.value,
        options=(
            (Delivery.SYNC.value, "At once"),
            (Delivery.QUEUED.value, "The simulator queues it"),
            (Delivery.POLLED.value, "The simulator fetches it"),
            (Delivery.FILE.value, "A person imports a file"),
        ),
        help="How records reach the simulator.",
    ),
    Setting(
        CODE_OWNER,
        "Who owns the cost codes",
        kind=SettingKind.CHOICE,
        default=Owner.EITHER.value,
        options=(
            (Owner.EITHER.value, "Both: they are added here or there"),
            (Owner.ERP.value, "The simulator: they are added only there"),
        ),
        help="If the ERP owns them, the list is refreshed from it and cannot be sent.",
    ),
    Setting(
        PASSWORD,
        "Password",
        kind=SettingKind.SECRET,
        help="The simulator's agent logs in with it when it fetches records.",
    ),
    *CODE_SETTINGS,
    Setting(
        "latency_ms",
        "Time per call in milliseconds",
        kind=SettingKind.INTEGER,
        default=150,
        least=0,
        most=10_000,
    ),
    Setting(
        "records_per_call",
        "Records per call",
        kind=SettingKind.INTEGER,
        default=20,
        least=1,
        most=MOST_IN_BATCH,
        help="The most records that are written in one call.",
    ),
    Setting(
        "fault",
        "Fault",
        kind=SettingKind.CHOICE,
        default=Fault.NONE.value,
        options=tuple((kind.value, label) for kind, label in FAULT_LABELS.items()),
        help="Simulates a failure of the ERP, for tests.",
    ),
    Setting(
        "fault_every",
        "Apply the fault to every n-th call",
        kind=SettingKind.INTEGER,
        default=1,
        least=1,
        most=1_000_000,
    ),
    Setting(
        "fault_for",
        "Apply the fault only to",
        help="Part of a name or description, a vendor ID or a code. Empty: all.",
    ),
)
MANIFEST = Manifest(
    key="simulator",
    label="Simulator ERP",
    short_name="Simulator",
    vendor="erpbridge",
    tested_versions="1",
    delivery=Delivery.SYNC,
    verification="A test ledger that is part of erpbridge, not a real ERP. It validates "
    "records as a real one does, and stores them in a file.",
    entities={
        VENDOR: EntityManifest(
            entity=VENDOR,
            label="Vendor",
            operations=OPERATIONS,
            fields=FIELDS,
            key=(VENDOR_ID,),
            acceptance_fields=ACCEPTANCE_FIELDS,
            imports=True,
            feed=Feed.DELETIONS,
            batches=Batches(create=20, update=20, find=200),
            shows=(VENDOR_ID, "name", VENDOR_TYPE, "city", "state_code", "business_phone"),
        ),
        COST_CODE: EntityManifest(
            entity=COST_CODE,
            label="Cost code",
            operations=OPERATIONS,
            fields=CODE_FIELDS,
            key=("full_code",),
            acceptance_fields=CODE_ACCEPTANCE_FIELDS,
            imports=True,
            feed=Feed.DELETIONS,
            batches=Batches(create=20, update=20, find=200),
            shows=("full_code", "description", "is_group", INCOME_ACCOUNT, EXPENSE_ACCOUNT),
        ),
    },
    settings=SETTINGS,
    call_deadline=20.0,
    concurrency=10,
    can_fetch=True,
)


# Manifest attributes of the deliveries that differ from sync.
DELIVERIES: Mapping[str, Mapping[str, Any]] = {
    Delivery.QUEUED: {"silent_after": 60.0},
    # The agent must begin a command within the deadline, and may end it a little later.
    Delivery.POLLED: {"call_deadline": 120.0, "settles_within": 10.0, "can_fetch": False},
    Delivery.FILE: {"can_find": False, "can_fetch": False},
}


def manifest_of(config: Mapping[str, object]) -> Manifest:
    """The manifest for a configuration."""
    manifest = _delivered(config)
    if config.get(CODE_OWNER) != Owner.ERP:
        return manifest
    read_only = replace(manifest.entities[COST_CODE], owner=Owner.ERP, operations=frozenset())
    return replace(manifest, entities={**manifest.entities, COST_CODE: read_only})


def _batches(config: Mapping[str, object]) -> Batches:
    """The batch limits; an invalid number of records per call counts as none."""
    given = str(config.get("records_per_call") or "")
    size = int(given) if re.fullmatch("[0-9]{1,4}", given) else 0
    known = MANIFEST.entities[VENDOR].batches
    return replace(known, create=size, update=size) if 0 < size <= MOST_IN_BATCH else known


def _delivered(config: Mapping[str, object]) -> Manifest:
    """The manifest with the delivery, fault and code format of a configuration."""
    late = LATE_SECONDS if config.get("fault") == Fault.LATE else 0.0
    delivery = str(config.get("delivery") or Delivery.SYNC)
    differences = DELIVERIES.get(delivery, {})
    called = delivery in (Delivery.QUEUED, Delivery.SYNC) or not differences
    feed = Feed.DELETIONS if called else Feed.NOTHING
    batches = _batches(config)
    entities = {
        name: replace(entity, imports=called, feed=feed, batches=batches)
        for name, entity in MANIFEST.entities.items()
    }
    entities[COST_CODE] = replace(entities[COST_CODE], code_format=code_format(config))
    basis = replace(
        MANIFEST,
        delivery=Delivery(delivery) if differences else Delivery.SYNC,
        entities=entities,
    )
    return replace(basis, **{"settles_within": late, **differences})
