"""Typed reading of environment variables.

Every variable ``NAME`` may instead be given as ``NAME_FILE``, the path of a file that holds the
value (container secrets). A value that cannot be read raises ``ImproperlyConfigured`` naming the
variable, what was found and what is expected; secrets are never repeated in the message.
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
    """The variable ``name``, or the content of the file ``name_FILE`` points at, or ``default``."""
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return default
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error}") from error


def flag(name: str, *, default: bool) -> bool:
    """A yes/no variable."""
    word = text(name, "yes" if default else "no").strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name} must be one of yes, no, true, false, 1, 0; it is {word!r}.")


def integer(name: str, default: int, *, least: int, most: int) -> int:
    """A whole number between ``least`` and ``most``, both allowed."""
    word = text(name, str(default))
    try:
        number = int(word)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {word!r}.") from error
    if not least <= number <= most:
        raise ImproperlyConfigured(f"{name} must be from {least} to {most}; it is {number}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """A comma-separated list of addresses and networks (``10.0.0.5``, ``172.16.0.0/12``)."""
    found: list[IPv4Network | IPv6Network] = []
    for word in words(name):
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}.") from error
    return found


def hosts(name: str, default: str) -> tuple[str, ...]:
    """Hosts that may be called although they are not public: addresses, networks and names."""
    found = tuple(words(name, default))
    try:
        Allowed.read(found)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}: {error}. Write names, addresses and networks such as erp.internal, "
            "10.1.2.3 or 10.1.0.0/16, separated by commas."
        ) from error
    return found


def keys(name: str) -> list[str]:
    """A comma-separated list of Fernet keys: 32 bytes each, in URL-safe base64."""
    found = words(name)
    for place, key in enumerate(found, start=1):
        if not _is_key(key):
            raise ImproperlyConfigured(
                f"{name}: key {place} of {len(found)} is not 32 bytes in URL-safe base64. "
                f"Make one with: {MAKE_KEY}"
            )
    return found


def _is_key(word: str) -> bool:
    try:
        return len(base64.b64decode(word.encode("ascii"), b"-_", validate=True)) == 32
    except ValueError:
        return False


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One word out of ``allowed``."""
    word = text(name, default)
    if word not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}; it is {word!r}.")
    return word


def folder(name: str, default: Path) -> Path:
    """A folder to write to, made for its owner only; an empty value is the default too."""
    path = Path(text(name) or default).resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}: {path} cannot be used as a folder: {error.strerror}."
        ) from error
    return path


def time_zone(name: str, default: str) -> str:
    """The name of a time zone."""
    word = text(name, default)
    if word not in available_timezones():
        raise ImproperlyConfigured(
            f"{name} must be a time zone such as UTC or America/New_York; it is {word!r}."
        )
    return word


def redis(name: str) -> str:
    """The address of a Redis, empty where none is used."""
    address = text(name)
    if address and split(name, address).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"{name} must start with redis://, rediss:// or unix://.")
    return address


def split(name: str, address: str) -> SplitResult:
    """The parts of an address, whose text may hold a secret and is not repeated."""
    try:
        return urlsplit(address)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not an address: {error}.") from error


def database(name: str, default: str) -> dict[str, object]:
    """A database address as Django's ``DATABASES`` entry.

    Understands ``sqlite:///absolute/path.sqlite3`` and ``postgresql://user:secret@host:port/name``;
    query parameters of a PostgreSQL address go to libpq (``?sslmode=require``).
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
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **dict(parse_qsl(parts.query))},
    }


def port(name: str, address: str) -> str:
    """The port of an address as text, empty where none is given."""
    try:
        return str(urlsplit(address).port or "")
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: the port is not a number from 0 to 65535.") from error


def sqlite(path: str) -> dict[str, object]:
    """SQLite with write-ahead logging and immediate transactions, in a file for its owner only.

    IMMEDIATE takes the write lock at BEGIN, so that a transaction that reads and then writes
    waits for its turn instead of failing with "database is locked".
    """
    # SQLite would let others read it; the files beside it take after it. What is wrong with the
    # place is told when the database is opened.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
            ),
        },
    }
