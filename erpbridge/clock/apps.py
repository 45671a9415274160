"""App configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.apps import apps as apps_now
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class ClockConfig(AppConfig):
    """The measured clock."""

    name = "erpbridge.clock"
    label = "clock"

    def ready(self) -> None:
        """Create the clock's row once its table exists, also after a ``flush``."""
        post_migrate.connect(_start, sender=self)


def _start(using: str, apps: Apps = apps_now, **_signal: object) -> None:
    """Receiver of ``post_migrate``; between migrations the table may not exist yet."""
    # Imported here, because it needs the models.
    from erpbridge.clock.measured import start

    try:
        apps.get_model("clock", "Clock")
    except LookupError:
        return
    start(using)
