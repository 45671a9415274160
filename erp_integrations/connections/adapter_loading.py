"""The adapter of a connection, and what its manifest declares."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from django.conf import settings

from erp_integrations.adapters import registry
from erp_integrations.adapters.base import (
    Adapter,
    EntityManifest,
    Io,
    Manifest,
)
from erp_integrations.connections.safe_adapter import Guarded, plain
from erp_integrations.connections.secrets import Secrets, SecretsUnreadable, opened
from erp_integrations.models import Connection
from erpbridge.ui.logs.redaction import Redactor

ENTITY = "connection"


LONGEST_PROBLEM = 1_000


NO_SECRETS: Mapping[str, str] = Secrets({})


def adapter_classes() -> dict[str, type[Adapter]]:
    """The adapters that may be used here, by key."""
    return registry.installed(settings.ERPBRIDGE_ADAPTERS)


def adapter_of(connection: Connection) -> Adapter:
    """The configured adapter of a connection; raises nothing that its contract does not name.

    :raises registry.AdapterUnavailable: where it is no longer installed or allowed, or broken, or
        its secrets cannot be read.
    """
    adapter_class = registry.adapter_class(connection.adapter, settings.ERPBRIDGE_ADAPTERS)
    try:
        secrets = opened(connection)
    except SecretsUnreadable as error:
        raise registry.AdapterUnavailable(connection.adapter, str(error)) from None
    try:
        io = _io(connection.adapter, connection.account_id)
        adapter = adapter_class(connection.config, secrets, io)
        return Guarded(adapter, manifest_of(connection).call_deadline)
    except Exception as error:
        raise _broken(connection.adapter, error, secrets) from error


def unconnected(key: str, account_id: int) -> tuple[Manifest, Adapter]:
    """What an adapter declares under its default settings, and it with them, connected to nothing.

    :raises registry.AdapterUnavailable: where it is not installed or allowed, or broken.
    """
    adapter_class = registry.adapter_class(key, settings.ERPBRIDGE_ADAPTERS)
    try:
        asked = adapter_class.manifest({}).settings
        config = {one.name: one.default for one in asked if one.kind != "secret"}
        manifest = adapter_class.manifest(config)
        adapter = adapter_class(config, NO_SECRETS, _io(key, account_id))
        return manifest, Guarded(adapter, manifest.call_deadline)
    except Exception as error:
        raise _broken(key, error, {}) from error


def _io(key: str, account_id: int) -> Io:
    folder = settings.DATA_DIR / "adapters" / key / str(account_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Io(
        folder=folder,
        clock=time.time,
        logger=logging.getLogger(f"{__name__}.adapter"),
        allowed_hosts=settings.ERPBRIDGE_ALLOWED_PRIVATE_HOSTS,
    )


def _broken(key: str, error: Exception, secrets: Mapping[str, str]) -> registry.AdapterUnavailable:
    why = f"It cannot be started: {type(error).__name__}: {error}"
    why = plain(Redactor(secrets.values())(why), LONGEST_PROBLEM)
    return registry.AdapterUnavailable(key, why)


def manifest_of(connection: Connection) -> Manifest:
    """What the connection's adapter declares under its configuration.

    :raises registry.AdapterUnavailable: where it is no longer installed or allowed, or broken.
    """
    adapter_class = registry.adapter_class(connection.adapter, settings.ERPBRIDGE_ADAPTERS)
    try:
        return adapter_class.manifest(connection.config)
    except Exception as error:
        raise _broken(connection.adapter, error, {}) from error


def entity_manifest(connection: Connection, entity: str) -> EntityManifest | None:
    """What the ERP can do with one record type; None where it does not know it."""
    return manifest_of(connection).entities.get(entity)


def usable_manifest(connection: Connection | None, entity: str) -> EntityManifest | None:
    """The same for pages: None also where there is no connection, or its adapter has gone."""
    try:
        return entity_manifest(connection, entity) if connection else None
    except registry.AdapterUnavailable:
        return None
