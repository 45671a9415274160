"""Commands that the ERP has taken and not yet carried out: whom to ask about, and until when."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from erp_integrations.adapters.base import Effect, ErpError, ErrorClass, Manifest, Outcome
from erp_integrations.clock import Reading, after, ago
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.payloads.commands import Claim, command_of
from erpbridge.db.busy import retried

MOST_AT_ONCE = 50


def claims_of(items: Sequence[Item]) -> list[Claim]:
    """The claims under which items were handed over, for settling them.

    Their commands are for knowing them by, not for sending: links are not looked up again.
    """
    tries = Attempt.objects.filter(item__in=items, fence=F("item__fence"))
    attempts = {one.item_id: one for one in tries}
    return [Claim(one, command_of(one), attempts[one.pk]) for one in items if one.pk in attempts]


@retried
@transaction.atomic
def take_pending(connection: Connection, manifest: Manifest) -> list[Claim]:
    """The next items to ask about, kept from other workers for as long as asking may take."""
    held = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    if held.config != connection.config:
        return []
    due = Item.objects.filter(
        connection=connection, state=State.SUBMITTED, check_after__lte=Reading()
    )
    found = due.select_related("request").order_by("check_after", "pk")
    items = list(found[:MOST_AT_ONCE])
    ids = [item.pk for item in items]
    Item.objects.filter(pk__in=ids).update(check_after=after(manifest.call_deadline))
    return claims_of(items)


def still_pending(
    manifest: Manifest, answers: Sequence[tuple[Claim, Outcome]]
) -> list[tuple[Claim, Outcome]]:
    """The answers that settle something: those that say "not yet" are noted, or count as lost."""
    waiting = [one for one in answers if one[1].handle]
    ids = [claim.attempt.pk for claim, _outcome in waiting]
    silent = Attempt.objects.filter(pk__in=ids, opened_reading__lte=ago(manifest.silent_after))
    given_up = set(silent.values_list("pk", flat=True))
    settling = [one for one in answers if not one[1].handle]
    for claim, outcome in waiting:
        if claim.attempt.pk in given_up:
            settling.append((claim, Outcome(error=_silent(manifest))))
            continue
        mine = Item.objects.filter(pk=claim.item.pk, fence=claim.item.fence, state=State.SUBMITTED)
        mine.update(handle=outcome.handle, check_after=after(max(outcome.check_after, 1.0)))
    return settling


def _silent(manifest: Manifest) -> ErpError:
    minutes = round(manifest.silent_after / 60)
    message = f"The ERP has taken it and not said for {minutes} minutes what became of it."
    # Of no class that says something against the connection: it did answer.
    return ErpError(ErrorClass.BUG, Effect.UNCERTAIN, message)
