"""The Celery application; its tasks only wake the export engine up."""

import os

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from erpbridge import ticker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpbridge.settings")

app = Celery("erpbridge")
# Without it, threads other than the importing one would publish to a default of Celery's own.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["erp_integrations"])
worker_ready.connect(ticker.start_with_worker)
worker_shutting_down.connect(ticker.stop_with_worker)
