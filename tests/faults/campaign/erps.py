"""The ERPs that the campaign exports into, and how their own records are counted."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from erp_integrations.adapters.base import Delivery
from erp_integrations.adapters.simulator.faults import set_fault
from erp_integrations.adapters.simulator.ledger import Ledger
from erp_integrations.models import Connection
from tests import tryton
from tests.erp_integrations import steps
from tests.faults.campaign.trouble import make_trouble
from tests.tryton_proxy import NOT_JSON, Faults, response

PASSWORD = "correct-horse-battery"


class Erp(Protocol):
    """An ERP of the campaign."""

    adapter: str
    delivery: Delivery
    vendor_type: str
    # The proxy in front of it, if there is one.
    faults: Faults | None

    @property
    def secrets(self) -> Mapping[str, str]:
        """Secret settings of the connection."""
        ...

    @property
    def config(self) -> Mapping[str, Any]:
        """Settings of the connection."""
        ...

    def copies(self, entity: str, connection: Connection) -> Counter[str]:
        """How many records the ERP itself has of each key."""
        ...

    def at_root(self, entity: str) -> set[str]:
        """Keys of the records without a parent."""
        ...

    def misbehave(self, connection: Connection, kind: str, times: int) -> None:
        """Make the next calls fail in one way."""
        ...


@dataclass
class Simulator:
    """The ledger that comes with erpbridge.

    ``trouble`` is the folder with the faults that the campaign sets for the agents and the office.
    """

    delivery: Delivery
    trouble: Path
    adapter: str = "simulator"
    vendor_type: str = "SUB"
    faults: Faults | None = None
    ledger: str = field(default_factory=lambda: f"torture-{uuid.uuid4().hex}")

    @property
    def secrets(self) -> Mapping[str, str]:
        """The password of the ledger's agent."""
        return {"password": PASSWORD} if self.delivery == Delivery.POLLED else {}

    @property
    def config(self) -> Mapping[str, Any]:
        """A ledger of its own."""
        return {"ledger": self.ledger, "latency_ms": 20, "delivery": self.delivery.value}

    def copies(self, entity: str, connection: Connection) -> Counter[str]:
        """Created records by key; the ledger notes every effect on it."""
        ledger = Ledger(steps.ledger_of(connection).path.parent, self.ledger)
        effects = ledger.effects()
        return Counter(effect.key for effect in effects if effect.entity == entity)

    def at_root(self, entity: str) -> set[str]:
        """None, since companies have no tree."""
        return set()

    def misbehave(self, connection: Connection, kind: str, times: int) -> None:
        """Set a fault of the ledger, or of its agents and office."""
        if self.delivery in (Delivery.POLLED, Delivery.FILE):
            make_trouble(self.trouble, kind, times)
        elif kind == "slow":
            steps.change_config(connection, latency_ms=1_500)
            time.sleep(2 * times)
            steps.change_config(connection, latency_ms=20)
        else:
            folder = steps.ledger_of(connection).path.parent
            set_fault(folder, connection.config["ledger"], kind, times=times)


# Fault of the simulator -> what the proxy in front of Tryton does for it.
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
BOOKS = {
    "vendor": "SELECT code FROM party_party WHERE code IS NOT NULL",
    "cost_code": "SELECT code FROM analytic_account_account WHERE type <> 'root'",
}

AT_ROOT = (
    "SELECT one.code FROM analytic_account_account one JOIN analytic_account_account above"
    " ON above.id = one.parent WHERE above.type = 'root'"
)


@dataclass
class Tryton:
    """A real ERP, behind a proxy that causes faults on demand."""

    erp: tryton.Erp
    faults: Faults
    proxied_url: str
    server: tryton.Server
    adapter: str = "tryton"
    delivery: Delivery = Delivery.SYNC
    vendor_type: str = ""

    @property
    def config(self) -> Mapping[str, Any]:
        """Connected through the proxy."""
        return {"url": self.proxied_url, "company": self.erp.facts["company"]}

    @property
    def secrets(self) -> Mapping[str, str]:
        """The key that the set-up of Tryton made."""
        return {"key": self.erp.facts["key"]}

    def copies(self, entity: str, connection: Connection) -> Counter[str]:
        """Records by code, straight from Tryton's own database."""
        return Counter(row["code"] for row in self.erp.rows(BOOKS[entity]))

    def at_root(self, entity: str) -> set[str]:
        """Codes whose parent in Tryton's own database is not a code."""
        rows = self.erp.rows(AT_ROOT) if entity == "cost_code" else []
        return {row["code"] for row in rows}

    def misbehave(self, connection: Connection, kind: str, times: int) -> None:
        """Break the next calls in the proxy."""
        self.faults.set(calls=times, **PROXIED[kind])
