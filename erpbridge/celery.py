"""The Celery application; its tasks only wake the export engine up."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpbridge.settings")

app = Celery("erpbridge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["erp_integrations"])
