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

from erp_integrations import pulling
from erp_integrations.adapters import registry
from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    EntityManifest,
    Health,
    Io,
    Manifest,
    Operation,
    Owner,
    Setting,
)
from erp_integrations.guard import Guarded, plain
from erp_integrations.models import ActiveConnection, Connection
from erp_integrations.models.connections import USUAL_IN_FLIGHT
from erp_integrations.records import (
    Connected,
    RecordType,
    connection_activated,
    record_type,
    record_types,
)
from erp_integrations.secrets import LONGEST_SECRET, Secrets, SecretsUnreadable, opened, seal
from erp_integrations.wakeups import wake
from erpbridge.access.models import Account, User
from erpbridge.audit.record import Note, changes, note
from erpbridge.ui.redaction import Redactor

ENTITY = "connection"
LONGEST_PROBLEM = 1_000
NO_SECRETS: Mapping[str, str] = Secrets({})
# What a person may set of how fast a connection goes, and what holds where nothing is set.
LIMITS: Mapping[str, int | None] = {"rate_per_minute": None, "max_in_flight": USUAL_IN_FLIGHT}
NO_LIMITS: Mapping[str, int | None] = {}
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
    try:
        io = _io(connection.adapter, connection.account_id)
        return Guarded(adapter_class(connection.config, secrets, io))
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
        adapter = adapter_class(config, NO_SECRETS, _io(key, account_id))
        return adapter_class.manifest(config), Guarded(adapter)
    except Exception as error:
        raise _broken(key, error, {}) from error


def _io(key: str, account_id: int) -> Io:
    folder = settings.DATA_DIR / "adapters" / key / str(account_id)
    folder.mkdir(parents=True, exist_ok=True)
    return Io(folder=folder, clock=time.time, logger=logging.getLogger(f"{__name__}.adapter"))


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


def active(account_id: int, entity: str) -> Connection | None:
    """The connection an account uses for a record type."""
    found = ActiveConnection.objects.filter(account=account_id, entity=entity)
    row = found.select_related("connection").first()
    return row.connection if row else None


def as_connected(connection: Connection, entity: str) -> Connected:
    """What a record app may know of a connection; without its adapter, that it takes nothing."""
    try:
        manifest = manifest_of(connection)
    except registry.AdapterUnavailable:
        return Connected(connection.pk, connection.name, connection.adapter, False, False)
    found = manifest.entities.get(entity)
    updates = found is not None and Operation.UPDATE in found.operations
    erp_owns = found is not None and found.owner == Owner.ERP
    return Connected(
        connection.pk,
        connection.name,
        manifest.short_name,
        updates,
        erp_owns,
        imports=found is not None and found.imports,
        custom_segments=manifest.custom_segments,
    )


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


def _keep_limits(connection: Connection, given: Mapping[str, int | None]) -> None:
    """Set the limits that are given; None stands for what goes without one."""
    for name, usual in LIMITS.items():
        if name in given:
            setattr(connection, name, usual if given[name] is None else given[name])


def _limits(connection: Connection) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in LIMITS}


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
    limits: Mapping[str, int | None] = NO_LIMITS,
) -> Connection:
    """A new connection, not yet in use. :raises ValidationError: for a bad name or setting."""
    connection = Connection(
        account=account, name=name, adapter=adapter, config=clean_config(adapter, config)
    )
    _keep_secrets(connection, secrets, ())
    _keep_limits(connection, limits)
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
    limits: Mapping[str, int | None] = NO_LIMITS,
) -> None:
    """Change name, settings and limits.

    :param secrets: new values of secret settings; a blank one keeps what is there.
    :param remove: names of secrets to forget.
    :param limits: those of :data:`LIMITS` that are to change; None takes one away.
    :raises ValidationError: for a bad name or setting.
    """
    cleaned = clean_config(connection.adapter, config)
    # Read under lock, so that the history names what really was there before.
    stored = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    _keep_limits(connection, _limits(stored) | dict(limits))
    before = {"name": stored.name, **stored.config, **_limits(stored)}
    difference = changes(before, {"name": name, **cleaned, **_limits(connection)})
    connection.name, connection.config, connection.secrets = name, cleaned, stored.secrets
    kept = _keep_secrets(connection, secrets, remove)
    difference |= {setting: ["secret", what] for setting, what in kept.items()}
    if kept:
        # Whoever guessed, guessed at another password.
        connection.inbound_failures, connection.inbound_locked_until = 0, None
    changed = ["inbound_failures", "inbound_locked_until"] if kept else []
    _save(connection, update_fields=["name", "config", "secrets", *LIMITS, *changed])
    if difference:
        _note(connection, "connection_changed", by=by, changes=difference)


@transaction.atomic
def activate(connection: Connection, *, by: User) -> None:
    """Use the connection for every record type that its ERP takes and nothing else serves."""
    _serve(connection)
    _note(connection, "connection_activated", by=by)


def _serve(connection: Connection) -> None:
    """Take up what nothing serves yet, and tell the record apps."""
    manifest = manifest_of(connection)
    wanted = {kind.entity for kind in record_types()} & set(manifest.entities)
    for entity in sorted(_taken_up(connection, wanted)):
        connection_activated.send(
            ActiveConnection,
            entity=entity,
            account_id=connection.account_id,
            connected=as_connected(connection, entity),
        )


def _taken_up(connection: Connection, entities: Collection[str]) -> set[str]:
    """Those of the record types that the connection serves from now on, and nothing did before."""
    # Under lock, so that of two clicks only one sees them free.
    list(Connection.objects.filter(pk=connection.pk).select_for_update(no_key=True))
    served = ActiveConnection.objects.filter(account=connection.account_id, entity__in=entities)
    free = set(entities) - set(served.values_list("entity", flat=True))
    rows = [
        ActiveConnection(account_id=connection.account_id, entity=entity, connection=connection)
        for entity in sorted(free)
    ]
    ActiveConnection.objects.bulk_create(rows, ignore_conflicts=True)
    return free & set(served.filter(connection=connection).values_list("entity", flat=True))


def standing_against(connection: Connection, entity: str) -> list[str]:
    """Why an account's records of a type cannot go through this connection instead of the one
    that they go through now; nothing where they can.
    """
    kind = record_type(entity)
    plural = kind.label_plural.lower()
    now = active(connection.account_id, entity)
    if now is None or now.pk == connection.pk:
        return []
    reasons = []
    manifest = usable_manifest(connection, entity)
    if manifest is None:
        reasons.append(f"{connection.name} does not take {plural}.")
    waiting = now.items.filter(entity=entity).open().count()
    if waiting:
        reasons.append(
            f"{_counted(waiting, kind)} still open with {now.name}: waiting for accounting, being "
            "exported, or failed. Retrieve, reject or settle what is open first."
        )
    linked = now.links.filter(entity=entity, ended_at=None).count()
    if linked and kind.unit == "record":
        reasons.append(
            f"{_counted(linked, kind)} linked to {now.name}, and a record has one ERP ID. Unlink "
            "what is linked first."
        )
    return reasons


def _counted(number: int, kind: RecordType) -> str:
    """A number of records, and the verb."""
    one = number == 1
    noun = kind.label if one else kind.label_plural
    return f"{number:,} {noun.lower()} {'is' if one else 'are'}"


@transaction.atomic
def use_for(connection: Connection, entity: str, *, by: User) -> list[str]:
    """Let the account's records of a type go through this connection from now on.

    :returns: why not; nothing once they do.
    """
    both = Q(pk=connection.pk) | Q(active_for__entity=entity, account=connection.account_id)
    found = Connection.objects.filter(pk__in=Connection.objects.filter(both).values("pk"))
    list(found.order_by("pk").select_for_update(no_key=True))
    reasons = standing_against(connection, entity)
    if reasons:
        return reasons
    rows = ActiveConnection.objects.filter(account=connection.account_id, entity=entity)
    if not rows.exclude(connection=connection).update(connection=connection):
        _serve(connection)
        return []
    _note(connection, "connection_activated", by=by, entity=entity)
    connection_activated.send(
        ActiveConnection,
        entity=entity,
        account_id=connection.account_id,
        connected=as_connected(connection, entity),
    )
    return []


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
    """Fetch the ERP's lists and its records; keeps what was known where the ERP fails.

    A connection that is in use takes up the record types that its ERP, or erpbridge, has learned
    since it was activated.
    """
    try:
        adapter = adapter_of(connection)
        lists = {kind: adapter.choices(kind) for kind in adapter.choice_kinds()}
        records = {
            entity: pulling.pull_all(adapter, entity)
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
            pulling.store_choices(connection, kind, found)
        for entity, found_records in records.items():
            pulling.store_records(connection, entity, found_records)
        Connection.objects.filter(pk=connection.pk).update(refreshed_at=Now(), refresh_problem="")
        _note(connection, "connection_refreshed", by=by)
        if ActiveConnection.objects.filter(connection=connection).exists():
            _serve(connection)
    connection.refresh_from_db()
    return True


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
