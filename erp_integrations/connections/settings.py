"""Settings of a connection: validated against its adapter's manifest, created and changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from erp_integrations.adapters.base import Manifest, Setting, SettingKind
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.adapter_loading import NO_SECRETS
from erp_integrations.connections.secrets import LONGEST_SECRET, seal
from erp_integrations.connections.wakeups import wake
from erp_integrations.models import Connection, erp_records
from erp_integrations.models.connections import ConnectionEvent
from erp_integrations.models.record_types import RecordType, by_type, in_words
from erp_integrations.models.states import MAY_HAVE_LEFT
from erpbridge.access.models import Account, User
from erpbridge.audit.services import changes
from erpbridge.db.text import CONTROL, is_storable
from erpbridge.outgoing.hosts import address_problem

# Limits that users may set for a connection; None: none besides the adapter's.
LIMITS = ("rate_per_minute", "max_in_flight")
NAME_TAKEN = "A connection with this name already exists. Choose another name."
# Attributes of a manifest that decide how commands reach the ERP and how their outcome is found.
# If they changed while commands are under way, queued commands could be sent a second time.
WAY = ("delivery", "can_find", "can_fetch", "call_deadline", "settles_within", "silent_after")
NO_LIMITS: Mapping[str, int | None] = {}


def _clean_setting(setting: Setting, raw: object) -> object:
    """Validate one configuration value.

    :raises ValidationError: with the name of the setting and its limit.
    """
    value = str(setting.default if raw is None or raw == "" else raw).strip()
    if len(value) > 200 or CONTROL.search(value) or not is_storable(value):
        raise ValidationError(
            f"{setting.label}: use at most 200 characters and no control characters."
        )
    if setting.options and value not in dict(setting.options):
        raise ValidationError(
            f"{setting.label}: {value!r} is not on the list. Choose a value from the list."
        )
    if setting.kind == SettingKind.URL and value and (problem := address_problem(value)):
        raise ValidationError(f"{setting.label}: {problem}")
    if setting.kind != SettingKind.INTEGER:
        return value
    least, most = setting.least or 0, setting.most if setting.most is not None else 2**31
    if not value.isdecimal() or len(value) > 19 or not least <= int(value) <= most:
        raise ValidationError(f"{setting.label} must be a whole number from {least} to {most}.")
    return int(value)


def clean_config(adapter_key: str, raw: Mapping[str, object]) -> dict[str, object]:
    """Validate a configuration against the adapter's settings; secrets are left out.

    :raises ValidationError: a dictionary of setting name to message.
    """
    adapter_class = adapter_loading.adapter_classes().get(adapter_key)
    if adapter_class is None:
        raise ValidationError({"adapter": "This adapter is not installed. Choose another one."})
    manifest = adapter_class.manifest({})
    config: dict[str, object] = {}
    errors: dict[str, ValidationError] = {}
    for setting in manifest.settings:
        if setting.kind == SettingKind.SECRET:
            continue
        try:
            config[setting.name] = _clean_setting(setting, raw.get(setting.name))
        except ValidationError as error:
            errors[setting.name] = error
    if errors:
        raise ValidationError(errors)
    return config


def identity_settings(adapter_key: str) -> tuple[Setting, ...]:
    """The identity settings of an adapter (which ERP, which books); none if it is not installed."""
    adapter_class = adapter_loading.adapter_classes().get(adapter_key)
    return adapter_class.manifest({}).identity if adapter_class else ()


def identity_of(known: Collection[Setting], config: Mapping[str, object]) -> dict[str, object]:
    """Identity setting -> value, from ``config`` or else the setting's default."""
    return {setting.name: config.get(setting.name, setting.default) for setting in known}


def differs(setting: Setting, before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Whether the value of an identity setting is another one than before."""
    return str(before[setting.name]) != str(after[setting.name])


def _elsewhere(setting: Setting) -> str:
    return (
        f"{setting.label} determines which ERP this connection uses. Change it on the page "
        "“Change which ERP it connects to”, which asks for the secrets again and what happens to "
        "the links."
    )


def _another_way(connection: Connection, after: Mapping[str, object]) -> list[Setting]:
    """The changed settings that affect the delivery (:data:`WAY`)."""
    manifest = adapter_loading.adapter_classes()[connection.adapter].manifest
    before = manifest(connection.config)
    return [
        setting
        for setting in before.settings
        if after.get(setting.name) != connection.config.get(setting.name)
        and _way(manifest({**connection.config, setting.name: after.get(setting.name)}))
        != _way(before)
    ]


def _way(manifest: Manifest) -> list[object]:
    return [getattr(manifest, name) for name in WAY]


def _on_its_way(setting: Setting, waiting: Sequence[tuple[RecordType, int]]) -> str:
    return (
        f"{setting.label} cannot be changed now: {in_words(waiting)} may have reached the ERP "
        "through the current setting, and only through it can their results be read. Wait until "
        "they are exported, answer those that need an answer, then change it."
    )


def clean_secrets(adapter_key: str, given: Mapping[str, str]) -> dict[str, str]:
    """Validate new values of secret settings; blank ones are left out.

    :raises ValidationError: a dictionary of setting name to message, which never holds a value.
    """
    adapter_class = adapter_loading.adapter_classes().get(adapter_key)
    declared = adapter_class.manifest({}).settings if adapter_class else ()
    labels = {
        setting.name: setting.label for setting in declared if setting.kind == SettingKind.SECRET
    }
    new = {name: value for name, value in given.items() if name in labels and value.strip()}
    errors = {
        name: f"{labels[name]}: at most {LONGEST_SECRET:,} characters and no NUL character."
        for name, value in new.items()
        if len(value) > LONGEST_SECRET or not is_storable(value)
    }
    if errors:
        raise ValidationError(errors)
    return new


def keep_secrets(
    connection: Connection, given: Mapping[str, str], removed: Collection[str]
) -> dict[str, str]:
    """Set new secrets and remove others, without saving.

    :returns: setting name -> "removed" or "changed", for the audit event.
    """
    new = clean_secrets(connection.adapter, given)
    removed_names = set(removed) & set(connection.secrets) - set(new)
    sealed = {name: seal(value) for name, value in new.items()}
    kept = {name: token for name, token in connection.secrets.items() if name not in removed_names}
    connection.secrets = {**kept, **sealed}
    return {**dict.fromkeys(removed_names, "removed"), **dict.fromkeys(new, "changed")}


def _keep_limits(connection: Connection, limits: Mapping[str, int | None]) -> None:
    """Set those of the limits that are passed; None is no limit besides the adapter's."""
    for name in LIMITS:
        if name in limits:
            setattr(connection, name, limits[name])


def _limits(connection: Connection) -> dict[str, int | None]:
    return {name: getattr(connection, name) for name in LIMITS}


@transaction.atomic
def create(
    *,
    account: Account,
    name: str,
    adapter: str,
    config: Mapping[str, object],
    by: User,
    secrets: Mapping[str, str] = NO_SECRETS,
    limits: Mapping[str, int | None] = NO_LIMITS,
) -> Connection:
    """Create a connection; it is not active yet.

    :raises ValidationError: for a bad name or setting.
    """
    connection = Connection(
        account=account, name=name, adapter=adapter, config=clean_config(adapter, config)
    )
    keep_secrets(connection, secrets, ())
    _keep_limits(connection, limits)
    save(connection)
    connection_services.note_event(connection, ConnectionEvent.CREATED, by=by, adapter=adapter)
    return connection


def save(connection: Connection, update_fields: Sequence[str] | None = None) -> None:
    """Validate and save a connection.

    :raises ValidationError: for a name that is taken, also by a simultaneous request.
    """
    # These three were validated by clean_config and clean_secrets, or come from the adapter.
    connection.full_clean(exclude=["config", "secrets", "test_result"])
    try:
        with transaction.atomic():
            connection.save(update_fields=update_fields)
    except IntegrityError as error:
        raise ValidationError({"name": NAME_TAKEN}) from error


@transaction.atomic
def configure(
    connection: Connection,
    *,
    name: str,
    config: Mapping[str, object],
    by: User,
    secrets: Mapping[str, str] = NO_SECRETS,
    remove: Collection[str] = (),
    limits: Mapping[str, int | None] = NO_LIMITS,
) -> None:
    """Change name, settings and limits. ``connection_identity`` changes identity settings.

    :param config: the settings; an identity setting that is left out keeps its value.
    :param secrets: new values of secret settings; a blank one keeps the stored value.
    :param remove: names of secrets to delete.
    :param limits: those of :data:`LIMITS` to change; None: no limit besides the adapter's.
    :raises ValidationError: for a bad name or setting; for a changed identity setting; for a
        change of the delivery while the outcome of some items is not known.
    """
    # Read under lock, so that the audit event has the values that were really there before.
    stored = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    identity = identity_settings(connection.adapter)
    before_identity = identity_of(identity, stored.config)
    cleaned = clean_config(connection.adapter, {**before_identity, **config})
    after_identity = identity_of(identity, cleaned)
    errors = {
        setting.name: _elsewhere(setting)
        for setting in identity
        if differs(setting, before_identity, after_identity)
    }
    if errors:
        raise ValidationError(errors)
    another_way = _another_way(stored, cleaned)
    # Their outcome can only be found out by the delivery that they were sent with.
    if another_way and (waiting := by_type(stored.items.filter(state__in=MAY_HAVE_LEFT))):
        raise ValidationError(
            {setting.name: _on_its_way(setting, waiting) for setting in another_way}
        )
    _keep_limits(connection, _limits(stored) | dict(limits))
    before = {"name": stored.name, **stored.config, **_limits(stored)}
    difference = changes(before, {"name": name, **cleaned, **_limits(connection)})
    connection.name, connection.config, connection.secrets = name, cleaned, stored.secrets
    changed_secrets = keep_secrets(connection, secrets, remove)
    difference |= {name: ["secret", change] for name, change in changed_secrets.items()}
    if changed_secrets:
        # Failed logins were counted against the old password.
        connection.inbound_failures, connection.inbound_locked_until = 0, None
    changed = ["inbound_failures", "inbound_locked_until"] if changed_secrets else []
    save(connection, update_fields=["name", "config", "secrets", *LIMITS, *changed])
    if another_way:
        # Items that wait for a parent linked by an unconfirmed ID may be sendable now, because
        # the new delivery can compare the ID.
        erp_records.release_linked(connection)
        wake(connection.pk)
    if difference:
        connection_services.note_event(
            connection, ConnectionEvent.CHANGED, by=by, changes=difference
        )
