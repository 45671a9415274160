"""Load the adapter of a connection, and its manifest."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from django.conf import settings
from django.core import checks

from erp_integrations.adapters import registry
from erp_integrations.adapters.base import (
    Adapter,
    EntityManifest,
    Io,
    Manifest,
    SettingKind,
)
from erp_integrations.connections.safe_adapter import Guarded, plain
from erp_integrations.connections.secrets import Secrets, SecretsUnreadable, opened
from erp_integrations.models import Connection
from erpbridge.ui.logs.redaction import Redactor

# Entity name of connections in the audit log.
ENTITY = "connection"
LONGEST_PROBLEM = 1_000
NO_SECRETS: Mapping[str, str] = Secrets({})


def adapter_classes() -> dict[str, type[Adapter]]:
    """The usable adapters of this installation, by key."""
    return registry.installed(settings.ERPBRIDGE_ADAPTERS)


def check_adapters(**_kwargs: object) -> list[checks.CheckMessage]:
    """Django check: names of no adapter in ERPBRIDGE_ADAPTERS, and adapters that do not work."""
    known = registry.known()
    return [
        checks.Warning(
            f"The adapter “{key}” cannot be used. {why}",
            hint="Correct the package that provides it, or remove it from ERPBRIDGE_ADAPTERS.",
            id="erp_integrations.W001",
        )
        if key in known
        else checks.Error(
            f"ERPBRIDGE_ADAPTERS names “{key}”, and no installed package provides that adapter.",
            hint=f"Installed are: {', '.join(known)}. Correct the name, install the package that "
            "provides it beside erpbridge, or remove the name.",
            id="erp_integrations.E001",
        )
        for key, why in registry.unavailable(settings.ERPBRIDGE_ADAPTERS).items()
    ]


def adapter_of(connection: Connection) -> Adapter:
    """The configured adapter of a connection; its calls raise only what the contract names.

    :raises registry.AdapterUnavailable: if it is not installed, not allowed or broken, or if its
        secrets cannot be read.
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
    """Manifest and adapter with default settings and no secrets, for checks without a connection.

    :raises registry.AdapterUnavailable: if it is not installed, not allowed or broken.
    """
    adapter_class = registry.adapter_class(key, settings.ERPBRIDGE_ADAPTERS)
    try:
        declared = adapter_class.manifest({}).settings
        config = {
            setting.name: setting.default
            for setting in declared
            if setting.kind != SettingKind.SECRET
        }
        manifest = adapter_class.manifest(config)
        adapter = adapter_class(config, NO_SECRETS, _io(key, account_id))
        return manifest, Guarded(adapter, manifest.call_deadline)
    except Exception as error:
        raise _broken(key, error, {}) from error


def _io(key: str, account_id: int) -> Io:
    # One folder per adapter and account, so that accounts cannot read each other's files.
    folder = settings.DATA_DIR / "adapters" / key / str(account_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Io(
        folder=folder,
        clock=time.time,
        logger=logging.getLogger(f"{__name__}.adapter"),
        allowed_hosts=settings.ERPBRIDGE_ALLOWED_PRIVATE_HOSTS,
    )


def _broken(key: str, error: Exception, secrets: Mapping[str, str]) -> registry.AdapterUnavailable:
    why = f"It failed to start: {type(error).__name__}: {error}"
    # The exception may quote a secret, and the message is shown on pages.
    why = plain(Redactor(secrets.values())(why), LONGEST_PROBLEM)
    return registry.AdapterUnavailable(key, why)


def manifest_of(connection: Connection) -> Manifest:
    """The manifest of the connection's adapter with the connection's settings.

    :raises registry.AdapterUnavailable: if it is not installed, not allowed or broken.
    """
    adapter_class = registry.adapter_class(connection.adapter, settings.ERPBRIDGE_ADAPTERS)
    try:
        return adapter_class.manifest(connection.config)
    except Exception as error:
        raise _broken(connection.adapter, error, {}) from error


def entity_manifest(connection: Connection, entity: str) -> EntityManifest | None:
    """The manifest of one record type; None if the ERP does not support it."""
    return manifest_of(connection).entities.get(entity)


def usable_manifest(connection: Connection | None, entity: str) -> EntityManifest | None:
    """Like :func:`entity_manifest`; None also without a connection or a usable adapter."""
    try:
        return entity_manifest(connection, entity) if connection else None
    except registry.AdapterUnavailable:
        return None
