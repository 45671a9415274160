"""App configuration."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Audit events."""

    name = "erpbridge.audit"
    label = "audit"
