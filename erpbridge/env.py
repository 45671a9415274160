"""Typed reading of environment variables.

Every variable ``NAME`` may instead be given as ``NAME_FILE``, the path of a file with the value
(container secrets). An invalid value raises ``ImproperlyConfigured`` with the variable, the value
and what is expected; secrets are never repeated in the message.
"""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured

from erpbridge.outgoing.hosts import Allowed

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off", ""}
MAKE_KEY = (
    "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
)


def text(name: str, default: str = "") -> str:
    """Return the variable ``name``, or the content of the file in ``name_FILE``, or ``default``."""
    # The variable first, also an empty one, so that it can switch off what a file sets.
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return default
    try:
        # Files of secrets often end with a line break.
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error}") from error


def flag(name: str, *, default: bool) -> bool:
    """Return a yes/no variable."""
    value = text(name, "yes" if default else "no").strip().lower()
    if value in TRUE_WORDS:
        return True
    if value in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(
        f"{name} must be one of yes, no, true, false, 1, 0; it is {value!r}."
    )


def integer(name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number from ``least`` to ``most``, inclusive."""
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {value!r}.") from error
    if not least <= number <= most:
        raise ImproperlyConfigured(f"{name} must be from {least} to {most}; it is {number}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list."""
    return [entry.strip() for entry in text(name, default).split(",") if entry.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return a comma-separated list of addresses and networks (``10.0.0.5``, ``172.16.0.0/12``)."""
    parsed: list[IPv4Network | IPv6Network] = []
    for entry in words(name):
        try:
            parsed.append(ip_network(entry))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}.") from error
    return parsed


def hosts(name: str, default: str) -> tuple[str, ...]:
    """Return the non-public hosts that may be called: addresses, networks and names."""
    entries = tuple(words(name, default))
    try:
        Allowed.read(entries)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}: {error}. Write names, addresses and networks such as erp.internal, "
            "10.1.2.3 or 10.1.0.0/16, separated by commas."
        ) from error
    return entries


def keys(name: str) -> list[str]:
    """Return a comma-separated list of Fernet keys: 32 bytes each, in URL-safe base64."""
    fernet_keys = words(name)
    for number, key in enumerate(fernet_keys, start=1):
        if not _is_key(key):
            raise ImproperlyConfigured(
                f"{name}: key {number} of {len(fernet_keys)} is not 32 bytes in URL-safe base64. "
                f"Make one with: {MAKE_KEY}"
            )
    return fernet_keys


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value.encode("ascii"), b"-_", validate=True)) == 32
    except ValueError:
        return False


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return a word that is one of ``allowed``."""
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}; it is {value!r}.")
    return value


def folder(name: str, default: Path) -> Path:
    """Return a writable folder, created with mode 0700; an empty value means the default."""
    path = Path(text(name) or default).resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}: {path} cannot be used as a folder: {error.strerror}."
        ) from error
    return path


def time_zone(name: str, default: str) -> str:
    """Return the name of a time zone."""
    value = text(name, default)
    if value not in available_timezones():
        raise ImproperlyConfigured(
            f"{name} must be a time zone such as UTC or America/New_York; it is {value!r}."
        )
    return value


def redis(name: str) -> str:
    """Return the URL of a Redis server; empty if none is used."""
    address = text(name)
    if address and split(name, address).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"{name} must start with redis://, rediss:// or unix://.")
    return address


def split(name: str, address: str) -> SplitResult:
    """Split a URL. It may contain a secret, so messages do not repeat it."""
    try:
        return urlsplit(address)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not a valid URL: {error}.") from error


def database(name: str, default: str) -> dict[str, object]:
    """Return a database URL as an entry of Django's ``DATABASES``.

    Understands ``sqlite:///absolute/path.sqlite3`` and ``postgresql://user:secret@host:port/name``;
    query parameters of a PostgreSQL URL go to libpq (``?sslmode=require``).
    """
    address = text(name, default)
    parts = split(name, address)
    if parts.scheme in {"sqlite", "postgresql", "postgres"} and not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must name a database after the last slash.")
    if parts.scheme == "sqlite":
        return sqlite(unquote(parts.path))
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(
            f"{name} must start with sqlite:/// or postgresql://; its scheme is {parts.scheme!r}."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": port(name, address),
        "CONN_MAX_AGE": 600,
        # The server may have been restarted since a connection was last used.
        "CONN_HEALTH_CHECKS": True,
        # Seconds, so that a page fails soon while the server is away.
        "OPTIONS": {"connect_timeout": 5, **dict(parse_qsl(parts.query))},
    }


def port(name: str, address: str) -> str:
    """Return the port of a URL as text; empty if there is none."""
    try:
        return str(urlsplit(address).port or "")
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: the port must be a number from 0 to 65535.") from error


def sqlite(path: str) -> dict[str, object]:
    """Return SQLite settings with write-ahead logging and immediate transactions.

    IMMEDIATE takes the write lock at BEGIN, so that a transaction that reads and then writes waits
    for its turn instead of failing with "database is locked".
    """
    # Create the file with mode 0600, because SQLite would let others read it; its -wal and -shm
    # files get the same mode. Errors are reported when the database is opened.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            # Seconds to wait for another writer: docs/locks.md, "Doing it again".
            "timeout": 20,
            # With WAL, NORMAL loses no commit when a process ends, only perhaps when the machine
            # does.
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
            ),
        },
    }
