"""App configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.core.checks import register

from erpbridge.ui import health, waiting

if TYPE_CHECKING:
    from erpbridge.access.policy import Access


class ErpIntegrationsConfig(AppConfig):
    """Acceptance items, connections and the export engine."""

    name = "erp_integrations"

    def ready(self) -> None:
        """Register the jobs, the tick with the health page and the approver's inbox with the menu.

        Importing Celery's application lets every process send wake-ups.
        """
        from erp_integrations.connections import refresh_job
        from erp_integrations.connections.adapter_loading import check_adapters
        from erp_integrations.workflow.accept import lookup_job
        from erpbridge import celery  # noqa: F401

        register(check_adapters)
        refresh_job.register_jobs()
        lookup_job.register_jobs()
        health.report_on("tick", _tick)
        for tool in ("erp:companies", "erp:project_companies"):
            waiting.register(tool, _waiting_for, _landing)


def _waiting_for(access: Access) -> waiting.Waiting | None:
    from erp_integrations.web.approver_inbox import waiting_for

    return waiting_for(access)


def _landing(access: Access) -> str:
    from erp_integrations.web.approver_inbox import landing

    return landing(access)


def _tick() -> tuple[str | None, Mapping[str, object]]:
    from erp_integrations.monitoring.health import tick_age, tick_problem

    age = tick_age()
    return tick_problem(age), {"tick_age_seconds": age}
