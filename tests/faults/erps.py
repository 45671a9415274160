"""The ERPs that the campaign exports into, and how their own books are counted."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from erp_integrations.adapters.simulator.faults import set_fault
from erp_integrations.models import Connection
from tests.erp_integrations import steps


class Erp(Protocol):
    """An ERP of the campaign."""

    adapter: str
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
    config: Mapping[str, Any] = field(
        default_factory=lambda: {"ledger": f"torture-{uuid.uuid4().hex}", "latency_ms": 20}
    )

    def copies(self, connection: Connection) -> Counter[str]:
        """Vendors created, by key; the ledger notes everything that was really done to it."""
        effects = steps.ledger_of(connection).effects()
        return Counter(one.vendor_id for one in effects)

    def misbehave(self, connection: Connection, kind: str, times: int) -> None:
        """Set a fault of the ledger."""
        folder = steps.ledger_of(connection).path.parent
        set_fault(folder, connection.config["ledger"], kind, times=times)
