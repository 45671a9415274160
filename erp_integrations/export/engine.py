"""The export engine: claim, look up, submit, settle.

The item rows are the queue. A claim and its attempt row are committed before the ERP is called.
The answer is stored only if the item still has the fence of the claim, so a worker that was paused
cannot settle an item that another worker has claimed since. A create never overwrites: the ERP is
asked first whether the key is taken. An item whose outcome is not known becomes UNCERTAIN and is
looked up (``uncertain_lookup``) before anything is sent again.
See docs/design/export-protocol.md, "The row is the queue" and "Settling".
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
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import write_rows
from erpbridge.outgoing.uptime import uptime
from erpbridge.ui.logs.formatters import bound

logger = logging.getLogger(__name__)

# Seconds that one wake-up may work at most, and before it yields to other connections that are due.
BUDGET = 20.0
FAIR_SHARE = 2.0
TOO_SLOW = ErpError(
    ErrorClass.TRANSIENT,
    Effect.NOT_APPLIED,
    "The ERP took too long to answer the lookup; nothing was sent.",
)


def drain(connection_id: int) -> None:
    """Export what is due on a connection; work left after the time budget goes to a new wake-up."""
    connection = Connection.objects.filter(pk=connection_id).first()
    if connection is None:
        return
    try:
        adapter = adapter_loading.adapter_of(connection)
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable:
        logger.exception("connection %s cannot be used", connection_id)
        return
    # Every log line of this turn carries the account and the connection.
    with bound(account=connection.account_id, connection=connection_id):
        _take_turn(connection, adapter, manifest)


def _take_turn(connection: Connection, adapter: Adapter, manifest: Manifest) -> None:
    if connection.halted_for:
        circuit_breaker.probe(connection, adapter)
    began = uptime()
    # Uncertain items first: each of them blocks its ERP key and its children.
    if due.worker_looks(manifest):
        uncertain_lookup.resolve_uncertain(connection, adapter, manifest, until=began + BUDGET)
    poll_pending(connection, adapter, manifest, until=began + BUDGET)
    if not due.worker_sends(manifest):
        return
    # The lease of a claim starts here: time spent on lookups above does not count.
    started = uptime()
    while claims := claim(connection, manifest):
        tracing.claimed(claims)
        run(connection, adapter, manifest, claims, since=started)
        _sleep_between_batches(len(claims))
        started = uptime()
        if _turn_is_over(connection.pk, started - began):
            publish(connection.pk)
            return


def _turn_is_over(connection_id: int, spent: float) -> bool:
    """Whether to yield, so that one account's long queue does not delay other accounts."""
    if spent < FAIR_SHARE:
        return False
    return spent > BUDGET or due.others_are_due(connection_id)


def _sleep_between_batches(items: int) -> None:
    """Let web requests write: SQLite's write lock is not fair, so a tight loop starves them."""
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
    """Look up, submit and settle the claimed items.

    :param since: ``uptime()`` when the claim was made.
    """
    refused = look(adapter, manifest, claims, since=since)
    # Refused items are settled before the call, so that a crash in it does not make them uncertain.
    settle.settle(connection, manifest, refused)
    refused_ids = {answer.claim.item.pk for answer in refused}
    ready = [claimed for claimed in claims if claimed.item.pk not in refused_ids]
    if not ready:
        return
    if _too_late(since):
        outcomes: Sequence[Outcome] = [Outcome(error=TOO_SLOW)] * len(ready)
    else:
        # The call ends half a margin before the lease does, so nobody else has the items by then.
        ends = since + settings.ERPBRIDGE_LEASE_MARGIN / 2 + manifest.call_deadline
        in_time = adapter.io.deadline.within(ends - uptime())
        with tracing.handling([claimed.item for claimed in ready]), in_time:
            began = uptime()
            outcomes = adapter.submit([claimed.command for claimed in ready])
        tracing.called(ready, began=began)
    settle.settle(connection, manifest, settle.answers_of(ready, outcomes))


def _too_late(since: float) -> bool:
    """Whether the lease may run out during a call that takes its whole deadline."""
    return uptime() - since > settings.ERPBRIDGE_LEASE_MARGIN / 2


def look(
    adapter: Adapter, manifest: Manifest, claims: Sequence[Claim], *, since: float
) -> list[settle.Answer]:
    """Look up each key in the ERP before sending; return the claims not to send, with the error.

    The result of each lookup is stored on the attempt before anything is sent.
    """
    refused: list[settle.Answer] = []
    # An error of the connection; it then counts for all remaining claims.
    down: ErpError | None = None
    for batch in chunks(claims, _keys_in_a_lookup(manifest, claims)):
        late = TOO_SLOW if _too_late(since) else None
        with tracing.handling([claimed.item for claimed in batch]):
            errors = (
                dict.fromkeys((claimed.item.pk for claimed in batch), down or late)
                if down or late
                else _first_looks(adapter, manifest, batch, since=since)
            )
        for claimed in batch:
            error = errors.get(claimed.item.pk)
            if error is not None:
                refused.append(settle.Answer(claimed, Outcome(error=error)))
            if error is not None and error.cls in circuit_breaker.CONNECTION_ERRORS:
                # The other lookups would fail too: do not wait for each of them.
                down = error
    attempts = [claimed.attempt for claimed in claims if claimed.attempt.first_look]
    write_rows(attempts, ["first_look", "erp_id"])
    return refused


def _keys_in_a_lookup(manifest: Manifest, claims: Sequence[Claim]) -> int:
    """The most claims to look up in one call; all of them are of one record type."""
    entity = manifest.entities.get(claims[0].item.entity)
    return entity.batches.find if entity else 1


def _first_looks(
    adapter: Adapter, manifest: Manifest, claims: Sequence[Claim], *, since: float
) -> dict[int, ErpError | None]:
    """Look up keys before sending; item id -> why its command must not be sent, if so."""
    entity = manifest.entities.get(claims[0].item.entity)
    if entity is None:
        unsupported = ErpError(
            ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED, "The ERP does not take these."
        )
        return dict.fromkeys((claimed.item.pk for claimed in claims), unsupported)
    errors = {claimed.item.pk: comparison.look(adapter, manifest, claimed) for claimed in claims}
    # Updates go by the ERP ID of the link. Without can_find the adapter's own check has to do.
    creates = [
        claimed
        for claimed in claims
        if claimed.command.operation == Operation.CREATE and errors[claimed.item.pk] is None
    ]
    if not creates or not manifest.can_find:
        return errors
    keys = [claimed.command.key for claimed in creates]
    records = _records(adapter, entity, keys, since=since)
    for claimed, record in zip(creates, records, strict=True):
        if isinstance(record, ErpError):
            errors[claimed.item.pk] = record
            continue
        # Kept as evidence: after a lost answer, a record counts as ours only if it was absent
        # here.
        claimed.attempt.first_look = (
            Attempt.FirstLook.ABSENT if record is None else Attempt.FirstLook.PRESENT
        )
        claimed.attempt.erp_id = record.erp_id if isinstance(record, Found) else ""
        if record is not None:
            errors[claimed.item.pk] = key_taken_error(claimed, entity, record)
    return errors


def _records(
    adapter: Adapter, entity: EntityManifest, keys: Sequence[str], *, since: float
) -> list[Found | Ambiguous | ErpError | None]:
    """What the ERP has under each key, or the error of its lookup."""
    try:
        return list(adapter.find_many(entity.entity, keys))
    except AdapterError as error:
        # Nothing was sent yet, even if the adapter reports the failed lookup as uncertain.
        not_sent = replace(error.error, effect=Effect.NOT_APPLIED)
    if len(keys) == 1 or not_sent.cls in circuit_breaker.CONNECTION_ERRORS:
        return [not_sent] * len(keys)
    # One record that cannot be read fails the lookup of all: ask one by one.
    records: list[Found | Ambiguous | ErpError | None] = []
    for key in keys:
        late = _too_late(since)
        records += [TOO_SLOW] if late else _records(adapter, entity, [key], since=since)
    return records


def may_be_handed_over(
    connection: Connection, manifest: Manifest, claims: Sequence[Claim]
) -> list[Claim]:
    """Return the claims that may be handed to a polling ERP or put into a file.

    Items linked by an ERP ID that an API client named and nobody has compared fail.
    """
    refused = [
        settle.Answer(claimed, Outcome(error=error))
        for claimed in claims
        if (error := comparison.unasked(claimed))
    ]
    settle.settle(connection, manifest, refused)
    refused_ids = {answer.claim.item.pk for answer in refused}
    return [claimed for claimed in claims if claimed.item.pk not in refused_ids]


def key_taken_error(claimed: Claim, entity: EntityManifest, record: Found | Ambiguous) -> ErpError:
    """The error for a create whose key is already taken in the ERP.

    Uncertain if an earlier attempt of ours may have created that record.
    """
    attempts = claimed.item.tries.since_decided()
    if attempts.filter(outcome__in=Attempt.UNKNOWN).exclude(pk=claimed.attempt.pk).exists():
        message = "The ERP holds it now; whether an earlier attempt created it is being checked."
        return ErpError(ErrorClass.DUPLICATE, Effect.UNCERTAIN, message, field=entity.key[0])
    name: object = "more than one record"
    if isinstance(record, Found):
        # A cost code has no name.
        name = record.data.get("name") or record.data.get("description") or ""
    return ErpError(
        ErrorClass.DUPLICATE,
        Effect.NOT_APPLIED,
        f"{claimed.command.key} is already in the ERP: {name}. Nothing was written.",
        field=entity.key[0],
        advice="Link to the existing record, or retry with another ID.",
    )


def poll_pending(
    connection: Connection, adapter: Adapter, manifest: Manifest, *, until: float
) -> None:
    """Poll the ERP for the outcome of commands that it has queued.

    :param until: ``uptime()`` at which to stop.
    """
    while uptime() < until and not circuit_breaker.is_resting(connection):
        pending = take_pending(connection, manifest)
        if not pending:
            return
        try:
            with tracing.handling([claimed.item for claimed in pending]):
                outcomes = adapter.poll([claimed.item.handle for claimed in pending])
        except AdapterError as error:
            # The items stay SUBMITTED and are polled again when their reservation is over.
            with transaction.atomic():
                circuit_breaker.record_results(connection, [error.error])
            return
        tracing.polled(pending, outcomes)
        answers = still_pending(manifest, settle.answers_of(pending, outcomes))
        settle.settle(connection, manifest, answers)
