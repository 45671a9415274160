"""Settings of the test run: those of the product, in folders and on servers of the run's own.

Each pytest-xdist worker has a data folder and a Redis database to itself. ``DATABASE_URL`` and
``REDIS_URL`` come from ``python -m tests.servers``; without them the run is on SQLite.
"""

import atexit
import os
import shutil
import tempfile

worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
data_dir = tempfile.mkdtemp(prefix=f"erpbridge-tests-{worker}-")
atexit.register(shutil.rmtree, data_dir, ignore_errors=True)
os.environ["ERPBRIDGE_DATA_DIR"] = data_dir
os.environ["ERPBRIDGE_MODE"] = "development"
os.environ.setdefault("ERPBRIDGE_LOG_LEVEL", "WARNING")
# Playwright keeps an event loop running in the main thread, which Django takes for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "yes"
if "REDIS_URL" in os.environ:
    server = os.environ["REDIS_URL"].rpartition("/")[0]
    os.environ["REDIS_URL"] = f"{server}/{int(worker.removeprefix('gw')) + 1}"

from erpbridge.settings import *  # noqa: E402, F403
from erpbridge.settings import DATABASES, INSTALLED_APPS, MIDDLEWARE, STORAGES  # noqa: E402

# Fails a test whose page asks the database once per row.
INSTALLED_APPS = [*INSTALLED_APPS, "zeal"]
MIDDLEWARE = ["zeal.middleware.zeal_middleware", *MIDDLEWARE]
# Logging in and out reads the session more than once.
ZEAL_ALLOWLIST = [{"model": "sessions.Session", "field": "get()"}]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file and not memory, so that threads and other processes meet the real locks.
    DATABASES["default"]["TEST"] = {"NAME": f"{data_dir}/tests.sqlite3"}
