"""App configuration."""

from django.apps import AppConfig


class DirectoryConfig(AppConfig):
    """Companies; makes them a record type that can be sent to an ERP."""

    name = "directory"

    def ready(self) -> None:
        """Register the record type with the seam."""
        from directory.erp import record_type

        record_type.register()
