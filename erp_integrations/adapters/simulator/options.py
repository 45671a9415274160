"""Parse and validate the simulator's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from erp_integrations.adapters import code_settings
from erp_integrations.adapters.base import Delivery, Setting
from erp_integrations.adapters.simulator.faults import Fault, FaultPlan
from erp_integrations.adapters.simulator.manifest import SETTINGS

_SETTINGS = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Options:
    """A connection's settings. ``ledger`` is empty if it is not a valid file name."""

    ledger: str
    delivery: Delivery
    latency: float
    plan: FaultPlan
    problems: tuple[str, ...]


def read_options(config: Mapping[str, object]) -> Options:
    """Parse stored settings; an invalid one gets its default and a message in ``problems``."""
    problems = code_settings.problems(config)
    ledger = str(_given(config, "ledger"))
    if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", ledger):
        problems.append("Ledger: use letters, digits and hyphens, 40 characters or fewer.")
        ledger = ""
    kind = str(_given(config, "fault"))
    if kind not in {fault.value for fault in Fault}:
        problems.append(f"Fault: “{kind}” is not on the list.")
        kind = Fault.NONE.value
    delivery = str(_given(config, "delivery"))
    if delivery not in {known.value for known in Delivery}:
        problems.append(f"Delivery: “{delivery}” is not on the list.")
        delivery = Delivery.SYNC.value
    latency = _integer(config, "latency_ms", problems) / 1000
    _integer(config, "records_per_call", problems)
    every = _integer(config, "fault_every", problems)
    plan = FaultPlan(Fault(kind), every, str(config.get("fault_for") or ""))
    return Options(ledger, Delivery(delivery), latency, plan, tuple(problems))


def _given(config: Mapping[str, object], name: str) -> object:
    value = config.get(name)
    return _SETTINGS[name].default if value in (None, "") else value


def _integer(config: Mapping[str, object], name: str, problems: list[str]) -> int:
    setting = _SETTINGS[name]
    number = _parsed(str(_given(config, name)), setting)
    if number is None:
        limits = f"from {setting.least} to {setting.most}"
        problems.append(f"{setting.label}: use a whole number {limits}.")
        return int(setting.default)
    return number


def _parsed(text: str, setting: Setting) -> int | None:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        return None
    number = int(text)
    within = (setting.least or 0) <= number <= (setting.most or number)
    return number if within else None
