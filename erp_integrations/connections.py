"""Connections: creating, testing, refreshing, pausing, and the adapter behind one."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from erp_integrations.adapters import registry
from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Effect,
    EntityManifest,
    ErpError,
    ErrorClass,
    Found,
    Health,
    Io,
    Manifest,
    Setting,
)
from erp_integrations.guard import Guarded, plain
from erp_integrations.models import ActiveConnection, Choice, Connection, ErpRecord
from erp_integrations.moves import chunks
from erp_integrations.records import record_types
from erp_integrations.secrets import LONGEST_SECRET, Secrets, SecretsUnreadable, opened, seal
from erp_integrations.wakeups import wake
from erpbridge.access.models import Account, User
from erpbridge.audit.record import Note, changes, note
from erpbridge.ui.redaction import Redactor

ENTITY = "connection"
LONGEST_CODE = 100
LONGEST_PROBLEM = 1_000
NO_SECRETS: Mapping[str, str] = Secrets({})
logger = logging.getLogger(__name__)


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
    folder = settings.DATA_DIR / "adapters" / connection.adapter / str(connection.account_id)
    folder.mkdir(parents=True, exist_ok=True)
    io = Io(folder=folder, clock=time.time, logger=logging.getLogger(f"{__name__}.adapter"))
    try:
        return Guarded(adapter_class(connection.config, secrets, io))
    except Exception as error:
        raise _broken(connection, error, secrets) from error


def _broken(
    connection: Connection, error: Exception, secrets: Mapping[str, str]
) -> registry.AdapterUnavailable:
    why = f"It cannot be started: {type(error).__name__}: {error}"
    why = plain(Redactor(secrets.values())(why), LONGEST_PROBLEM)
    return registry.AdapterUnavailable(connection.adapter, why)


def manifest_of(connection: Connection) -> Manifest:
    """What the connection's adapter declares under its configuration.

    :raises registry.AdapterUnavailable: where it is no longer installed or allowed, or broken.
    """
    adapter_class = registry.adapter_class(connection.adapter, settings.ERPBRIDGE_ADAPTERS)
    try:
        return adapter_class.manifest(connection.config)
    except Exception as error:
        raise _broken(connection, error, {}) from error


def entity_manifest(connection: Connection, entity: str) -> EntityManifest | None:
    """What the ERP can do with one record type; None where it does not know it."""
    return manifest_of(connection).entities.get(entity)


def usable_manifest(connection: Connection | None, entity: str) -> EntityManifest | None:
    """The same for pages: None also where there is no connection, or its adapter has gone."""
    try:
        return entity_manifest(connection, entity) if connection else None
    except registry.AdapterUnavailable:
        return None


def active(account_id: int, entity: str) -> Connection | None:
    """The connection an account uses for a record type."""
    found = ActiveConnection.objects.filter(account=account_id, entity=entity)
    row = found.select_related("connection").first()
    return row.connection if row else None


def _clean_setting(setting: Setting, raw: Any) -> Any:
    """One configuration value. :raises ValidationError: naming the setting and its limit."""
    value = str(setting.default if raw is None or raw == "" else raw).strip()
    if len(value) > 200 or "\x00" in value:
        raise ValidationError(f"{setting.label}: at most 200 characters, no control characters.")
    if setting.options and value not in dict(setting.options):
        raise ValidationError(f"{setting.label}: {value!r} is not one of the choices.")
    if setting.kind != "integer":
        return value
    least, most = setting.least or 0, setting.most if setting.most is not None else 2**31
    if not value.isdecimal() or not least <= int(value) <= most:
        raise ValidationError(f"{setting.label} must be a whole number from {least} to {most}.")
    return int(value)


def clean_config(adapter_key: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration checked against the adapter's settings.

    :raises ValidationError: a dictionary of setting name to message.
    """
    adapter_class = adapter_classes().get(adapter_key)
    if adapter_class is None:
        raise ValidationError({"adapter": "This adapter is not installed here."})
    manifest = adapter_class.manifest({})
    config: dict[str, Any] = {}
    errors: dict[str, ValidationError] = {}
    for setting in manifest.settings:
        if setting.kind == "secret":
            continue
        try:
            config[setting.name] = _clean_setting(setting, raw.get(setting.name))
        except ValidationError as error:
            errors[setting.name] = error
    if errors:
        raise ValidationError(errors)
    return config


def clean_secrets(adapter_key: str, given: Mapping[str, str]) -> dict[str, str]:
    """New values of secret settings, blank ones left out.

    :raises ValidationError: a dictionary of setting name to message, which never holds a value.
    """
    adapter_class = adapter_classes().get(adapter_key)
    known = adapter_class.manifest({}).settings if adapter_class else ()
    labels = {one.name: one.label for one in known if one.kind == "secret"}
    new = {name: value for name, value in given.items() if name in labels and value.strip()}
    errors = {
        name: f"{labels[name]}: at most {LONGEST_SECRET:,} characters, no control characters."
        for name, value in new.items()
        if len(value) > LONGEST_SECRET or "\x00" in value
    }
    if errors:
        raise ValidationError(errors)
    return new


def _keep_secrets(
    connection: Connection, given: Mapping[str, str], removed: Collection[str]
) -> dict[str, str]:
    """Put new secrets in and removed ones out. What happened to each, without its value."""
    new = clean_secrets(connection.adapter, given)
    gone = set(removed) & set(connection.secrets) - set(new)
    sealed = {name: seal(value) for name, value in new.items()}
    kept = {name: token for name, token in connection.secrets.items() if name not in gone}
    connection.secrets = {**kept, **sealed}
    return {**dict.fromkeys(gone, "removed"), **dict.fromkeys(new, "changed")}


def _note(connection: Connection, verb: str, *, by: User | None, **data: Any) -> None:
    one = Note(ENTITY, connection.pk, connection.name, verb, data=data)
    note(connection.account_id, [one], by=by)


@transaction.atomic
def create(
    *,
    account: Account,
    name: str,
    adapter: str,
    config: Mapping[str, Any],
    by: User,
    secrets: Mapping[str, str] = NO_SECRETS,
) -> Connection:
    """A new connection, not yet in use. :raises ValidationError: for a bad name or setting."""
    connection = Connection(
        account=account, name=name, adapter=adapter, config=clean_config(adapter, config)
    )
    _keep_secrets(connection, secrets, ())
    _save(connection)
    _note(connection, "connection_created", by=by, adapter=adapter)
    return connection


def _save(connection: Connection, **how: Any) -> None:
    """:raises ValidationError: for a name that is taken, also by somebody at this very moment."""
    connection.full_clean(exclude=["config", "secrets", "test_result"])
    try:
        with transaction.atomic():
            connection.save(**how)
    except IntegrityError as error:
        raise ValidationError({"name": "A connection of this name exists already."}) from error


@transaction.atomic
def configure(
    connection: Connection,
    *,
    name: str,
    config: Mapping[str, Any],
    by: User,
    secrets: Mapping[str, str] = NO_SECRETS,
    remove: Collection[str] = (),
) -> None:
    """Change name and settings.

    :param secrets: new values of secret settings; a blank one keeps what is there.
    :param remove: names of secrets to forget.
    :raises ValidationError: for a bad name or setting.
    """
    cleaned = clean_config(connection.adapter, config)
    # Read under lock, so that the history names what really was there before.
    stored = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    difference = changes({"name": stored.name, **stored.config}, {"name": name, **cleaned})
    connection.name, connection.config, connection.secrets = name, cleaned, stored.secrets
    for setting, what in _keep_secrets(connection, secrets, remove).items():
        difference[setting] = ["secret", what]
    _save(connection, update_fields=["name", "config", "secrets"])
    if difference:
        _note(connection, "connection_changed", by=by, changes=difference)


@transaction.atomic
def activate(connection: Connection, *, by: User) -> None:
    """Use the connection for every record type that its ERP takes and nothing else serves."""
    manifest = manifest_of(connection)
    for kind in record_types():
        if kind.entity in manifest.entities:
            ActiveConnection.objects.get_or_create(
                account_id=connection.account_id,
                entity=kind.entity,
                defaults={"connection": connection},
            )
    _note(connection, "connection_activated", by=by)


def _check(connection: Connection) -> Health:
    try:
        return adapter_of(connection).check()
    except registry.AdapterUnavailable as error:
        return Health((str(error),))


def test(connection: Connection, *, by: User | None) -> bool:
    """Ask the ERP whether exporting would work, and keep the answer."""
    health = _check(connection)
    result = {"problems": list(health.problems), "facts": dict(health.facts)}
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(tested_at=Now(), test_result=result)
        _note(connection, "connection_tested", by=by, problems=result["problems"])
    connection.refresh_from_db()
    return health.ok


def refresh(connection: Connection, *, by: User | None) -> bool:
    """Fetch the ERP's lists and its records; keeps what was known where the ERP fails."""
    try:
        adapter = adapter_of(connection)
        lists = {kind: adapter.choices(kind) for kind in adapter.choice_kinds()}
        records = {
            entity: _pull_all(adapter, entity)
            for entity, one in manifest_of(connection).entities.items()
            if one.imports
        }
    except (AdapterError, registry.AdapterUnavailable) as error:
        problem = error.error.message if isinstance(error, AdapterError) else str(error)
        Connection.objects.filter(pk=connection.pk).update(refresh_problem=problem)
        connection.refresh_from_db()
        return False
    with transaction.atomic():
        # One refresh at a time: two would each take the other's new rows for gone ones.
        Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        for kind, found in lists.items():
            _store_choices(connection, kind, {one.code: one.label for one in found})
        for entity, found_records in records.items():
            _store_records(connection, entity, found_records)
        Connection.objects.filter(pk=connection.pk).update(refreshed_at=Now(), refresh_problem="")
        _note(connection, "connection_refreshed", by=by)
    connection.refresh_from_db()
    return True


def _pull_all(adapter: Adapter, entity: str) -> dict[str, Found]:
    """All records of the ERP by id, each as last seen. :raises AdapterError:"""
    found: dict[str, Found] = {}
    cursor, seen = "", set()
    while cursor not in seen:
        seen.add(cursor)
        page = adapter.pull(entity, cursor)
        found.update((one.erp_id, one) for one in page.records)
        if not page.cursor:
            return found
        cursor = page.cursor
    message = "The ERP's list of records does not end: it gave the same place twice."
    raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, message))


def _store_choices(connection: Connection, kind: str, labels: Mapping[str, str]) -> None:
    """Add new values and switch off those the ERP no longer has."""
    known = connection.choices.filter(kind=kind)
    known.exclude(code__in=labels).update(active=False)
    rows = [
        Choice(connection=connection, kind=kind, code=code, label=label[:255], active=True)
        for code, label in labels.items()
        if len(code) <= LONGEST_CODE
    ]
    Choice.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "kind", "code"],
        update_fields=["label", "active"],
    )


def _store_records(connection: Connection, entity: str, records: Mapping[str, Found]) -> None:
    """Store what the ERP holds now; what it no longer holds frees its id."""
    staged = connection.erp_records.filter(entity=entity, state=ErpRecord.State.STAGED)
    gone = [pk for pk, erp_id in staged.values_list("pk", "erp_id") if erp_id not in records]
    for some in chunks(gone):
        ErpRecord.objects.filter(pk__in=some).delete()
    rows = [
        ErpRecord(
            connection=connection,
            entity=entity,
            erp_id=found.erp_id,
            erp_code=found.erp_code,
            label=str(found.data.get("name", ""))[:255],
            data=dict(found.data),
            seen_at=Now(),
        )
        for found in records.values()
    ]
    ErpRecord.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "entity", "erp_id"],
        update_fields=["erp_code", "label", "data", "seen_at"],
        batch_size=500,
    )


@transaction.atomic
def pause(connection: Connection, *, by: User | None, reason: str) -> None:
    """Stop handing items to the ERP; what is accepted waits."""
    found = Connection.objects.filter(pk=connection.pk)
    paused = {"pause_reason": reason[:300], "paused_for_login": False}
    if found.filter(Q(paused_at=None) | Q(paused_for_login=True)).update(paused_at=Now(), **paused):
        _note(connection, "connection_paused", by=by, reason=reason)
    connection.refresh_from_db()


@transaction.atomic
def pause_for_login(connection: Connection, *, message: str) -> None:
    """Stop because the ERP refuses the login; said once, ends by itself once it is mended."""
    reason = f"The ERP refuses the login: {message}"
    found = Connection.objects.filter(pk=connection.pk, paused_at=None)
    if found.update(paused_at=Now(), pause_reason=reason[:300], paused_for_login=True):
        logger.warning("connection %s is paused: %s", connection.pk, reason)
        _note(connection, "connection_paused", by=None, reason=reason)


@transaction.atomic
def resume(connection: Connection, *, by: User | None) -> None:
    """Go on where a pause stopped."""
    found = Connection.objects.filter(pk=connection.pk).exclude(paused_at=None)
    going = {"paused_at": None, "pause_reason": "", "paused_for_login": False}
    if found.update(**going, breaker_failures=0, breaker_until=None):
        _note(connection, "connection_resumed", by=by)
        wake(connection.pk)
    connection.refresh_from_db()
