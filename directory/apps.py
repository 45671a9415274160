"""App configuration."""

from django.apps import AppConfig


class DirectoryConfig(AppConfig):
    """The app of companies. Companies can be sent to an ERP."""

    name = "directory"

    def ready(self) -> None:
        """Register companies as a record type."""
        from directory.erp import record_type

        record_type.register()
