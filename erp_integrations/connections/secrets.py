"""Secrets of connections: encrypted at rest, each by itself, with keys that can be rotated.

A connection stores a token per secret setting. Which settings have one can be told without any
key; a value is decrypted only where an adapter is started, and no page, event or log ever holds it.
The first key of the ring encrypts, all of them decrypt.
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
UNREADABLE = "Its secrets cannot be read with the present keys"


class SecretsUnreadable(Exception):
    """Stored secrets that none of the present keys opens; ``names`` says which."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"{UNREADABLE}: {', '.join(names)}.")
        self.names = names


class Secrets(Mapping[str, str]):
    """Decrypted secrets that do not show themselves to whoever prints them."""

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
    """The keys of this installation; outside production one of its own, kept in the data folder.

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
    """The key of a data folder, made at its first use and readable by its owner only.

    It appears under its name complete, so that two processes starting at once agree on one.
    """
    path = folder / "field-key"
    if not path.exists():
        draft = folder / f"field-key.{os.getpid()}.{random.token_hex(4)}"
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
    """A secret as it is stored."""
    hide([value])
    return ring().encrypt(value.encode()).decode()


def opened(connection: Connection) -> Secrets:
    """The secrets of a connection. :raises SecretsUnreadable: where a key is missing."""
    if not connection.secrets:
        return Secrets({})
    values: dict[str, str] = {}
    unreadable = []
    keys = ring()
    for name, token in connection.secrets.items():
        try:
            values[name] = keys.decrypt(str(token).encode()).decode()
        except InvalidToken:
            unreadable.append(name)
    if unreadable:
        raise SecretsUnreadable(unreadable)
    hide(values.values())
    return Secrets(values)


def problem(connection: Connection) -> str:
    """Why the secrets of a connection cannot be used, and what to do; empty where they can."""
    try:
        opened(connection)
    except SecretsUnreadable as error:
        return (
            f"{error} Enter them again in the settings, or have the operator give back the key "
            "they were stored with."
        )
    return ""


@dataclass
class Rotation:
    """What a rotation did."""

    done: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate() -> Rotation:
    """Encrypt every stored secret anew with the first key; those nobody can read stay."""
    rotation = Rotation()
    for pk in Connection.objects.exclude(secrets={}).order_by("pk").values_list("pk", flat=True):
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
        fresh = ring().rotate(token.encode()).decode()
    except InvalidToken:
        rotation.unreadable.append(f"{name} of connection {connection.pk} ({connection.name})")
        return token
    rotation.done += 1
    return fresh
