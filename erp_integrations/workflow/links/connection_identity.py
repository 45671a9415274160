"""Identity of a connection: which ERP, and which books of it; and the only way to change it.

Open items were accepted for these books, links refer to their records, and the secrets belong to
their host. Changing the address, company or database is therefore an action of its own: only while
no item is open, with all secrets entered again, and with an answer on whether the links stay. The
adapter declares which settings are the identity (``Setting.identity``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction

from erp_integrations.adapters.base import SettingKind
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.adapter_loading import NO_SECRETS
from erp_integrations.connections.services import NO_PAUSE
from erp_integrations.connections.settings import (
    clean_config,
    clean_secrets,
    differs,
    identity_of,
    identity_settings,
    keep_secrets,
    save,
)
from erp_integrations.models import Connection
from erp_integrations.models.connections import ConnectionEvent
from erp_integrations.models.record_types import RecordType, by_type, in_words
from erp_integrations.workflow.links import unlink as unlink_services
from erpbridge.access.models import User
from erpbridge.audit.services import Changes, changes
from erpbridge.json_values import Json

# Columns to reset: results, rate and failure counts of the previous ERP.
FRESH: Mapping[str, object] = {
    "tested_at": None,
    "test_result": {},
    "refreshed_at": None,
    "refresh_problem": "",
    "asked_at": None,
    "next_slot_at": None,
    "breaker_failures": 0,
    "breaker_until": None,
    "inbound_failures": 0,
    "inbound_locked_until": None,
}


class Books(StrEnum):
    """The answer to whether the new settings lead to the same books."""

    SAME = "same"
    OTHER = "other"


def linked(connection: Connection) -> list[tuple[RecordType, int]]:
    """Return the number of linked records by record type."""
    return by_type(connection.links.filter(ended_at=None))


def still_open(connection: Connection) -> list[tuple[RecordType, int]]:
    """Return the number of open items by record type."""
    return by_type(connection.items.open())


def alike(connection: Connection) -> list[Connection]:
    """Return the account's other connections with the same identity."""
    settings = identity_settings(connection.adapter)
    # Without identity settings, connections of the adapter cannot be told apart.
    if not settings:
        return []
    other_connections = Connection.objects.filter(
        account=connection.account_id, adapter=connection.adapter
    )
    identity = identity_of(settings, connection.config)
    return [
        other
        for other in other_connections.exclude(pk=connection.pk).order_by("pk")
        if not any(
            differs(setting, identity, identity_of(settings, other.config)) for setting in settings
        )
    ]


@transaction.atomic
def lead_elsewhere(
    connection: Connection,
    *,
    config: Mapping[str, object],
    by: User,
    secrets: Mapping[str, str] = NO_SECRETS,
    books: Books | None = None,
) -> bool:
    """Change the address, company or database of a connection.

    Nothing can be sent until the connection has been tested and refreshed again.

    :param config: new values of identity settings; settings left out keep their value.
    :param secrets: all secrets of the connection, entered again.
    :param books: required if any record is linked.
    :returns: False if nothing would change.
    :raises ValidationError: with setting name -> message.
    """
    # Sends, decisions and claims hold the same lock (docs/locks.md): each of them is committed
    # before this and found below as an open item, or sees the new settings. The caller's object may
    # be outdated, so it is read again.
    connection.refresh_from_db(from_queryset=Connection.objects.select_for_update(no_key=True))
    settings = identity_settings(connection.adapter)
    before = identity_of(settings, connection.config)
    entered = {setting.name: config[setting.name] for setting in settings if setting.name in config}
    cleaned = clean_config(connection.adapter, {**connection.config, **before, **entered})
    after = identity_of(settings, cleaned)
    if not any(differs(setting, before, after) for setting in settings):
        return False
    new_secrets = clean_secrets(connection.adapter, secrets)
    if errors := _against(connection, new_secrets, books):
        raise ValidationError(errors)
    difference = changes(before, after)
    ended = 0 if books == Books.SAME else _let_go(connection, difference, by=by)
    # Old secrets belong to the previous host, also those that the adapter no longer declares.
    connection.config, connection.secrets = cleaned, {}
    difference |= {
        name: ["secret", change]
        for name, change in keep_secrets(connection, new_secrets, ()).items()
    }
    fresh = {**FRESH, **(NO_PAUSE if connection.halted_for else {})}
    for column, value in fresh.items():
        setattr(connection, column, value)
    save(connection, update_fields=["config", "secrets", *fresh])
    answer: Mapping[str, Json] = {"books": books or Books.OTHER, "links_ended": ended}
    connection_services.note_event(
        connection, ConnectionEvent.CHANGED, by=by, changes=difference, **answer
    )
    return True


def _against(
    connection: Connection, new_secrets: Mapping[str, str], books: Books | None
) -> dict[str, str]:
    """Errors by setting name, or under NON_FIELD_ERRORS."""
    errors: dict[str, str] = {}
    if open_counts := still_open(connection):
        verb = "is" if sum(count for _kind, count in open_counts) == 1 else "are"
        errors[NON_FIELD_ERRORS] = (
            f"{in_words(open_counts)} {verb} still open with {connection.name}: "
            "waiting for accounting, being exported, or failed. Retrieve, reject or settle what "
            "is open first; it was meant for the ERP that the connection uses now."
        )
    for setting in adapter_loading.adapter_classes()[connection.adapter].manifest({}).settings:
        # A stored secret must not be sent to an address that somebody entered without knowing it.
        if (
            setting.kind == SettingKind.SECRET
            and setting.name in connection.secrets
            and setting.name not in new_secrets
        ):
            errors[setting.name] = (
                f"{setting.label}: enter it again. The stored one belongs to the ERP that the "
                "connection uses now, and is never sent elsewhere."
            )
    if books is None and linked(connection):
        errors["books"] = "Say whether the links stay."
    return errors


def _let_go(connection: Connection, difference: Changes, *, by: User) -> int:
    """End all links and delete the records and choices of the old books; returns how many links."""
    labels = {setting.name: setting.label for setting in identity_settings(connection.adapter)}
    moves = "; ".join(
        f"{labels[name]} was {old}, is {new}" for name, (old, new) in sorted(difference.items())
    )
    ended = unlink_services.unlink_all(
        connection, by=by, why=f"{connection.name} now connects to other books. {moves}."
    )
    connection.erp_records.all().delete()
    connection.choices.all().delete()
    return ended
