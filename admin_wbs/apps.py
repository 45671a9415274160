"""App configuration."""

from django.apps import AppConfig


class AdminWbsConfig(AppConfig):
    """Cost codes and their lists; makes them a record type that can be sent to an ERP."""

    name = "admin_wbs"

    def ready(self) -> None:
        """Register the record type with the seam, and the jobs; follow new projects."""
        from admin_wbs.erp import record_type
        from admin_wbs.erp import refresh_job as erp_refresh_job
        from admin_wbs.projects import refresh_job
        from admin_wbs.segments import default_structure

        record_type.register()
        erp_refresh_job.register_jobs()
        refresh_job.register_jobs()
        default_structure.register()
