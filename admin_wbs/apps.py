"""App configuration."""

from django.apps import AppConfig


class AdminWbsConfig(AppConfig):
    """Cost codes and their lists; makes them a record type that can be sent to an ERP."""

    name = "admin_wbs"

    def ready(self) -> None:
        """Register the record type with the seam, and the jobs; follow new projects."""
        from admin_wbs import erp, project_refreshing, refreshing, structures

        erp.register()
        refreshing.register_jobs()
        project_refreshing.register_jobs()
        structures.register()
