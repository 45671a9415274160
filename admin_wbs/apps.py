"""App configuration."""

from django.apps import AppConfig


class AdminWbsConfig(AppConfig):
    """Cost codes and their lists."""

    name = "admin_wbs"
