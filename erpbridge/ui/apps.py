"""App configuration."""

from django.apps import AppConfig


class UiConfig(AppConfig):
    """Template tags and components."""

    name = "erpbridge.ui"
    label = "ui"
