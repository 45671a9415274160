"""App configuration."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Background jobs and their progress."""

    name = "erpbridge.jobs"
    label = "jobs"
