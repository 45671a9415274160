"""Services of connections: activate, test, refresh, pause and resume."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from erp_integrations.adapters import registry
from erp_integrations.adapters.base import Health, Operation, Owner
from erp_integrations.connections import refresh as connections_refresh
from erp_integrations.connections.adapter_loading import ENTITY, adapter_of, manifest_of
from erp_integrations.connections.wakeups import wake
from erp_integrations.models import ActiveConnection, Connection, Halt, row_locks
from erp_integrations.models.connections import ConnectionEvent
from erp_integrations.models.record_types import (
    Connected,
    connection_activated,
    record_types,
)
from erpbridge.access.models import Account, User
from erpbridge.audit.services import Note, note
from erpbridge.db.busy import retried
from erpbridge.json_values import Json

NO_PAUSE: Mapping[str, object] = {"paused_at": None, "pause_reason": "", "halted_for": ""}
logger = logging.getLogger(__name__)


def can_compare(connection: Connection) -> bool:
    """Whether a worker can fetch the ERP's records by their ERP ID."""
    try:
        return manifest_of(connection).can_compare
    except registry.AdapterUnavailable:
        return False


def active(account_id: int, entity: str) -> Connection | None:
    """The active connection of an account for a record type."""
    rows = ActiveConnection.objects.filter(account=account_id, entity=entity)
    row = rows.select_related("connection").first()
    return row.connection if row else None


def connected(account_id: int, entity: str) -> Connected | None:
    """What record apps may know of the active connection; None if there is none."""
    connection = active(account_id, entity)
    return as_connected(connection, entity) if connection else None


def as_connected(connection: Connection, entity: str) -> Connected:
    """What record apps may know of a connection; without a usable adapter it accepts nothing."""
    try:
        manifest = manifest_of(connection)
    except registry.AdapterUnavailable:
        return Connected(connection.pk, connection.name, connection.adapter, False, False)
    declared = manifest.entities.get(entity)
    updates = declared is not None and Operation.UPDATE in declared.operations
    erp_owns = declared is not None and declared.owner == Owner.ERP
    return Connected(
        connection.pk,
        connection.name,
        manifest.short_name,
        updates,
        erp_owns,
        imports=declared is not None and declared.imports,
        custom_segments=manifest.custom_segments,
    )


def note_event(
    connection: Connection, verb: ConnectionEvent, *, by: User | None, **data: Json
) -> None:
    """Write an audit event of a connection."""
    event = Note(ENTITY, connection.pk, connection.name, verb, data=data)
    note(connection.account_id, [event], by=by)


@transaction.atomic
def activate(connection: Connection, *, by: User) -> None:
    """Use the connection for every supported record type that no other connection serves."""
    serve(connection)
    note_event(connection, ConnectionEvent.ACTIVATED, by=by)


@retried
@transaction.atomic
def serve(connection: Connection) -> None:
    """Take over the record types that no connection serves yet, and notify the record apps.

    The account's row is locked first, because the order of connection and code list differs: here
    the connection comes first, when an API client sets external IDs the list does (docs/locks.md).
    """
    hold_account(connection.account_id)
    manifest = manifest_of(connection)
    supported = {kind.entity for kind in record_types()} & set(manifest.entities)
    for entity in sorted(_taken_up(connection, supported)):
        connection_activated.send(
            ActiveConnection,
            entity=entity,
            account_id=connection.account_id,
            connected=as_connected(connection, entity),
        )


def _taken_up(connection: Connection, entities: Collection[str]) -> set[str]:
    """Serve those of the record types that nothing serves yet; returns them."""
    # Under lock, so that only one of two simultaneous clicks takes them.
    list(Connection.objects.filter(pk=connection.pk).select_for_update(no_key=True))
    served = ActiveConnection.objects.filter(account=connection.account_id, entity__in=entities)
    free = set(entities) - set(served.values_list("entity", flat=True))
    rows = [
        ActiveConnection(account_id=connection.account_id, entity=entity, connection=connection)
        for entity in sorted(free)
    ]
    ActiveConnection.objects.bulk_create(rows, ignore_conflicts=True)
    return free & set(served.filter(connection=connection).values_list("entity", flat=True))


def hold_account(account_id: int) -> None:
    """Lock the account's row until the transaction ends; call it before locking connections."""
    list(Account.objects.select_for_update(no_key=True).filter(pk=account_id).values_list("pk"))


def hold(account_id: int) -> None:
    """Lock all connections of an account until the transaction ends.

    In the lock order they come before items and records, see docs/locks.md.
    """
    row_locks.lock_connections(of_account(account_id))


def of_account(account_id: int) -> QuerySet[Connection]:
    """All connections of an account, in lock order."""
    return Connection.objects.filter(account=account_id).order_by("pk")


def is_as_read(connection: Connection) -> bool:
    """Whether the stored settings, also the secret ones, are still those of ``connection``.

    If not, an adapter made from ``connection`` may call a different ERP. Settings of identity
    cannot change while an item is open, so the answer stays valid as long as the item is open.
    """
    stored = Connection.objects.filter(pk=connection.pk).values_list("config", "secrets")
    return bool(stored[0] == (connection.config, connection.secrets))


def _check(connection: Connection) -> Health:
    try:
        return adapter_of(connection).check()
    except registry.AdapterUnavailable as error:
        return Health((str(error),))


def test(connection: Connection, *, by: User | None) -> bool:
    """Run the connection test and store its result. True if it passed."""
    health = _check(connection)
    stored = _keep_test(connection, health, by=by)
    if stored:
        connection.refresh_from_db()
    return stored and health.ok


@retried
def _keep_test(connection: Connection, health: Health, *, by: User | None) -> bool:
    """Store the result; False if the settings were changed during the test."""
    result = {"problems": list(health.problems), "facts": dict(health.facts)}
    with transaction.atomic():
        # Locked, so that the settings stay as they are until the result is stored.
        Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if not is_as_read(connection):
            # In memory only, for the page: nothing is stored about settings that are gone.
            connection.test_result = {"problems": [connections_refresh.CHANGED], "facts": {}}
            return False
        Connection.objects.filter(pk=connection.pk).update(tested_at=Now(), test_result=result)
        note_event(connection, ConnectionEvent.TESTED, by=by, problems=list(result["problems"]))
    return True


def refresh(connection: Connection, *, by: User | None) -> bool:
    """Fetch the ERP's lists and records and store them; False if the ERP fails.

    For commands. It may take as long as the ERP has records: pages start a job (``refresh_job``).
    """
    place = connections_refresh.Place()
    try:
        while not place.is_over:
            part = connections_refresh.fetch_next(connection, place)
            place = connections_refresh.keep(part, place)
        end_refresh(connection, by=by)
    except connections_refresh.NotFetched as error:
        if keep_problem(connection, error):
            connection.refresh_from_db()
        else:
            connection.refresh_problem = connections_refresh.CHANGED
        return False
    take_over_new(connection)
    connection.refresh_from_db()
    return True


def keep_problem(connection: Connection, error: connections_refresh.NotFetched) -> bool:
    """Store why a refresh failed; False if the settings have changed since it was fetched."""
    # The failure may be of the settings from before the change.
    if isinstance(error, connections_refresh.SettingsChanged) or not is_as_read(connection):
        return False
    Connection.objects.filter(pk=connection.pk).update(refresh_problem=str(error))
    return True


@retried
@transaction.atomic
def end_refresh(connection: Connection, *, by: User | None) -> None:
    """Note that everything has been fetched and kept.

    :raises SettingsChanged: if the settings have changed since the last part was kept.
    """
    locked = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    if locked.config != connection.config:
        raise connections_refresh.SettingsChanged
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=Now(), refresh_problem="")
    note_event(connection, ConnectionEvent.REFRESHED, by=by)


def take_over_new(connection: Connection) -> None:
    """Let an active connection serve the record types that were added since its activation."""
    if ActiveConnection.objects.filter(connection=connection).exists():
        serve(connection)


@transaction.atomic
def pause(connection: Connection, *, by: User | None, reason: str) -> None:
    """Stop exporting until a user resumes; accepted items wait. Replaces a pause by the engine."""
    rows = Connection.objects.filter(pk=connection.pk)
    # A pause by the engine becomes one by the user, which a probe does not end.
    paused = {"pause_reason": reason[:300], "halted_for": ""}
    not_paused = rows.filter(Q(paused_at=None) | ~Q(halted_for=""))
    if not_paused.update(paused_at=Now(), **paused):
        note_event(connection, ConnectionEvent.PAUSED, by=by, reason=reason)
    connection.refresh_from_db()


@transaction.atomic
def halt(connection: Connection, cause: Halt, *, message: str) -> None:
    """Pause by the engine, because no call can succeed; it resumes when a probe succeeds."""
    reason = f"{cause.label}: {message}"
    # Not over a user's pause, which must not end with a probe.
    rows = Connection.objects.filter(pk=connection.pk, paused_at=None)
    if rows.update(paused_at=Now(), pause_reason=reason[:300], halted_for=cause):
        logger.warning("connection %s is paused: %s", connection.pk, reason)
        note_event(connection, ConnectionEvent.PAUSED, by=None, reason=reason)


@transaction.atomic
def resume(connection: Connection, *, by: User | None) -> None:
    """End a pause and wake up a worker.

    :param by: None for the engine, which does not end a pause made by a user.
    """
    rows = Connection.objects.filter(pk=connection.pk).exclude(paused_at=None)
    if by is None:
        rows = rows.exclude(halted_for="")
    # With the old count, the first failure would stop the calls again.
    if rows.update(**NO_PAUSE, breaker_failures=0, breaker_until=None):
        note_event(connection, ConnectionEvent.RESUMED, by=by)
        wake(connection.pk)
    connection.refresh_from_db()
