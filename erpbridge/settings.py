"""Settings of all modes; what differs between installations comes from the environment.

``ERPBRIDGE_MODE`` is ``demo`` (for ``make run``: invented people and companies, public passwords),
``development`` or ``production``, which refuses to start with unsafe values.
"""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONE, SELF
from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured

from erpbridge import env

BASE_DIR = Path(__file__).resolve().parent.parent
MODE = env.choice("ERPBRIDGE_MODE", "development", ("development", "demo", "production"))
PRODUCTION = MODE == "production"
DEBUG = env.flag("ERPBRIDGE_DEBUG", default=False)
# Everything that an installation writes: the SQLite file, uploads, the simulator's ledgers.
DATA_DIR = env.folder("ERPBRIDGE_DATA_DIR", BASE_DIR / "var")

DEFAULT_SECRET_KEY = "only-for-development-and-never-in-production"  # noqa: S105 - refused below
SECRET_KEY = env.text("ERPBRIDGE_SECRET_KEY") or DEFAULT_SECRET_KEY
ALLOWED_HOSTS = env.words("ERPBRIDGE_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("ERPBRIDGE_TRUSTED_ORIGINS")
# Proxies whose X-Forwarded-For is trusted.
ERPBRIDGE_TRUSTED_PROXIES = env.networks("ERPBRIDGE_TRUSTED_PROXIES")
BEHIND_PROXY = env.flag("ERPBRIDGE_BEHIND_PROXY", default=False)
# Secrets of connections are encrypted with the first key and can be decrypted with any of them.
ERPBRIDGE_FIELD_KEYS = env.keys("ERPBRIDGE_FIELD_KEYS")
# Bearer token for /metrics and /health.json; without it these pages do not exist.
ERPBRIDGE_METRICS_TOKEN = env.text("ERPBRIDGE_METRICS_TOKEN").strip()


def refuse_unsafe_production() -> None:
    """Refuse to start production with unsafe settings, and say which variables to set."""
    problems = []
    if SECRET_KEY == DEFAULT_SECRET_KEY or len(SECRET_KEY) < 40:
        problems.append("ERPBRIDGE_SECRET_KEY must be set to at least 40 random characters")
    if not ERPBRIDGE_FIELD_KEYS:
        problems.append("ERPBRIDGE_FIELD_KEYS must be set to at least one key for stored secrets")
    if ERPBRIDGE_METRICS_TOKEN and len(ERPBRIDGE_METRICS_TOKEN) < 20:
        problems.append("ERPBRIDGE_METRICS_TOKEN must be at least 20 random characters")
    if BEHIND_PROXY and not ERPBRIDGE_TRUSTED_PROXIES:
        problems.append(
            "ERPBRIDGE_TRUSTED_PROXIES must name the addresses of the proxy, such as 10.0.0.5 or "
            "172.16.0.0/12: without it all users would share one limit for wrong passwords"
        )
    if DEBUG:
        problems.append("ERPBRIDGE_DEBUG must be off")
    if not ALLOWED_HOSTS or any(host.startswith(("*", ".")) for host in ALLOWED_HOSTS):
        problems.append("ERPBRIDGE_ALLOWED_HOSTS must name the hosts, without * or a leading dot")
    if problems:
        raise ImproperlyConfigured(f"Refusing to start in production: {'; '.join(problems)}.")


if PRODUCTION:
    refuse_unsafe_production()

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "axes",
    "corsheaders",
    "csp",
    "django_htmx",
    "heroicons",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "erpbridge",
    "erpbridge.access",
    "erpbridge.audit",
    "erpbridge.clock",
    "erpbridge.jobs",
    "erpbridge.oauth",
    "erpbridge.rest",
    "erpbridge.ui",
    "directory",
    "admin_wbs",
    "erp_integrations",
]

MIDDLEWARE = [
    "erpbridge.ui.middleware.request_id.RequestIdMiddleware",
    "erpbridge.ui.middleware.no_store.NoStoreMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "erpbridge.rest.middleware.RestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "erpbridge.ui.middleware.body_size.BodySizeMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "erpbridge.login.sessions.SignInMiddleware",
    "erpbridge.access.zones.ZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "erpbridge.ui.not_allowed.NotAllowedPageMiddleware",
    "erpbridge.login.password_hashing.NoTurnMiddleware",
    "axes.middleware.AxesMiddleware",
    "erpbridge.db.retry.RetryMiddleware",
]

ROOT_URLCONF = "erpbridge.urls"
WSGI_APPLICATION = "erpbridge.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        # Django refuses it beside ``loaders``, which name the same folders.
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "erpbridge.ui.navigation.frame",
            ],
            "builtins": [
                "django.templatetags.static",
                "heroicons.templatetags.heroicons",
                "erpbridge.ui.templatetags.parts",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
        },
    }
]
FORM_RENDERER = "erpbridge.ui.forms.Renderer"

DATABASES = {"default": env.database("DATABASE_URL", f"sqlite://{DATA_DIR / 'erpbridge.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# A bulk request for "all that match" posts only the filter; ticked rows post one id each.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 60_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
# More than the largest file of an upload form, so that people see the form's own message.
ERPBRIDGE_MOST_BODY_BYTES = 16 * 1024 * 1024

AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# The first is Django's default with limited concurrency, stored in the same format; the others
# verify hashes that Django stored earlier.
PASSWORD_HASHERS = [
    "erpbridge.login.password_hashing.TakingTurns",
    *global_settings.PASSWORD_HASHERS[1:],
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
CSRF_FAILURE_VIEW = "erpbridge.login.sessions.form_refused"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# Five failures for one login name lock that name for fifteen minutes, from whatever address.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = ["username"]
# Django passes the login name as "username", whatever the user model calls it.
AXES_USERNAME_FORM_FIELD = "username"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "erpbridge.login.lockout.locked_out"
# It also locks addresses, with a separate limit.
AXES_HANDLER = "erpbridge.login.lockout.Handler"
AXES_CLIENT_IP_CALLABLE = "erpbridge.processes.client_address.client_network"
ERPBRIDGE_FAILURES_PER_ADDRESS = env.integer(
    "ERPBRIDGE_FAILURES_PER_ADDRESS", 50, least=5, most=1_000_000
)
AXES_VERBOSE = False
# W006 recommends to lock by address too, which the handler does.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]

DEFAULT_EXCEPTION_REPORTER_FILTER = "erpbridge.ui.error_pages.NoSecrets"
LANGUAGE_CODE = "en-us"
TIME_ZONE = env.time_zone("ERPBRIDGE_TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static-collected"
STATICFILES_DIRS = [BASE_DIR / "templates" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage",
        # Static files are not secret, and another user may collect them.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
MEDIA_ROOT = DATA_DIR / "uploads"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
# Not "Strict": a link in an e-mail to a page would look signed out.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = env.flag("ERPBRIDGE_SSL_REDIRECT", default=PRODUCTION)
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
# Supervisors ask the process itself over HTTP, past the proxy that has the certificate.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$", r"^health\.json$"]
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # Links in API responses have the host of the request.
    USE_X_FORWARDED_HOST = True

REDIS_URL = env.redis("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"pool_class": "erpbridge.processes.cache_connections.SharedPool"},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# The database row is the queue and a message only wakes up a worker. So results are not stored,
# messages may be lost or duplicated, and the broker holds no delayed messages.
CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Enough for a turn of 20 seconds, its last query, and a last batch that uses its full deadlines.
CELERY_TASK_TIME_LIMIT = 180
CELERY_TASK_SOFT_TIME_LIMIT = 150
# Otherwise Celery opens a database connection for every task. See docs/design/measured-choices.md,
# "Celery and its broker".
CELERY_DB_REUSE_MAX = 1000
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": 120,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        # Otherwise a publish on a half-dead connection would wait forever.
        "socket_timeout": 5,
        "socket_connect_timeout": 1,
        # Otherwise an accept click without a broker would wait six seconds.
        "max_retries": 1,
        "interval_start": 0,
    }
    if REDIS_URL
    else {}
)
CELERY_BEAT_SCHEDULE = {"tick": {"task": "erp_integrations.export.tasks.tick", "schedule": 10.0}}

# Enabled adapters, of all that are installed (entry point "erpbridge.adapters").
ERPBRIDGE_ADAPTERS = env.words("ERPBRIDGE_ADAPTERS", "simulator,tryton")
# Non-public hosts that adapters may call. In a demo or development there may be a local ERP; in
# production only the hosts that the operator lists.
ERPBRIDGE_ALLOWED_PRIVATE_HOSTS = env.hosts(
    "ERPBRIDGE_ALLOWED_PRIVATE_HOSTS", "" if PRODUCTION else "127.0.0.0/8,::1"
)
# Seconds by which a worker's lease outlives the deadline of the call made under it.
ERPBRIDGE_LEASE_MARGIN = env.integer("ERPBRIDGE_LEASE_MARGIN", 60, least=2, most=3600)
# Most rows of one bulk request.
ERPBRIDGE_MOST_ROWS_A_CLICK = 10_000

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["erpbridge.oauth.bearer.Bearer"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "erpbridge.rest.schema.openapi.Described",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "erpbridge",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "erpbridge.rest.schema.openapi.Generator",
    "POSTPROCESSING_HOOKS": ["erpbridge.oauth.openapi.with_endpoints"],
}
# Largest page of a list, and rate limits per application and company.
ERPBRIDGE_REST_MOST_PER_PAGE = env.integer(
    "ERPBRIDGE_REST_MOST_PER_PAGE", 2_000, least=100, most=10_000
)
ERPBRIDGE_REST_CALLS_PER_HOUR = env.integer(
    "ERPBRIDGE_REST_CALLS_PER_HOUR", 36_000, least=1, most=100_000_000
)
ERPBRIDGE_REST_CALLS_PER_10_SECONDS = env.integer(
    "ERPBRIDGE_REST_CALLS_PER_10_SECONDS", 1_000, least=1, most=1_000_000
)

# Pages of any origin may call the API, which takes tokens and never cookies; with credentials,
# which browsers refuse for an origin of "*". The two addresses left out are HTML pages.
CORS_URLS_REGEX = r"^/(rest(?!/docs/?$)|oauth(?!/authorize/?$)|vapid)(/|$)"
CORS_ALLOW_ALL_ORIGINS = True
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    *("Accept", "Accept-Language", "Authorization", "Content-Type"),
    *("Idempotency-Key", "Idempotency-Token", "If-Match", "If-None-Match"),
    *("Procore-Company-Id", "Procore-Sdk-Language", "Procore-Sdk-Version", "X-Request-Id"),
]
CORS_EXPOSE_HEADERS = [
    *("Deprecation", "ETag", "Idempotency-Replayed", "Link", "Per-Page", "Retry-After", "Total"),
    *("X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", "X-Request-Id"),
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "erpbridge.ui.middleware.request_id.RequestIdFilter"}},
    "formatters": {
        "line": {
            "()": "erpbridge.ui.logs.formatters.LineFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
        },
        "json": {"()": "erpbridge.ui.logs.formatters.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": env.choice("ERPBRIDGE_LOG_FORMAT", "line", ("line", "json")),
            "filters": ["request_id"],
        }
    },
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("ERPBRIDGE_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
    "loggers": {"axes": {"level": "WARNING"}},
}
