"""App configuration."""

from django.apps import AppConfig
from django.core.checks import register

from erpbridge.processes.private_files import check_modes


class UiConfig(AppConfig):
    """Template tags and components."""

    name = "erpbridge.ui"
    label = "ui"

    def ready(self) -> None:
        """Make every command check for files that others can read."""
        register(check_modes)
