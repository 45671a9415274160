"""Connections: the adapter behind one, using it, testing, refreshing and pausing it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from erp_integrations.adapters import registry
from erp_integrations.adapters.base import (
    AdapterError,
    Choice,
    Found,
    Health,
    Operation,
    Owner,
)
from erp_integrations.connections import refresh as connections_refresh
from erp_integrations.connections.adapter_loading import ENTITY, adapter_of, manifest_of
from erp_integrations.connections.wakeups import wake
from erp_integrations.models import ActiveConnection, Connection, Halt, row_locks
from erp_integrations.models.record_types import (
    Connected,
    connection_activated,
    record_types,
)
from erpbridge.access.models import Account, User
from erpbridge.audit.services import Note, note
from erpbridge.db.busy import retried

CHANGED = "Its settings were changed meanwhile, so what the ERP said was not kept. Test again."
NO_PAUSE: Mapping[str, Any] = {"paused_at": None, "pause_reason": "", "halted_for": ""}
logger = logging.getLogger(__name__)


def can_compare(connection: Connection) -> bool:
    """Whether a worker can ask the ERP by its own IDs."""
    try:
        return manifest_of(connection).can_compare
    except registry.AdapterUnavailable:
        return False


def active(account_id: int, entity: str) -> Connection | None:
    """The connection an account uses for a record type."""
    found = ActiveConnection.objects.filter(account=account_id, entity=entity)
    row = found.select_related("connection").first()
    return row.connection if row else None


def connected(account_id: int, entity: str) -> Connected | None:
    """The connection that the account uses for a record type; None where there is none."""
    connection = active(account_id, entity)
    return as_connected(connection, entity) if connection else None


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


def told(connection: Connection, verb: str, *, by: User | None, **data: Any) -> None:
    """Write into the history what happened to a connection."""
    one = Note(ENTITY, connection.pk, connection.name, verb, data=data)
    note(connection.account_id, [one], by=by)


@transaction.atomic
def activate(connection: Connection, *, by: User) -> None:
    """Use the connection for every record type that its ERP takes and nothing else serves."""
    serve(connection)
    told(connection, "connection_activated", by=by)


@retried
@transaction.atomic
def serve(connection: Connection) -> None:
    """Take up what nothing serves yet, and tell the record apps.

    The list that a connection takes over is locked after the connection here, and before it where
    a program says what its codes are called: so both lock the account first.
    """
    hold_account(connection.account_id)
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


def hold_account(account_id: int) -> None:
    """Lock the account's row until the transaction ends, ahead of its connections."""
    list(Account.objects.select_for_update(no_key=True).filter(pk=account_id).values_list("pk"))


def hold(account_id: int) -> None:
    """Keep an account's connections as they are until the transaction ends: where they lead, and
    what goes through which. They come first in the order in which everybody locks.
    """
    row_locks.lock_connections(of_account(account_id))


def of_account(account_id: int) -> QuerySet[Connection]:
    """All connections of an account, in the order in which they are locked."""
    return Connection.objects.filter(account=account_id).order_by("pk")


def is_as_read(connection: Connection) -> bool:
    """Whether its settings still are what they were when it was read.

    If not, an adapter made of them leads to another ERP, maybe. While an item is open they cannot
    lead elsewhere, so the answer holds for as long as the item does that is asked for.
    """
    stored = Connection.objects.filter(pk=connection.pk).values_list("config", flat=True)
    return bool(stored[0] == connection.config)


def _check(connection: Connection) -> Health:
    try:
        return adapter_of(connection).check()
    except registry.AdapterUnavailable as error:
        return Health((str(error),))


def test(connection: Connection, *, by: User | None) -> bool:
    """Ask the ERP whether exporting would work, and keep the answer."""
    health = _check(connection)
    kept = _keep_test(connection, health, by=by)
    if kept:
        connection.refresh_from_db()
    return kept and health.ok


@retried
def _keep_test(connection: Connection, health: Health, *, by: User | None) -> bool:
    result = {"problems": list(health.problems), "facts": dict(health.facts)}
    with transaction.atomic():
        held = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if held.config != connection.config:
            connection.test_result = {"problems": [CHANGED], "facts": {}}
            return False
        Connection.objects.filter(pk=connection.pk).update(tested_at=Now(), test_result=result)
        told(connection, "connection_tested", by=by, problems=result["problems"])
    return True


def refresh(connection: Connection, *, by: User | None) -> bool:
    """Fetch the ERP's lists and its records; keeps what was known where the ERP fails.

    A connection that is in use takes up the record types that its ERP, or erpbridge, has learned
    since it was activated.
    """
    try:
        adapter = adapter_of(connection)
        lists = {kind: adapter.choices(kind) for kind in adapter.choice_kinds()}
        records = {
            entity: connections_refresh.pull_all(adapter, entity)
            for entity, one in manifest_of(connection).entities.items()
            if one.imports
        }
    except (AdapterError, registry.AdapterUnavailable) as error:
        if not is_as_read(connection):
            connection.refresh_problem = CHANGED
            return False
        problem = error.error.message if isinstance(error, AdapterError) else str(error)
        Connection.objects.filter(pk=connection.pk).update(refresh_problem=problem)
        connection.refresh_from_db()
        return False
    kept = _keep_refresh(connection, lists, records, by=by)
    if kept:
        connection.refresh_from_db()
        if ActiveConnection.objects.filter(connection=connection).exists():
            serve(connection)
    return kept


@retried
def _keep_refresh(
    connection: Connection,
    lists: Mapping[str, Sequence[Choice]],
    records: Mapping[str, Mapping[str, Found]],
    *,
    by: User | None,
) -> bool:
    with transaction.atomic():
        # One refresh at a time: two would each take the other's new rows for gone ones.
        held = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if held.config != connection.config:
            connection.refresh_problem = CHANGED
            return False
        for kind, found in lists.items():
            connections_refresh.store_choices(connection, kind, found)
        for entity, found_records in records.items():
            connections_refresh.store_records(held, entity, found_records)
        Connection.objects.filter(pk=connection.pk).update(refreshed_at=Now(), refresh_problem="")
        told(connection, "connection_refreshed", by=by)
    return True


@transaction.atomic
def pause(connection: Connection, *, by: User | None, reason: str) -> None:
    """Stop handing items to the ERP; what is accepted waits."""
    found = Connection.objects.filter(pk=connection.pk)
    paused = {"pause_reason": reason[:300], "halted_for": ""}
    going = found.filter(Q(paused_at=None) | ~Q(halted_for=""))
    if going.update(paused_at=Now(), **paused):
        told(connection, "connection_paused", by=by, reason=reason)
    connection.refresh_from_db()


@transaction.atomic
def halt(connection: Connection, cause: Halt, *, message: str) -> None:
    """Stop because no call can succeed; said once, ends by itself once it is mended."""
    reason = f"{cause.label}: {message}"
    found = Connection.objects.filter(pk=connection.pk, paused_at=None)
    if found.update(paused_at=Now(), pause_reason=reason[:300], halted_for=cause):
        logger.warning("connection %s is paused: %s", connection.pk, reason)
        told(connection, "connection_paused", by=None, reason=reason)


@transaction.atomic
def resume(connection: Connection, *, by: User | None) -> None:
    """Go on where a pause stopped. The engine ends its own only: a person may have made one since.

    :param by: None for the engine.
    """
    found = Connection.objects.filter(pk=connection.pk).exclude(paused_at=None)
    if by is None:
        found = found.exclude(halted_for="")
    if found.update(**NO_PAUSE, breaker_failures=0, breaker_until=None):
        told(connection, "connection_resumed", by=by)
        wake(connection.pk)
    connection.refresh_from_db()
