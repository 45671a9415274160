"""App configuration."""

from django.apps import AppConfig


class RestConfig(AppConfig):
    """Conventions of the REST API, and the memory of idempotency keys."""

    name = "erpbridge.rest"
    label = "rest"

    def ready(self) -> None:
        """Make the lookup ``among`` known."""
        import erpbridge.db.among_lookup  # noqa: F401
