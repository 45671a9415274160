"""The export engine: claim, look, submit, settle.

The row is the queue. A claim is committed, with an attempt row, before anything leaves the
machine; the answer is settled only where the item still carries the claim's fence, so a worker
that was paused and comes back cannot settle what was given to another. A create never overwrites:
before the first attempt the ERP is asked whether the key is taken. Whatever is not known for
certain becomes UNCERTAIN and is looked up by ``recovery`` before anything is sent again.
Protocol and reasons: architecture.md section 4.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import connection as db
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

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
from erp_integrations.clock import Reading, after, at_least
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.wakeups import publish
from erp_integrations.export import backoff, circuit_breaker, due, lease_recovery
from erp_integrations.export.claim import Claim, claim
from erp_integrations.export.delivery.queued import still_pending, take_pending
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.links import comparison
from erp_integrations.workflow.links.settlement import NO_ERROR, Held, settle_synced
from erpbridge.bulk import write_rows
from erpbridge.busy import retried
from erpbridge.outgoing.uptime import uptime
from erpbridge.ui.logs import bound

logger = logging.getLogger(__name__)

# Seconds one wake-up may work before the next, and before it makes room for other connections.
BUDGET = 20.0
FAIR_SHARE = 2.0
# Characters kept of an ERP's answer.
EXCERPT = 2_000
TOO_SLOW = ErpError(
    ErrorClass.TRANSIENT,
    Effect.NOT_APPLIED,
    "The ERP was too slow when it was asked what it holds; nothing was sent.",
)
# The ERP asking for patience, and a call that never left, say nothing against the item.
NOT_OF_THE_ITEM = frozenset({ErrorClass.THROTTLED, ErrorClass.SETUP})
OUTCOMES = {
    None: Attempt.Outcome.APPLIED,
    Effect.APPLIED: Attempt.Outcome.APPLIED,
    Effect.NOT_APPLIED: Attempt.Outcome.NOT_APPLIED,
    Effect.UNCERTAIN: Attempt.Outcome.UNCERTAIN,
}


Answer = tuple[Claim, Outcome]


def drain(connection_id: int) -> None:
    """Export what is due on a connection; more than a turn's worth wakes the next turn up."""
    connection = Connection.objects.filter(pk=connection_id).first()
    if connection is None:
        return
    try:
        adapter = connection_services.adapter_of(connection)
        manifest = connection_services.manifest_of(connection)
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
        lease_recovery.resolve_uncertain(connection, adapter, manifest, until=began + BUDGET)
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
    settle(connection, manifest, refused)
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
    settle(connection, manifest, list(zip(ready, outcomes, strict=True)))


def _too_late(since: float) -> bool:
    """Too little of the lease is left for a call that may take its whole deadline."""
    return uptime() - since > settings.ERPBRIDGE_LEASE_MARGIN / 2


def look(
    adapter: Adapter, manifest: Manifest, claims: Sequence[Claim], *, since: float
) -> list[Answer]:
    """The claims that must not be sent, as far as looks into the ERP tell, and why.

    What was seen is stored before anything is sent.
    """
    refused: list[Answer] = []
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
    settle(connection, manifest, refused)
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


@retried
def settle(connection: Connection, manifest: Manifest, answers: Sequence[Answer]) -> None:
    """Store what became of claims, but for items that have been given to others since."""
    if not answers:
        return
    with transaction.atomic():
        # Lock order: the breaker is the connection's.
        Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        moved = _sync(connection, answers) | _hand_over(answers)
        left = [(one, _known(outcome)) for one, outcome in answers if one.item.pk not in moved]
        moved |= _fail(manifest, left)
        _close_attempts(answers, moved)
        circuit_breaker.feed(connection, [outcome.error for _one, outcome in answers])
    tracing.settled([one for one, _outcome in answers])


def _held(claims: Iterable[Claim]) -> ItemQuerySet:
    """Those items that still carry the fence of the claim."""
    still = Q(pk__in=[])
    for one in claims:
        still |= Q(pk=one.item.pk, fence=one.item.fence)
    return Item.objects.filter(still)


def _sync(connection: Connection, answers: Sequence[Answer]) -> set[int]:
    applied = [one for one in answers if one[1].error is None and not one[1].handle]
    if not applied:
        return set()
    held = {
        one.item.pk: Held(outcome.erp_id, outcome.erp_code, outcome.erp_version)
        for one, outcome in applied
    }
    return settle_synced(connection.pk, _held(one for one, _outcome in applied), held)


def _hand_over(answers: Sequence[Answer]) -> set[int]:
    """What the ERP has taken and will carry out; asked about later."""
    taken = [one for one in answers if one[1].handle]
    each = {
        one.item.pk: {"handle": outcome.handle, "check_after": after(outcome.check_after)}
        for one, outcome in taken
    }
    values = {"lease_until": None, "looks": 0, **NO_ERROR}
    held = _held(one for one, _outcome in taken)
    moved = transitions.move("submit", held, by=None, values=values, each=each) if taken else []
    return {item.pk for item in moved}


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
        settle(connection, manifest, answers)


def _known(outcome: Outcome) -> ErpError:
    """The error, also of an applied command whose ERP id turned out to be another record's."""
    message = f"The ERP answered with ID {outcome.erp_id}, which is linked to another record."
    return outcome.error or ErpError(ErrorClass.CONFLICT, Effect.UNCERTAIN, message)


def _fail(manifest: Manifest, failed: Sequence[tuple[Claim, ErpError]]) -> set[int]:
    """Carry out what errors mean, one statement per kind of move."""
    moved: set[int] = set()
    unknown = {"lease_until": None, "check_after": after(manifest.settles_within), "looks": 0}
    for event, values in (
        ("lose", unknown),
        ("postpone", {"lease_until": None}),
        ("fail", {"lease_until": None, "settled_at": Now()}),
    ):
        some = [(one, error) for one, error in failed if _event(one.item, error) == event]
        each = {one.item.pk: _error_columns(event, one.item, error) for one, error in some}
        held = _held(one for one, _error in some)
        items = transitions.move(event, held, by=None, values=values, each=each) if some else []
        moved |= {item.pk for item in items}
    return moved


def _event(item: Item, error: ErpError) -> str:
    if error.effect != Effect.NOT_APPLIED:
        return "lose"
    if item.state == State.SUBMITTED:
        return "fail"
    if error.cls in NOT_OF_THE_ITEM:
        return "postpone"
    again = error.cls in circuit_breaker.CONNECTION_ERRORS and item.attempts < backoff.MOST_ATTEMPTS
    return "postpone" if again else "fail"


def _error_columns(event: str, item: Item, error: ErpError) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "error_class": error.cls,
        "error_field": error.field,
        "error_text": error.message,
        "error_advice": error.advice,
    }
    if event == "postpone":
        # What the ERP asks for, it gets in full.
        asked = error.retry_after
        columns["not_before"] = at_least(asked) if asked else after(backoff.back_off(item.attempts))
        columns["attempts"] = item.attempts - (error.cls in NOT_OF_THE_ITEM)
    return columns


def answered() -> dict[str, Any]:
    """Columns of an attempt that is answered now, by either clock."""
    return {"answered_at": Now(), "answered_reading": Reading()}


def _close_attempts(answers: Sequence[Answer], moved: Collection[int]) -> None:
    others = [one.attempt.pk for one, _outcome in answers if one.item.pk not in moved]
    closed = Attempt.objects.exclude(outcome__in=Attempt.UNKNOWN).filter(pk__in=others)
    # Asked twice, or told twice: what is known of these is known.
    known = set(closed.values_list("pk", flat=True)) if others else set()
    answers = [one for one in answers if one[0].attempt.pk not in known]
    for one, outcome in answers:
        error = outcome.error
        attempt = one.attempt
        attempt.outcome = OUTCOMES[error.effect if error else None]
        if outcome.handle:
            attempt.outcome = Attempt.Outcome.OPEN
        if one.item.pk not in moved:
            attempt.outcome = Attempt.Outcome.LATE
        attempt.error_class = error.cls if error else ""
        attempt.erp_id = outcome.erp_id or attempt.erp_id
        attempt.answer_excerpt = (outcome.answer or (error.message if error else ""))[:EXCERPT]
    columns = ["outcome", "error_class", "erp_id", "answer_excerpt"]
    write_rows([one.attempt for one, _outcome in answers], columns, **answered())
