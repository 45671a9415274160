"""The WSGI application for gunicorn."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from erpbridge.processes.private_files import UMASK
from erpbridge.processes.streamed_bodies import Measured

os.umask(UMASK)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpbridge.settings")
application = Measured(get_wsgi_application(), settings.ERPBRIDGE_MOST_BODY_BYTES)
# All pages are loaded now: gunicorn's processes then share them, and the first request is not slow.
get_resolver().url_patterns  # noqa: B018
