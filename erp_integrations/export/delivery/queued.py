"""Queued delivery: poll for commands that the ERP has accepted but not yet carried out."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from erp_integrations.adapters.base import Effect, ErpError, ErrorClass, Manifest, Outcome
from erp_integrations.clock import Reading, after, ago
from erp_integrations.export.settle import Answer
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.payloads.commands import Claim, command_of
from erpbridge.db.busy import retried

MOST_AT_ONCE = 50


def claims_of(items: Sequence[Item]) -> list[Claim]:
    """The claims under which the items were handed over, to settle them.

    Their commands must not be sent: they are made without the links.
    """
    rows = Attempt.objects.filter(item__in=items, fence=F("item__fence"))
    attempts = {attempt.item_id: attempt for attempt in rows}
    return [
        Claim(item, command_of(item), attempts[item.pk]) for item in items if item.pk in attempts
    ]


@retried
@transaction.atomic
def take_pending(connection: Connection, manifest: Manifest) -> list[Claim]:
    """The next items to poll, reserved for this worker for the time of one call."""
    locked = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    # The settings were changed: the caller's adapter may call a different ERP by now.
    if locked.config != connection.config:
        return []
    due = Item.objects.filter(
        connection=connection, state=State.SUBMITTED, check_after__lte=Reading()
    )
    oldest_first = due.select_related("request").order_by("check_after", "pk")
    items = list(oldest_first[:MOST_AT_ONCE])
    ids = [item.pk for item in items]
    Item.objects.filter(pk__in=ids).update(check_after=after(manifest.call_deadline))
    return claims_of(items)


def still_pending(manifest: Manifest, answers: Sequence[Answer]) -> list[Answer]:
    """Return the final answers; for "not yet" schedule the next poll.

    A command that has been pending longer than ``silent_after`` seconds is returned as lost.
    """
    unfinished = [answer for answer in answers if answer.outcome.handle]
    ids = [answer.claim.attempt.pk for answer in unfinished]
    silent = Attempt.objects.filter(pk__in=ids, opened_reading__lte=ago(manifest.silent_after))
    given_up = set(silent.values_list("pk", flat=True))
    settling = [answer for answer in answers if not answer.outcome.handle]
    for claim, outcome in unfinished:
        if claim.attempt.pk in given_up:
            settling.append(Answer(claim, Outcome(error=_silent(manifest))))
            continue
        rows = Item.objects.filter(pk=claim.item.pk, fence=claim.item.fence, state=State.SUBMITTED)
        rows.update(handle=outcome.handle, check_after=after(max(outcome.check_after, 1.0)))
    return settling


def _silent(manifest: Manifest) -> ErpError:
    minutes = round(manifest.silent_after / 60)
    message = f"The ERP has received it and not reported the outcome for {minutes} minutes."
    # Not a connection error: the ERP did answer.
    return ErpError(ErrorClass.BUG, Effect.UNCERTAIN, message)
