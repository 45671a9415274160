"""What the ERP said to commands becomes the state of their items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
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
from erp_integrations.models.states import State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.links.settlement import NO_ERROR, Held, settle_synced
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.db.bulk_update import write_rows
from erpbridge.db.busy import retried

# Characters kept of an ERP's answer.
EXCERPT = 2_000


# The ERP asking for patience, and a call that never left, say nothing against the item.
NOT_OF_THE_ITEM = frozenset({ErrorClass.THROTTLED, ErrorClass.SETUP})


OUTCOMES = {
    None: Attempt.Outcome.APPLIED,
    Effect.APPLIED: Attempt.Outcome.APPLIED,
    Effect.NOT_APPLIED: Attempt.Outcome.NOT_APPLIED,
    Effect.UNCERTAIN: Attempt.Outcome.UNCERTAIN,
}


Answer = tuple[Claim, Outcome]


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
