"""erpbridge: the project and its kernel (access, audit, ui). The kernel imports no app."""

from erpbridge.celery import app as celery_app

__all__ = ["celery_app"]
