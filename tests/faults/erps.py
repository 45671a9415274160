"""The ERPs that the campaign exports into, and how their own books are counted."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from erp_integrations.adapters.simulator.faults import set_fault
from erp_integrations.models import Connection
from tests import tryton
from tests.erp_integrations import steps
from tests.tryton_proxy import NOT_JSON, Faults, response


class Erp(Protocol):
    """An ERP of the campaign."""

    adapter: str
    vendor_type: str
    secrets: Mapping[str, str]
    config: Mapping[str, Any]

    def copies(self, connection: Connection) -> Counter[str]:
        """How often the ERP's own books hold each key."""
        ...

    def misbehave(self, connection: Connection, kind: str, times: int) -> None:
        """Make the next calls fail in one way."""
        ...


@dataclass
class Simulator:
    """The ledger that comes with erpbridge."""

    adapter: str = "simulator"
    vendor_type: str = "SUB"
    secrets: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(
        default_factory=lambda: {"ledger": f"torture-{uuid.uuid4().hex}", "latency_ms": 20}
    )

    def copies(self, connection: Connection) -> Counter[str]:
        """Vendors created, by key; the ledger notes everything that was really done to it."""
        effects = steps.ledger_of(connection).effects()
        return Counter(one.key for one in effects)

    def misbehave(self, connection: Connection, kind: str, times: int) -> None:
        """Set a fault of the ledger."""
        folder = steps.ledger_of(connection).path.parent
        set_fault(folder, connection.config["ledger"], kind, times=times)


# What the proxy before Tryton does for a fault that the simulator has by itself.
PROXIED: dict[str, dict[str, Any]] = {
    "down": {
        "kind": "answer",
        "with_answer": response("503 Service Unavailable", b""),
        "writes_only": False,
    },
    "slow": {"kind": "delay", "seconds": 4.0},
    "throttle": {"kind": "answer", "with_answer": response("429 Too Many Requests", b"")},
    "garbage": {"kind": "answer", "with_answer": response("200 OK", NOT_JSON)},
    "timeout_after": {"kind": "cut_after"},
    "timeout_before": {"kind": "cut_before"},
}


@dataclass
class Tryton:
    """A real ERP that nobody here wrote, behind a proxy that breaks things on demand."""

    erp: tryton.Erp
    faults: Faults
    proxied_url: str
    adapter: str = "tryton"
    vendor_type: str = ""

    @property
    def config(self) -> Mapping[str, Any]:
        """Connected through the proxy."""
        return {"url": self.proxied_url, "company": self.erp.facts["company"]}

    @property
    def secrets(self) -> Mapping[str, str]:
        """The key that the set-up of Tryton made."""
        return {"key": self.erp.facts["key"]}

    def copies(self, connection: Connection) -> Counter[str]:
        """Parties by code, straight from Tryton's own database."""
        rows = self.erp.rows("SELECT code FROM party_party WHERE code IS NOT NULL")
        return Counter(row["code"] for row in rows)

    def misbehave(self, connection: Connection, kind: str, times: int) -> None:
        """Break the next calls on the way."""
        self.faults.set(calls=times, **PROXIED[kind])
