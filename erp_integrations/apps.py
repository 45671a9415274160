"""App configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig

from erpbridge.ui import health


class ErpIntegrationsConfig(AppConfig):
    """Acceptance items, connections and the export engine."""

    name = "erp_integrations"

    def ready(self) -> None:
        """Let the web server's health tell of the engine's."""
        health.report_on("tick", _tick)


def _tick() -> tuple[str, Mapping[str, Any]]:
    from erp_integrations.health import tick_age, tick_problem

    age = tick_age()
    return tick_problem(age), {"tick_age_seconds": age}
