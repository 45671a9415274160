"""App configuration."""

from django.apps import AppConfig


class ErpIntegrationsConfig(AppConfig):
    """Acceptance items, connections and the export engine."""

    name = "erp_integrations"
