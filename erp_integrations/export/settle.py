"""Store the outcome of commands: move their items and close their attempts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.adapters.base import (
    Effect,
    ErpError,
    ErrorClass,
    Manifest,
    Outcome,
)
from erp_integrations.clock import Reading, after, at_least
from erp_integrations.export import backoff, circuit_breaker
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import ItemEvent, State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.links.settlement import NO_ERROR, ErpRef, settle_locked
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.db.bulk_update import write_rows
from erpbridge.db.busy import retried
from erpbridge.db.row_values import OfRow

# Characters kept of an ERP's answer.
EXCERPT = 2_000
# Errors that do not count as an attempt: the rate limit, and a call that was never made.
NOT_OF_THE_ITEM = frozenset({ErrorClass.THROTTLED, ErrorClass.SETUP})
OUTCOMES = {
    None: Attempt.Outcome.APPLIED,
    Effect.APPLIED: Attempt.Outcome.APPLIED,
    Effect.NOT_APPLIED: Attempt.Outcome.NOT_APPLIED,
    Effect.UNCERTAIN: Attempt.Outcome.UNCERTAIN,
}


class Answer(NamedTuple):
    """A claimed command and its outcome."""

    claim: Claim
    outcome: Outcome


def answers_of(claims: Iterable[Claim], outcomes: Iterable[Outcome]) -> list[Answer]:
    """Return one answer per claim; the outcomes are in the order of the claims."""
    return [Answer(claim, outcome) for claim, outcome in zip(claims, outcomes, strict=True)]


class Failure(NamedTuple):
    """A claimed command and the error with which its item is moved."""

    claim: Claim
    error: ErpError


@retried
def settle(connection: Connection, manifest: Manifest, answers: Sequence[Answer]) -> None:
    """Store the outcomes of claims, except for items that another worker has claimed since."""
    if not answers:
        return
    with transaction.atomic():
        # The circuit breaker is stored on the connection, which is locked before its items
        # (docs/locks.md).
        locked = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        # An answer that moves no item is either late or an applied one whose ERP ID is taken.
        moved = _sync(connection, answers) | _hand_over(answers)
        failures = [
            Failure(answer.claim, _error_of(answer.outcome))
            for answer in answers
            if answer.claim.item.pk not in moved
        ]
        moved |= _fail(manifest, failures)
        _close_attempts(answers, moved)
        errors = [answer.outcome.error for answer in answers]
        if any(errors) or locked.breaker_failures:
            circuit_breaker.record_results(connection, errors)
    tracing.settled([answer.claim for answer in answers])


def _still_claimed(claims: Iterable[Claim]) -> ItemQuerySet:
    """Items that still have the fence of their claim."""
    fences = {claim.item.pk: claim.item.fence for claim in claims}
    same = OfRow(fences, Item._meta.get_field("fence"))
    return Item.objects.filter(pk__in=list(fences), fence=same)


def _sync(connection: Connection, answers: Sequence[Answer]) -> set[int]:
    applied = [
        answer for answer in answers if answer.outcome.error is None and not answer.outcome.handle
    ]
    if not applied:
        return set()
    records = {
        claim.item.pk: ErpRef(outcome.erp_id, outcome.erp_code, outcome.erp_version)
        for claim, outcome in applied
    }
    claims = [answer.claim for answer in applied]
    known = [claim.item for claim in claims]
    locked = transitions.lock(ItemEvent.SYNC, _still_claimed(claims), known=known)
    return settle_locked(connection, locked, records)


def _hand_over(answers: Sequence[Answer]) -> set[int]:
    """Move commands that the ERP has queued to SUBMITTED; they are polled later."""
    queued = [answer for answer in answers if answer.outcome.handle]
    item_columns = {
        claim.item.pk: {"handle": outcome.handle, "check_after": after(outcome.check_after)}
        for claim, outcome in queued
    }
    values = {"lease_until": None, "looks": 0, **NO_ERROR}
    items = _still_claimed(answer.claim for answer in queued)
    moved = (
        transitions.move(ItemEvent.SUBMIT, items, by=None, values=values, item_columns=item_columns)
        if queued
        else []
    )
    return {item.pk for item in moved}


def _error_of(outcome: Outcome) -> ErpError:
    """The error; without one the ERP answered with an ID that is linked to another record."""
    message = f"The ERP answered with ID {outcome.erp_id}, which is linked to another record."
    return outcome.error or ErpError(ErrorClass.CONFLICT, Effect.UNCERTAIN, message)


def _fail(manifest: Manifest, failures: Sequence[Failure]) -> set[int]:
    """Move failed items, one UPDATE per transition; return the ids of the moved ones."""
    moved: set[int] = set()
    unknown = {"lease_until": None, "check_after": after(manifest.settles_within), "looks": 0}
    for event, values in (
        (ItemEvent.LOSE, unknown),
        (ItemEvent.POSTPONE, {"lease_until": None}),
        (ItemEvent.FAIL, {"lease_until": None, "settled_at": Now()}),
    ):
        group = [
            failure for failure in failures if _event(failure.claim.item, failure.error) == event
        ]
        item_columns = {
            claim.item.pk: _error_columns(event, claim.item, error) for claim, error in group
        }
        items = _still_claimed(failure.claim for failure in group)
        rows = (
            transitions.move(event, items, by=None, values=values, item_columns=item_columns)
            if group
            else []
        )
        moved |= {item.pk for item in rows}
    return moved


def _event(item: Item, error: ErpError) -> ItemEvent:
    # An effect that is not known for certain overrides the error class.
    if error.effect != Effect.NOT_APPLIED:
        return ItemEvent.LOSE
    # The ERP had accepted the command and refused it later: no automatic retry.
    if item.state == State.SUBMITTED:
        return ItemEvent.FAIL
    if error.cls in NOT_OF_THE_ITEM:
        return ItemEvent.POSTPONE
    retries = (
        error.cls in circuit_breaker.CONNECTION_ERRORS and item.attempts < backoff.MOST_ATTEMPTS
    )
    return ItemEvent.POSTPONE if retries else ItemEvent.FAIL


def _error_columns(event: ItemEvent, item: Item, error: ErpError) -> dict[str, object]:
    columns: dict[str, object] = {
        "error_class": error.cls,
        "error_field": error.field,
        "error_text": error.message,
        "error_advice": error.advice,
    }
    if event == ItemEvent.POSTPONE:
        # A Retry-After of the ERP is kept in full, without jitter.
        wait = error.retry_after
        columns["not_before"] = at_least(wait) if wait else after(backoff.back_off(item.attempts))
        columns["attempts"] = item.attempts - (error.cls in NOT_OF_THE_ITEM)
    return columns


def answered() -> dict[str, Any]:
    """Columns of an attempt answered now: the wall clock's time and the measured clock's."""
    return {"answered_at": Now(), "answered_reading": Reading()}


def _close_attempts(answers: Sequence[Answer], moved: Collection[int]) -> None:
    late = [answer.claim.attempt.pk for answer in answers if answer.claim.item.pk not in moved]
    rows = Attempt.objects.exclude(outcome__in=Attempt.UNKNOWN).filter(pk__in=late)
    # Skip attempts that an earlier answer has closed.
    closed = set(rows.values_list("pk", flat=True)) if late else set()
    answers = [answer for answer in answers if answer.claim.attempt.pk not in closed]
    for claim, outcome in answers:
        error = outcome.error
        attempt = claim.attempt
        attempt.outcome = OUTCOMES[error.effect if error else None]
        if outcome.handle:
            attempt.outcome = Attempt.Outcome.OPEN
        # Another worker has the item by now: keep the answer as evidence for the lookup.
        if claim.item.pk not in moved:
            attempt.outcome = Attempt.Outcome.LATE
        attempt.error_class = error.cls if error else ""
        attempt.erp_id = outcome.erp_id or attempt.erp_id
        attempt.answer_excerpt = (outcome.answer or (error.message if error else ""))[:EXCERPT]
    columns = ["outcome", "error_class", "erp_id", "answer_excerpt"]
    write_rows([answer.claim.attempt for answer in answers], columns, **answered())
