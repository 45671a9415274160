"""A simulator with a ledger of its own, and commands for it. Nothing here needs a database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erp_integrations.adapters.base import Command, Io, Operation
from erp_integrations.adapters.simulator import SimulatorAdapter

Make = Callable[..., SimulatorAdapter]


def simulator_in(folder: Path, **config: Any) -> SimulatorAdapter:
    io = Io(folder=folder, clock=time.monotonic, logger=logging.getLogger("simulator"))
    return SimulatorAdapter({"latency_ms": 0, **config}, {}, io)


def create(vendor_id: str = "ACME", intent: str = "", **payload: Any) -> Command:
    return Command(
        intent=intent or f"intent-{vendor_id}",
        entity="vendor",
        operation=Operation.CREATE,
        key=vendor_id.upper(),
        payload={"name": f"{vendor_id} Concrete", "city": "Easton", "state_code": "MD", **payload},
        acceptance={"vendor_type": "SUB", "vendor_id": vendor_id},
    )


def update(erp_id: str, version: str, intent: str = "change", **payload: Any) -> Command:
    return Command(
        intent=intent,
        entity="vendor",
        operation=Operation.UPDATE,
        key="ACME",
        payload={"name": "Acme Concrete", **payload},
        erp_id=erp_id,
        erp_version=version,
    )


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Adapters on one folder, so that two of them may share a ledger."""
    return lambda **config: simulator_in(tmp_path, **config)


@pytest.fixture
def simulator(make: Make) -> SimulatorAdapter:
    return make()
