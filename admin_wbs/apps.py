"""App configuration."""

from django.apps import AppConfig


class AdminWbsConfig(AppConfig):
    """The app of cost codes and their lists. Cost codes can be sent to an ERP."""

    name = "admin_wbs"

    def ready(self) -> None:
        """Register cost codes as a record type, the jobs, and the project signals."""
        # Imported here, because these modules need the models.
        from admin_wbs.erp import record_type
        from admin_wbs.erp import refresh_job as erp_refresh_job
        from admin_wbs.projects import refresh_job
        from admin_wbs.segments import default_structure

        record_type.register()
        erp_refresh_job.register_jobs()
        refresh_job.register_jobs()
        default_structure.register()
