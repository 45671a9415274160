"""The settings of a connection: checked against what its adapter declares, stored, and changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from erp_integrations.adapters.base import Manifest, Setting
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.adapter_loading import NO_SECRETS
from erp_integrations.connections.secrets import LONGEST_SECRET, seal
from erp_integrations.connections.wakeups import wake
from erp_integrations.models import Connection, erp_records
from erp_integrations.models.connections import USUAL_IN_FLIGHT
from erp_integrations.models.record_types import RecordType, by_type, in_words
from erp_integrations.models.states import MAY_HAVE_LEFT
from erpbridge.access.models import Account, User
from erpbridge.audit.services import changes
from erpbridge.outgoing.hosts import address_problem

# What a person may set of how fast a connection goes, and what holds where nothing is set.
LIMITS: Mapping[str, int | None] = {"rate_per_minute": None, "max_in_flight": USUAL_IN_FLIGHT}
# What of a manifest says how commands reach the ERP, and how and when it is known what became of
# them. Without the time that a queue had, what lies in it would be sent a second time.
WAY = ("delivery", "can_find", "can_fetch", "call_deadline", "settles_within", "silent_after")
NO_LIMITS: Mapping[str, int | None] = {}


def _clean_setting(setting: Setting, raw: Any) -> Any:
    """One configuration value. :raises ValidationError: naming the setting and its limit."""
    value = str(setting.default if raw is None or raw == "" else raw).strip()
    if len(value) > 200 or "\x00" in value:
        raise ValidationError(f"{setting.label}: at most 200 characters, no control characters.")
    if setting.options and value not in dict(setting.options):
        raise ValidationError(f"{setting.label}: {value!r} is not one of the choices.")
    if setting.kind == "url" and value and (problem := address_problem(value)):
        raise ValidationError(f"{setting.label}: {problem}")
    if setting.kind != "integer":
        return value
    least, most = setting.least or 0, setting.most if setting.most is not None else 2**31
    if not value.isdecimal() or len(value) > 19 or not least <= int(value) <= most:
        raise ValidationError(f"{setting.label} must be a whole number from {least} to {most}.")
    return int(value)


def clean_config(adapter_key: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration checked against the adapter's settings.

    :raises ValidationError: a dictionary of setting name to message.
    """
    adapter_class = adapter_loading.adapter_classes().get(adapter_key)
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


def identity_settings(adapter_key: str) -> tuple[Setting, ...]:
    """The settings that say where connections of an adapter lead; none where it has gone."""
    adapter_class = adapter_loading.adapter_classes().get(adapter_key)
    return adapter_class.manifest({}).identity if adapter_class else ()


def identity_of(known: Collection[Setting], config: Mapping[str, Any]) -> dict[str, Any]:
    """Where a connection leads: setting name -> value. What it does not have is the default's."""
    return {one.name: config.get(one.name, one.default) for one in known}


def differs(one: Setting, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a setting leads elsewhere than before."""
    return str(before[one.name]) != str(after[one.name])


def _elsewhere(one: Setting) -> str:
    return (
        f"{one.label} says which ERP this connection leads to. It is changed on the page Change "
        "Where It Leads, which asks for the secrets again and what becomes of the links."
    )


def _another_way(connection: Connection, after: Mapping[str, Any]) -> list[Setting]:
    """The settings that would let items travel otherwise, or be looked up otherwise."""
    manifest = adapter_loading.adapter_classes()[connection.adapter].manifest
    before = manifest(connection.config)
    return [
        one
        for one in before.settings
        if after.get(one.name) != connection.config.get(one.name)
        and _way(manifest({**connection.config, one.name: after.get(one.name)})) != _way(before)
    ]


def _way(manifest: Manifest) -> list[Any]:
    return [getattr(manifest, name) for name in WAY]


def _on_its_way(one: Setting, waiting: Sequence[tuple[RecordType, int]]) -> str:
    return (
        f"{one.label} cannot be changed now: {in_words(waiting)} may have reached the ERP in the "
        "present way, which is also how it is found out what became of it. Wait until that is "
        "settled, and answer what needs an answer, first."
    )


def clean_secrets(adapter_key: str, given: Mapping[str, str]) -> dict[str, str]:
    """New values of secret settings, blank ones left out.

    :raises ValidationError: a dictionary of setting name to message, which never holds a value.
    """
    adapter_class = adapter_loading.adapter_classes().get(adapter_key)
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


def keep_secrets(
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
    keep_secrets(connection, secrets, ())
    _keep_limits(connection, limits)
    save(connection)
    connection_services.told(connection, "connection_created", by=by, adapter=adapter)
    return connection


def save(connection: Connection, **how: Any) -> None:
    """Store it.

    :raises ValidationError: for a name that is taken, also by somebody at this very moment.
    """
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
    """Change name, settings and limits; not where it leads, which ``identity`` changes.

    :param config: a setting that is identity may be left out, and is then as it was.
    :param secrets: new values of secret settings; a blank one keeps what is there.
    :param remove: names of secrets to forget.
    :param limits: those of :data:`LIMITS` that are to change; None takes one away.
    :raises ValidationError: for a bad name or setting, and one that would lead elsewhere; for one
        by which items travel, while what became of some is not known. What waits goes the new way.
    """
    # Read under lock, so that the history names what really was there before.
    stored = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    known = identity_settings(connection.adapter)
    present = identity_of(known, stored.config)
    cleaned = clean_config(connection.adapter, {**present, **config})
    wanted = identity_of(known, cleaned)
    if errors := {one.name: _elsewhere(one) for one in known if differs(one, present, wanted)}:
        raise ValidationError(errors)
    another_way = _another_way(stored, cleaned)
    if another_way and (waiting := by_type(stored.items.filter(state__in=MAY_HAVE_LEFT))):
        raise ValidationError({one.name: _on_its_way(one, waiting) for one in another_way})
    _keep_limits(connection, _limits(stored) | dict(limits))
    before = {"name": stored.name, **stored.config, **_limits(stored)}
    difference = changes(before, {"name": name, **cleaned, **_limits(connection)})
    connection.name, connection.config, connection.secrets = name, cleaned, stored.secrets
    kept = keep_secrets(connection, secrets, remove)
    difference |= {setting: ["secret", what] for setting, what in kept.items()}
    if kept:
        # Whoever guessed, guessed at another password.
        connection.inbound_failures, connection.inbound_locked_until = 0, None
    changed = ["inbound_failures", "inbound_locked_until"] if kept else []
    save(connection, update_fields=["name", "config", "secrets", *LIMITS, *changed])
    if another_way:
        # Who can compare an ID that a program named is another one now.
        erp_records.release_linked(connection)
        wake(connection.pk)
    if difference:
        connection_services.told(connection, "connection_changed", by=by, changes=difference)
