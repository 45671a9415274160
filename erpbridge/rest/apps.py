"""App configuration."""

from django.apps import AppConfig


class RestConfig(AppConfig):
    """Conventions of the REST API, and the stored responses of idempotency keys."""

    name = "erpbridge.rest"
    label = "rest"
