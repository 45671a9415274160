"""The export engine: claim, look, submit, settle.

The row is the queue. A claim is committed, with an attempt row, before anything leaves the
machine; the answer is settled only where the item still carries the claim's fence, so a worker
that was paused and comes back cannot settle what was given to another. A create never overwrites:
before the first attempt the ERP is asked whether the key is taken. Whatever is not known for
certain becomes UNCERTAIN and is looked up by ``recovery`` before anything is sent again.
Protocol and reasons: docs/design/export-protocol.md, "The row is the queue" and "Settling".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.db import connection as db
from django.db import transaction

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Ambiguous,
    Effect,
    EntityManifest,
    ErpError,
    ErrorClass,
    Found,
    Manifest,
    Operation,
    Outcome,
)
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.wakeups import publish
from erp_integrations.export import (
    circuit_breaker,
    due,
    settle,
    uncertain_lookup,
)
from erp_integrations.export.claim import claim
from erp_integrations.export.delivery.queued import still_pending, take_pending
from erp_integrations.models import Attempt, Connection
from erp_integrations.workflow import tracing
from erp_integrations.workflow.links import comparison
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.db.bulk_update import write_rows
from erpbridge.outgoing.uptime import uptime
from erpbridge.ui.logs.formatters import bound

logger = logging.getLogger(__name__)

# Seconds one wake-up may work before the next, and before it makes room for other connections.
BUDGET = 20.0
FAIR_SHARE = 2.0
TOO_SLOW = ErpError(
    ErrorClass.TRANSIENT,
    Effect.NOT_APPLIED,
    "The ERP was too slow when it was asked what it holds; nothing was sent.",
)


def drain(connection_id: int) -> None:
    """Export what is due on a connection; more than a turn's worth wakes the next turn up."""
    connection = Connection.objects.filter(pk=connection_id).first()
    if connection is None:
        return
    try:
        adapter = adapter_loading.adapter_of(connection)
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable:
        logger.exception("connection %s cannot be used", connection_id)
        return
    with bound(account=connection.account_id, connection=connection_id):
        _take_turn(connection, adapter, manifest)


def _take_turn(connection: Connection, adapter: Adapter, manifest: Manifest) -> None:
    if connection.halted_for:
        circuit_breaker.probe(connection, adapter)
    began = uptime()
    if due.worker_looks(manifest):
        uncertain_lookup.resolve_uncertain(connection, adapter, manifest, until=began + BUDGET)
    ask_pending(connection, adapter, manifest, until=began + BUDGET)
    if not due.worker_sends(manifest):
        return
    # What the looks took is not taken from the time of a claim.
    started = uptime()
    while claims := claim(connection, manifest):
        tracing.claimed(claims)
        run(connection, adapter, manifest, claims, since=started)
        _give_way(len(claims))
        started = uptime()
        if _turn_is_over(connection.pk, started - began):
            publish(connection.pk)
            return


def _turn_is_over(connection_id: int, spent: float) -> bool:
    """Fair sharing: ten thousand items of one account do not delay another's single one."""
    if spent < FAIR_SHARE:
        return False
    return spent > BUDGET or due.others_are_due(connection_id)


def _give_way(items: int) -> None:
    """SQLite has no fair lock: a tight loop would starve the pages that want to write."""
    if db.vendor == "sqlite":
        time.sleep(0.001 * items)


def run(
    connection: Connection,
    adapter: Adapter,
    manifest: Manifest,
    claims: Sequence[Claim],
    *,
    since: float,
) -> None:
    """Look, submit and settle what was claimed.

    :param since: ``uptime()`` before the claim.
    """
    refused = look(adapter, manifest, claims, since=since)
    settle.settle(connection, manifest, refused)
    gone = {one.item.pk for one, _outcome in refused}
    ready = [one for one in claims if one.item.pk not in gone]
    if not ready:
        return
    if _too_late(since):
        outcomes: Sequence[Outcome] = [Outcome(error=TOO_SLOW)] * len(ready)
    else:
        over = since + settings.ERPBRIDGE_LEASE_MARGIN / 2 + manifest.call_deadline
        in_time = adapter.io.deadline.within(over - uptime())
        with tracing.handling([one.item for one in ready]), in_time:
            began = uptime()
            outcomes = adapter.submit([one.command for one in ready])
        tracing.called(ready, began=began)
    settle.settle(connection, manifest, list(zip(ready, outcomes, strict=True)))


def _too_late(since: float) -> bool:
    """Too little of the lease is left for a call that may take its whole deadline."""
    return uptime() - since > settings.ERPBRIDGE_LEASE_MARGIN / 2


def look(
    adapter: Adapter, manifest: Manifest, claims: Sequence[Claim], *, since: float
) -> list[settle.Answer]:
    """The claims that must not be sent, as far as looks into the ERP tell, and why.

    What was seen is stored before anything is sent.
    """
    refused: list[settle.Answer] = []
    down: ErpError | None = None
    for one in claims:
        with tracing.handling([one.item]):
            error = down or (TOO_SLOW if _too_late(since) else _first_look(adapter, manifest, one))
        if error is not None:
            refused.append((one, Outcome(error=error)))
        if error is not None and error.cls in circuit_breaker.CONNECTION_ERRORS:
            down = error
    looked = [one.attempt for one in claims if one.attempt.first_look]
    write_rows(looked, ["first_look", "erp_id"])
    return refused


def _first_look(adapter: Adapter, manifest: Manifest, one: Claim) -> ErpError | None:
    """Why the command must not be sent, as far as a look into the ERP tells."""
    entity = manifest.entities.get(one.item.entity)
    if entity is None:
        return ErpError(ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED, "The ERP does not take these.")
    if wrong := comparison.look(adapter, manifest, one):
        return wrong
    if one.command.operation != Operation.CREATE or not manifest.can_find:
        return None
    try:
        found = adapter.find(one.item.entity, one.command.key)
    except AdapterError as error:
        # Nothing was sent, whatever the adapter says of the look.
        return replace(error.error, effect=Effect.NOT_APPLIED)
    one.attempt.first_look = "absent" if found is None else "present"
    one.attempt.erp_id = found.erp_id if isinstance(found, Found) else ""
    if found is None:
        return None
    return present(one, entity, found)


def may_be_handed_over(
    connection: Connection, manifest: Manifest, claims: Sequence[Claim]
) -> list[Claim]:
    """The claims that may go to an ERP that asks, or into a file. One by an ID that a program named
    and nobody compared fails, with that question to a person.
    """
    refused = [(one, Outcome(error=why)) for one in claims if (why := comparison.unasked(one))]
    settle.settle(connection, manifest, refused)
    gone = {one.item.pk for one, _outcome in refused}
    return [one for one in claims if one.item.pk not in gone]


def present(one: Claim, entity: EntityManifest, found: Found | Ambiguous) -> ErpError:
    """Why a create whose key is taken must not be sent.

    A create never overwrites. What is there may be an earlier try of ours that came late.
    """
    tries = one.item.tries.since_decided()
    if tries.filter(outcome__in=Attempt.UNKNOWN).exclude(pk=one.attempt.pk).exists():
        message = "The ERP holds it now; whether an earlier try arrived is being found out."
        return ErpError(ErrorClass.DUPLICATE, Effect.UNCERTAIN, message, field=entity.key[0])
    name = found.data.get("name", "") if isinstance(found, Found) else "more than one record"
    return ErpError(
        ErrorClass.DUPLICATE,
        Effect.NOT_APPLIED,
        f"{one.command.key} is already in the ERP: {name}. Nothing was written.",
        field=entity.key[0],
        advice="Link to the record that is there, or retry with another ID.",
    )


def ask_pending(
    connection: Connection, adapter: Adapter, manifest: Manifest, *, until: float
) -> None:
    """Ask what became of commands that the ERP was handed.

    :param until: ``uptime()`` at which to make room for others.
    """
    while uptime() < until and not circuit_breaker.is_resting(connection):
        pending = take_pending(connection, manifest)
        if not pending:
            return
        try:
            with tracing.handling([one.item for one in pending]):
                outcomes = adapter.poll([one.item.handle for one in pending])
        except AdapterError as error:
            with transaction.atomic():
                circuit_breaker.feed(connection, [error.error])
            return
        tracing.polled(pending, outcomes)
        answers = still_pending(manifest, list(zip(pending, outcomes, strict=True)))
        settle.settle(connection, manifest, answers)
