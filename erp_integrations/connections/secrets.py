"""Secrets of connections: encrypted at rest, one token per setting, with keys that can be rotated.

A value is decrypted only to start an adapter; no page, audit event or log contains it. The first
key encrypts, all keys decrypt. See docs/security.md.
"""

from __future__ import annotations

import os
import secrets as random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from erp_integrations.models import Connection
from erpbridge.ui.logs.redaction import hide

LONGEST_SECRET = 4_000
UNREADABLE = "Its secrets cannot be decrypted with the keys in ERPBRIDGE_FIELD_KEYS"


class SecretsUnreadable(Exception):
    """Stored secrets that no configured key decrypts; ``names`` are their settings."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"{UNREADABLE}: {', '.join(names)}.")
        self.names = names


class Secrets(Mapping[str, str]):
    """Decrypted secrets; their ``repr`` does not contain the values."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<secrets: {', '.join(self._values) or 'none'}>"


def ring() -> MultiFernet:
    """The encryption keys; outside production by default a generated key in the data folder.

    :raises ImproperlyConfigured: in production without keys.
    """
    keys = tuple(settings.ERPBRIDGE_FIELD_KEYS)
    if not keys and settings.PRODUCTION:
        raise ImproperlyConfigured("ERPBRIDGE_FIELD_KEYS must be set.")
    return _ring(keys or (_kept_key(settings.DATA_DIR),))


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _kept_key(folder: Path) -> str:
    """The key file of the data folder, created at first use, readable by its owner only.

    The complete file is hard-linked to its name, so two processes that start at once use one key.
    """
    path = folder / "field-key"
    if not path.exists():
        draft = folder / f"field-key.{os.getpid()}.{random.token_hex(4)}"
        # For the owner only from the start: after a chmod others could have opened it before.
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def seal(value: str) -> str:
    """Encrypt a secret for the database, and hide its value in logs."""
    hide([value])
    return ring().encrypt(value.encode()).decode()


def opened(connection: Connection) -> Secrets:
    """The decrypted secrets of a connection.

    :raises SecretsUnreadable: if a key is missing.
    """
    if not connection.secrets:
        return Secrets({})
    values: dict[str, str] = {}
    unreadable = []
    keys = ring()
    # All are tried, so that the message names every secret that has to be entered again.
    for name, token in connection.secrets.items():
        try:
            values[name] = keys.decrypt(str(token).encode()).decode()
        except InvalidToken:
            unreadable.append(name)
    if unreadable:
        raise SecretsUnreadable(unreadable)
    # From now on the log filter masks these values in every log line.
    hide(values.values())
    return Secrets(values)


def problem(connection: Connection) -> str | None:
    """A message for users if the secrets of a connection cannot be decrypted; None if they can."""
    try:
        opened(connection)
    except SecretsUnreadable as error:
        return (
            f"{error} Enter them again in the settings, or ask the operator to add the key "
            "that they were encrypted with."
        )
    return None


@dataclass
class Rotation:
    """Result of a rotation: how many secrets were encrypted again, and which could not be."""

    done: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate() -> Rotation:
    """Encrypt every stored secret again with the first key; unreadable ones stay as they are."""
    rotation = Rotation()
    for pk in Connection.objects.exclude(secrets={}).order_by("pk").values_list("pk", flat=True):
        # One transaction per connection, under lock, because a user may save new secrets meanwhile.
        with transaction.atomic():
            connection = Connection.objects.select_for_update(no_key=True).get(pk=pk)
            connection.secrets = {
                name: _rotated(connection, name, token, rotation)
                for name, token in connection.secrets.items()
            }
            connection.save(update_fields=["secrets"])
    return rotation


def _rotated(connection: Connection, name: str, token: str, rotation: Rotation) -> str:
    try:
        rotated = ring().rotate(token.encode()).decode()
    except InvalidToken:
        # Kept, because the operator may still have the key.
        rotation.unreadable.append(f"{name} of connection {connection.pk} ({connection.name})")
        return token
    rotation.done += 1
    return rotated
