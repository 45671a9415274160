"""The export engine: claim, look up, submit, settle.

The item rows are the queue. A claim is committed before the ERP is called, and the attempt before
anything is sent. While the ERP answers one call, the next batch is claimed and the previous one
settled (``calls``).
The answer is stored only if the item still has the fence of the claim, so a worker that was paused
cannot settle an item that another worker has claimed since. A create never overwrites: the ERP is
asked first whether the key is taken. An item whose outcome is not known becomes UNCERTAIN and is
looked up (``uncertain_lookup``) before anything is sent again.
See docs/design/export-protocol.md, "The row is the queue" and "Settling".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

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
from erp_integrations.export.calls import OverlappingCalls, Steps, in_turn
from erp_integrations.export.claim import claim, write_ahead
from erp_integrations.export.delivery.queued import still_pending, take_pending
from erp_integrations.export.pace import Pace
from erp_integrations.models import Attempt, Connection
from erp_integrations.workflow import tracing
from erp_integrations.workflow.links import comparison
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.db.batches import chunks
from erpbridge.jobs.wakeups import LATER
from erpbridge.outgoing.uptime import uptime
from erpbridge.ui.logs.formatters import bound

logger = logging.getLogger(__name__)

# Seconds that one wake-up may work at most, and before it yields to other connections that are due.
BUDGET = 20.0
FAIR_SHARE = 1.0
TOO_SLOW = ErpError(
    ErrorClass.TRANSIENT,
    Effect.NOT_APPLIED,
    "The ERP took too long to answer the lookup; nothing was sent.",
)
UNSUPPORTED = ErpError(ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED, "The ERP does not take these.")


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
    if due.checks_are_due(connection):
        # Uncertain items first: each of them blocks its ERP key and its children.
        if due.worker_looks(manifest):
            uncertain_lookup.resolve_uncertain(connection, adapter, manifest, until=began + BUDGET)
        poll_pending(connection, adapter, manifest, until=began + BUDGET)
    if not due.worker_sends(manifest):
        return
    if _send(connection, adapter, manifest, began=began):
        publish(connection.pk, priority=LATER)


def _send(connection: Connection, adapter: Adapter, manifest: Manifest, *, began: float) -> bool:
    """Export what is due until the turn is over; returns whether that was the reason to stop."""
    pace, over, more = Pace(), False, True
    new_adapter = partial(adapter_loading.adapter_of, connection)
    with OverlappingCalls(new_adapter, manifest.concurrency) as calls:
        while True:
            # The lease of a claim starts here: time spent on other calls does not count.
            started = uptime()
            free = more and not over and not calls.is_full
            claims = claim(connection, manifest, most=pace.size) if free else []
            if claims:
                tracing.claimed(claims)
                steps = export(connection, adapter, manifest, claims, since=started, pace=pace)
                # A batch that is not full is the last: nothing is left to overlap it with.
                if len(calls) or _is_full(manifest, claims, pace):
                    calls.start(steps)
                else:
                    in_turn(steps, adapter)
                _sleep_between_batches(len(claims))
                over = _turn_is_over(connection.pk, uptime() - began)
            elif len(calls):
                # What is settled makes room, and lets go the children that wait for it.
                more = calls.wait() or (more and not free)
            else:
                return over


def _is_full(manifest: Manifest, claims: Sequence[Claim], pace: Pace) -> bool:
    """Whether a batch has as many items as one call may have, so that more may be due."""
    item = claims[0].item
    entity = manifest.entities.get(item.entity)
    most = entity.batches.of(Operation(item.operation)) if entity else 1
    return manifest.concurrency > 1 and len(claims) >= min(most, pace.size)


def _turn_is_over(connection_id: int, spent: float) -> bool:
    """Whether to yield, so that one account's long queue does not delay other accounts."""
    if spent < FAIR_SHARE:
        return False
    return spent > BUDGET or due.others_are_due(connection_id)


def _sleep_between_batches(items: int) -> None:
    """Let web requests write: SQLite's write lock is not fair, so a tight loop starves them."""
    if db.vendor == "sqlite":
        time.sleep(0.001 * items)


def export(
    connection: Connection,
    adapter: Adapter,
    manifest: Manifest,
    claims: Sequence[Claim],
    *,
    since: float,
    pace: Pace | None = None,
) -> Steps[None]:
    """Look up, submit and settle the claimed items; yields the calls to the ERP.

    :param adapter: for what has to be read from the ERP before the calls.
    :param since: ``uptime()`` when the claim was made.
    :param pace: told how long the call took.
    """
    refused = yield from look(adapter, manifest, claims, since=since)
    # Refused items are settled before the call, so that a crash in it does not make them uncertain.
    settle.settle(connection, manifest, refused)
    refused_ids = {answer.claim.item.pk for answer in refused}
    ready = [claimed for claimed in claims if claimed.item.pk not in refused_ids]
    if not ready:
        return
    if _too_late(since):
        outcomes: Sequence[Outcome] = [Outcome(error=TOO_SLOW)] * len(ready)
    else:
        outcomes, seconds = yield partial(_submit, manifest, ready, since)
        if pace is not None:
            pace.took(seconds, len(ready))
    settle.settle(connection, manifest, settle.answers_of(ready, outcomes))


def _submit(
    manifest: Manifest, ready: Sequence[Claim], since: float, adapter: Adapter
) -> tuple[Sequence[Outcome], float]:
    """Submit commands; the outcomes, and how many seconds it took."""
    # The call ends half a margin before the lease does, so nobody else has the items by then.
    ends = since + settings.ERPBRIDGE_LEASE_MARGIN / 2 + manifest.call_deadline
    in_time = adapter.io.deadline.within(ends - uptime())
    with tracing.handling([claimed.item for claimed in ready]), in_time:
        began = uptime()
        outcomes = adapter.submit([claimed.command for claimed in ready])
    tracing.called(ready, began=began)
    return outcomes, uptime() - began


def _too_late(since: float) -> bool:
    """Whether the lease may run out during a call that takes its whole deadline."""
    return uptime() - since > settings.ERPBRIDGE_LEASE_MARGIN / 2


def look(
    adapter: Adapter, manifest: Manifest, claims: Sequence[Claim], *, since: float
) -> Steps[list[settle.Answer]]:
    """Look up each key in the ERP before sending; returns the claims not to send, with the error.

    The attempts are stored after it, with the result of each lookup, and before anything is sent.
    """
    errors = _comparisons(adapter, manifest, claims, since=since)
    down = _down(errors.values())
    # Updates go by the ERP ID of the link. Without can_find the adapter's own check has to do.
    creates = [
        claimed
        for claimed in claims
        if manifest.can_find
        and claimed.command.operation == Operation.CREATE
        and claimed.item.pk not in errors
    ]
    if creates:
        # If the ERP could not be read, the lookups would fail too.
        records = (
            [down] * len(creates)
            if down
            else (yield partial(_first_looks, manifest, creates, since))
        )
        for claimed, record in zip(creates, records, strict=True):
            error = _judged(manifest, claimed, record)
            if error is not None:
                errors[claimed.item.pk] = error
    write_ahead(claims)
    return [
        settle.Answer(claimed, Outcome(error=errors[claimed.item.pk]))
        for claimed in claims
        if claimed.item.pk in errors
    ]


def _comparisons(
    adapter: Adapter, manifest: Manifest, claims: Sequence[Claim], *, since: float
) -> dict[int, ErpError]:
    """Compare the ERP IDs that nobody has compared; item id -> why it must not be sent, if so."""
    errors: dict[int, ErpError] = {}
    for claimed in claims:
        if claimed.item.entity not in manifest.entities:
            errors[claimed.item.pk] = UNSUPPORTED
            continue
        if not comparison.is_due(manifest, claimed):
            continue
        error = _down(errors.values()) or (TOO_SLOW if _too_late(since) else None)
        if error is None:
            with tracing.handling([claimed.item]):
                error = comparison.look(adapter, manifest, claimed)
        if error is not None:
            errors[claimed.item.pk] = error
    return errors


def _down(answers: Iterable[object]) -> ErpError | None:
    """An error of the connection among the answers; further calls would fail too."""
    for answer in answers:
        if isinstance(answer, ErpError) and answer.cls in circuit_breaker.CONNECTION_ERRORS:
            return answer
    return None


def _first_looks(
    manifest: Manifest, claims: Sequence[Claim], since: float, adapter: Adapter
) -> list[Found | Ambiguous | ErpError | None]:
    """What the ERP has under the key of each claim, or the error of its lookup."""
    records: list[Found | Ambiguous | ErpError | None] = []
    entity = manifest.entities[claims[0].item.entity]
    for batch in chunks(claims, entity.batches.find):
        # Do not wait for each of them.
        error = _down(records) or (TOO_SLOW if _too_late(since) else None)
        if error is not None:
            records += [error] * len(batch)
            continue
        keys = [claimed.command.key for claimed in batch]
        with tracing.handling([claimed.item for claimed in batch]):
            records += _records(adapter, entity, keys, since=since)
    return records


def _judged(
    manifest: Manifest, claimed: Claim, record: Found | Ambiguous | ErpError | None
) -> ErpError | None:
    """Note what the lookup has shown; returns why the create must not be sent, if so."""
    if isinstance(record, ErpError):
        return record
    # Kept as evidence: after a lost answer, a record counts as ours only if it was absent here.
    claimed.attempt.first_look = (
        Attempt.FirstLook.ABSENT if record is None else Attempt.FirstLook.PRESENT
    )
    claimed.attempt.erp_id = record.erp_id if isinstance(record, Found) else ""
    if record is None:
        return None
    return key_taken_error(claimed, manifest.entities[claimed.item.entity], record)


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
    """Store the attempts; return the claims that may be handed to a polling ERP or put into a file.

    Items linked by an ERP ID that an API client named and nobody has compared fail.
    """
    refused = [
        settle.Answer(claimed, Outcome(error=error))
        for claimed in claims
        if (error := comparison.unasked(claimed))
    ]
    write_ahead(claims)
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
