"""The polled delivery: an ERP that cannot be reached asks us, and the hand-over claims the items.

One conversation, whatever the protocol of the adapter. An ERP first says what it did and saw.
Then it is given, in this order: questions about items of which nobody knows the outcome; creates
whose key it has just said to be free; and new items, of which creates are asked about first, so
that a create never overwrites. What was handed over and not reported within the lease becomes
UNCERTAIN like any other call. A ticket names one hand-over by its fence, so a report that comes
late or twice settles nothing that was given out since.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.adapters.base import (
    Adapter,
    Ambiguous,
    Delivery,
    Found,
    Handed,
    InboundAsk,
    InboundCall,
    InboundReply,
    LookUp,
    Manifest,
    Operation,
    Outcome,
    Report,
    Seen,
)
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.clock import Reading, at_least
from erp_integrations.connections import adapter_loading
from erp_integrations.export import (
    circuit_breaker,
    engine,
    settle,
    uncertain_lookup,
)
from erp_integrations.export.claim import claim, lease
from erp_integrations.export.delivery import login_lockout
from erp_integrations.export.delivery.queued import claims_of
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow import tracing
from erp_integrations.workflow.payloads.commands import Claim, full_command
from erpbridge.db.busy import retried

# Bytes of a request that are read.
MOST_BODY = 1024 * 1024
MOST_TAKEN = 200
TEXT = "text/plain; charset=utf-8"
TICKET = re.compile(r"(do|first|look|look-settled)\.([0-9a-f-]{36})\.(\d{1,9})\.(\d{1,9})")


@dataclass
class Batch:
    """What goes out with one reply."""

    room: int
    commands: list[Handed] = field(default_factory=list)
    looks: list[LookUp] = field(default_factory=list)
    # Those that commands and looks are about.
    items: list[Item] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How much more the ERP takes."""
        return max(0, self.room - len(self.commands) - len(self.looks))

    def ask(self, kind: str, item: Item, key: str) -> None:
        """The question which record has the key of an item."""
        self.looks.append(LookUp(_ticket(kind, item), item.entity, key))
        self.items.append(item)

    def hand_over(self, connection: Connection, manifest: Manifest, one: Claim) -> None:
        """A command, if it is still this claim's to hand over."""
        handed = _handed(connection, manifest, one)
        if handed is not None:
            tracing.handed(one.item)
            self.commands.append(handed)
            self.items.append(one.item)


def answer(connection: Connection, call: InboundCall) -> InboundReply:
    """One call of an asking ERP."""
    try:
        adapter = adapter_loading.adapter_of(connection)
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable as error:
        return InboundReply(503, TEXT, str(error).encode())
    if manifest.delivery != Delivery.POLLED:
        return InboundReply(404, TEXT, b"This connection does not wait to be asked.")
    wait = login_lockout.locked_for(connection)
    if wait:
        return adapter.locked_out(call, wait)
    ask = adapter.receive(call)
    if ask.wrong_credentials:
        login_lockout.count(connection)
    if ask.refused is not None:
        return ask.refused
    Connection.objects.filter(pk=connection.pk).update(asked_at=Now(), inbound_failures=0)
    take_reports(connection, manifest, ask.reports)
    free = take_answers(connection, adapter, manifest, ask.seen)
    batch = _batch(connection, manifest, ask, free)
    with tracing.handling(batch.items):
        return adapter.reply(ask, batch.commands, batch.looks)


def _ticket(kind: str, item: Item) -> str:
    return f"{kind}.{item.intent}.{item.fence}.{item.looks}"


def _named(connection: Connection, ticket: str) -> tuple[str, Item, int] | None:
    """Kind, item and looks of a ticket, if its hand-over is still the item's latest."""
    match = TICKET.fullmatch(ticket)
    found = _of_intent(connection, match)
    if match is None or found is None or found.fence != int(match[3]):
        return None
    return match[1], found, int(match[4])


def _of_intent(connection: Connection, match: re.Match[str] | None) -> Item | None:
    try:
        intent = UUID(match[2]) if match else None
    except ValueError:
        return None
    found = Item.objects.filter(connection=connection, intent=intent).select_related("request")
    return found.first() if intent else None


def _keep_late(connection: Connection, one: Report) -> None:
    """A report about a hand-over that is no longer the latest: evidence, and nothing else."""
    match = TICKET.fullmatch(one.ticket)
    item = _of_intent(connection, match)
    if match is None or item is None:
        return
    tries = item.tries.filter(fence=int(match[3]), outcome__in=Attempt.UNKNOWN)
    said = one.outcome.error.message if one.outcome.error else one.outcome.answer
    tries.update(
        outcome=Attempt.Outcome.LATE,
        **settle.answered(),
        erp_id=one.outcome.erp_id,
        answer_excerpt=said[: settle.EXCERPT],
    )


def take_reports(connection: Connection, manifest: Manifest, reports: Iterable[Report]) -> None:
    """Settle what the ERP says it did; what was settled before, or is no longer its, stays."""
    outcomes: dict[int, tuple[Item, Outcome]] = {}
    for one in reports:
        named = _named(connection, one.ticket)
        if named is not None and named[0] == "do":
            outcomes[named[1].pk] = (named[1], one.outcome)
        elif named is None:
            _keep_late(connection, one)
    for item, _outcome in outcomes.values():
        tracing.reported(item)
    claims = claims_of([item for item, _outcome in outcomes.values()])
    unsettled = [one for one in claims if one.attempt.outcome in Attempt.UNKNOWN]
    answers = [(one, outcomes[one.item.pk][1]) for one in unsettled]
    settle.settle(connection, manifest, answers)


def take_answers(
    connection: Connection, adapter: Adapter, manifest: Manifest, seen: Iterable[Seen]
) -> list[Claim]:
    """Decide by what the ERP says it holds. :returns: creates whose keys are free, once each."""
    free: list[Claim] = []
    for one in seen:
        named = _named(connection, one.ticket)
        if named is None or named[0] == "do":
            continue
        kind, item, looks = named
        tracing.looked_up(item, one.found)
        with tracing.handling([item]):
            if kind == "first":
                free += _first_seen(connection, manifest, item, one.found)
            elif item.state == State.UNCERTAIN and item.looks == looks:
                settled = kind == "look-settled"
                uncertain_lookup.decide(connection, adapter, item, one.found, settled=settled)
    return free


def _first_seen(
    connection: Connection, manifest: Manifest, item: Item, found: Found | Ambiguous | None
) -> list[Claim]:
    """What the ERP holds under the key of a create that it has not been handed yet."""
    for one in claims_of([item]):
        mine = Attempt.objects.filter(pk=one.attempt.pk, first_look="")
        said = "absent" if found is None else "present"
        if item.state != State.SENDING or not mine.update(first_look=said):
            continue
        one.attempt.first_look = said
        if found is None:
            return [one]
        one.attempt.erp_id = found.erp_id if isinstance(found, Found) else ""
        error = engine.present(one, manifest.entities[item.entity], found)
        settle.settle(connection, manifest, [(one, Outcome(error=error))])
    return []


def _batch(
    connection: Connection, manifest: Manifest, ask: InboundAsk, free: Sequence[Claim]
) -> Batch:
    batch = Batch(min(max(ask.take, 0), MOST_TAKEN))
    if not circuit_breaker.is_resting(connection):
        _add_questions(connection, manifest, batch)
    for one in free:
        # Their keys were found free a moment ago; the next look would find the same.
        batch.hand_over(connection, manifest, one)
    if batch.left and not batch.looks:
        claims = claim(connection, manifest, most=batch.left)
        tracing.claimed(claims)
        for one in engine.may_be_handed_over(connection, manifest, claims):
            if one.command.operation == Operation.CREATE and manifest.can_find:
                batch.ask("first", one.item, one.command.key)
            else:
                batch.hand_over(connection, manifest, one)
    return batch


def _add_questions(connection: Connection, manifest: Manifest, batch: Batch) -> None:
    """What nobody knows the outcome of is asked before anything else."""
    while manifest.can_find and batch.left:
        item = uncertain_lookup.take_look(connection, manifest)
        if item is None:
            return
        if item.looks > uncertain_lookup.MOST_LOOKS:
            uncertain_lookup.ask(
                item, "The ERP was asked about it several times and did not answer."
            )
            continue
        settled = uncertain_lookup.has_settled(item, manifest)
        batch.ask("look-settled" if settled else "look", item, item.erp_key)


@retried
@transaction.atomic
def _handed(connection: Connection, manifest: Manifest, one: Claim) -> Handed | None:
    """The time to report counts from now; committed before anything leaves."""
    mine = Item.objects.filter(pk=one.item.pk, fence=one.item.fence, state=State.SENDING)
    command = full_command(connection, one.item)
    if not mine.update(lease_until=at_least(lease(manifest))):
        return None
    Attempt.objects.filter(pk=one.attempt.pk).update(opened_at=Now(), opened_reading=Reading())
    return Handed(_ticket("do", one.item), command, manifest.call_deadline)
