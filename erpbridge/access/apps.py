"""App configuration."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Accounts, projects, people and their rights."""

    name = "erpbridge.access"
    label = "access"
