"""What the simulator takes: its fields and limits, what it asks of the approver, its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from erp_integrations.adapters.base import (
    AcceptanceField,
    Delivery,
    EntityManifest,
    Field,
    Manifest,
    Operation,
    Rule,
    Setting,
)
from erp_integrations.adapters.simulator.faults import FAULT_LABELS, LATE_SECONDS, Fault

ENTITY = "vendor"
VENDOR_TYPE = "vendor_type"
VENDOR_ID = "vendor_id"
PASSWORD = "password"  # noqa: S105 - the name of a setting


def _text(name: str, label: str, erp_name: str, limit: int) -> Field:
    return Field(name, label, erp_name, (Rule("max_length", name, limit),))


NAME = Field(
    "name",
    "Name",
    "vendor_name",
    (Rule("present", "name"), Rule("max_length", "name", 30)),
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
            Rule("max_length", VENDOR_ID, 10),
            Rule("case", VENDOR_ID, "upper"),
            Rule("charset", VENDOR_ID, "A-Z0-9-"),
        ),
        proposal="mnemonic",
        help="Names the vendor in the ERP for good. Up to 10 of A-Z, 0-9 and the hyphen.",
    ),
)
SETTINGS = (
    Setting(
        "ledger",
        "Ledger",
        default="main",
        help="Name of the ledger: letters, digits and hyphens. Connections may share one.",
    ),
    Setting(
        "delivery",
        "Delivery",
        kind="choice",
        default=Delivery.SYNC.value,
        options=(
            (Delivery.SYNC.value, "At once"),
            (Delivery.QUEUED.value, "The simulator queues it"),
            (Delivery.POLLED.value, "The simulator asks for it"),
            (Delivery.FILE.value, "A person imports a file"),
        ),
        help="How records reach the simulator.",
    ),
    Setting(
        PASSWORD,
        "Password",
        kind="secret",
        help="What the simulator's agent asks with, where it asks for records.",
    ),
    Setting(
        "latency_ms",
        "Time per call in milliseconds",
        kind="integer",
        default=150,
        least=0,
        most=10_000,
    ),
    Setting(
        "fault",
        "Fault",
        kind="choice",
        default=Fault.NONE.value,
        options=tuple((kind.value, label) for kind, label in FAULT_LABELS.items()),
        help="For trying out what happens when the ERP misbehaves.",
    ),
    Setting(
        "fault_every",
        "Fault hits every n-th call",
        kind="integer",
        default=1,
        least=1,
        most=1_000_000,
    ),
    Setting(
        "fault_for",
        "Fault only for",
        help="Part of a vendor name, or a vendor ID. Empty: all vendors.",
    ),
)
MANIFEST = Manifest(
    key="simulator",
    label="Simulator ERP",
    short_name="Simulator",
    vendor="erpbridge",
    tested_versions="1",
    delivery=Delivery.SYNC,
    verification="A vendor ledger that comes with erpbridge for trying things out, not a real ERP. "
    "It refuses what a real one would and keeps what it accepted in a file of its own.",
    entities={
        ENTITY: EntityManifest(
            entity=ENTITY,
            label="Vendor",
            operations=frozenset({Operation.CREATE, Operation.UPDATE}),
            fields=FIELDS,
            key=(VENDOR_ID,),
            acceptance_fields=ACCEPTANCE_FIELDS,
            imports=True,
            batch=20,
        )
    },
    settings=SETTINGS,
    call_deadline=20.0,
)


# How a delivery differs from calling the ledger.
DELIVERIES: Mapping[str, Mapping[str, Any]] = {
    Delivery.QUEUED: {"silent_after": 60.0},
    # The time in which the agent begins what it took; it may still be at it a little later.
    Delivery.POLLED: {"call_deadline": 120.0, "settles_within": 10.0},
    Delivery.FILE: {"can_find": False},
}


def manifest_of(config: Mapping[str, Any]) -> Manifest:
    """What the simulator declares under a configuration."""
    late = LATE_SECONDS if config.get("fault") == Fault.LATE else 0.0
    delivery = config.get("delivery") or Delivery.SYNC
    differs = DELIVERIES.get(str(delivery))
    if differs is None:
        return replace(MANIFEST, settles_within=late)
    called = delivery == Delivery.QUEUED
    vendor = replace(MANIFEST.entities[ENTITY], imports=called)
    basis = replace(MANIFEST, delivery=Delivery(delivery), entities={ENTITY: vendor})
    return replace(basis, **{"settles_within": late, **differs})
