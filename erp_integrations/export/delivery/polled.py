"""Polled delivery: the ERP cannot be called, so it calls erpbridge and fetches its commands.

Each call of the ERP brings reports on earlier commands and answers to lookups. The reply holds, in
this order: lookups of uncertain items; creates whose key the ERP has just reported as free; and
new items, where a create starts with a lookup of its key, so that it never overwrites. A command
not reported within its lease becomes UNCERTAIN. A ticket contains the fence of its hand-over, so
a late or repeated report cannot settle a later one.
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

# Most bytes read of a request, and most commands or lookups in one reply.
MOST_BODY = 1024 * 1024
MOST_TAKEN = 200
TEXT = "text/plain; charset=utf-8"
# Kind, intent, fence and lookup count.
TICKET = re.compile(r"(do|first|look|look-settled)\.([0-9a-f-]{36})\.(\d{1,9})\.(\d{1,9})")


@dataclass
class Batch:
    """Commands and lookups of one reply; ``room`` is how many the ERP accepts."""

    room: int
    commands: list[Handed] = field(default_factory=list)
    looks: list[LookUp] = field(default_factory=list)
    # The items of the commands and lookups.
    items: list[Item] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many more the ERP accepts."""
        return max(0, self.room - len(self.commands) - len(self.looks))

    def ask(self, kind: str, item: Item, key: str) -> None:
        """Add a lookup of an item's key."""
        self.looks.append(LookUp(_ticket(kind, item), item.entity, key))
        self.items.append(item)

    def hand_over(self, connection: Connection, manifest: Manifest, claimed: Claim) -> None:
        """Add a command, if its item still belongs to this claim."""
        handed = _renew_lease(connection, manifest, claimed)
        if handed is not None:
            tracing.handed(claimed.item)
            self.commands.append(handed)
            self.items.append(claimed.item)


def answer(connection: Connection, call: InboundCall) -> InboundReply:
    """Answer one call of a polling ERP."""
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
    # Reports and answers first: they free ERP keys and links for the new commands of the reply.
    take_reports(connection, manifest, ask.reports)
    free = take_answers(connection, adapter, manifest, ask.seen)
    batch = _batch(connection, manifest, ask, free)
    with tracing.handling(batch.items):
        return adapter.reply(ask, batch.commands, batch.looks)


def _ticket(kind: str, item: Item) -> str:
    return f"{kind}.{item.intent}.{item.fence}.{item.looks}"


def _read_ticket(connection: Connection, ticket: str) -> tuple[str, Item, int] | None:
    """Kind, item and lookup count of a ticket; None unless it is of the item's latest hand-over."""
    match = TICKET.fullmatch(ticket)
    item = _item_of_ticket(connection, match)
    if match is None or item is None or item.fence != int(match[3]):
        return None
    return match[1], item, int(match[4])


def _item_of_ticket(connection: Connection, match: re.Match[str] | None) -> Item | None:
    try:
        intent = UUID(match[2]) if match else None
    except ValueError:
        return None
    rows = Item.objects.filter(connection=connection, intent=intent).select_related("request")
    return rows.first() if intent else None


def _keep_late(connection: Connection, report: Report) -> None:
    """Store a report on an earlier hand-over with its attempt; it does not move the item."""
    match = TICKET.fullmatch(report.ticket)
    item = _item_of_ticket(connection, match)
    if match is None or item is None:
        return
    attempts = item.tries.filter(fence=int(match[3]), outcome__in=Attempt.UNKNOWN)
    answer = report.outcome.error.message if report.outcome.error else report.outcome.answer
    attempts.update(
        outcome=Attempt.Outcome.LATE,
        **settle.answered(),
        erp_id=report.outcome.erp_id,
        answer_excerpt=answer[: settle.EXCERPT],
    )


def take_reports(connection: Connection, manifest: Manifest, reports: Iterable[Report]) -> None:
    """Settle the reported commands, except those settled before or handed over again since."""
    outcomes: dict[int, tuple[Item, Outcome]] = {}
    # By item, because the ERP may repeat a report in one call; the last one counts.
    for report in reports:
        ticket = _read_ticket(connection, report.ticket)
        if ticket is not None and ticket[0] == "do":
            outcomes[ticket[1].pk] = (ticket[1], report.outcome)
        elif ticket is None:
            _keep_late(connection, report)
    for item, _outcome in outcomes.values():
        tracing.reported(item)
    claims = claims_of([item for item, _outcome in outcomes.values()])
    unsettled = [claimed for claimed in claims if claimed.attempt.outcome in Attempt.UNKNOWN]
    answers = [settle.Answer(claimed, outcomes[claimed.item.pk][1]) for claimed in unsettled]
    settle.settle(connection, manifest, answers)


def take_answers(
    connection: Connection, adapter: Adapter, manifest: Manifest, seen: Iterable[Seen]
) -> list[Claim]:
    """Move items by the ERP's answers to lookups.

    :returns: claims of creates whose keys are free, once each.
    """
    free: list[Claim] = []
    for result in seen:
        ticket = _read_ticket(connection, result.ticket)
        if ticket is None or ticket[0] == "do":
            continue
        kind, item, looks = ticket
        tracing.looked_up(item, result.found)
        with tracing.handling([item]):
            if kind == "first":
                free += _take_first_look(connection, manifest, item, result.found)
            # Answers to an earlier lookup of the item are ignored.
            elif item.state == State.UNCERTAIN and item.looks == looks:
                settled = kind == "look-settled"
                uncertain_lookup.decide(connection, adapter, item, result.found, settled=settled)
    return free


def _take_first_look(
    connection: Connection, manifest: Manifest, item: Item, record: Found | Ambiguous | None
) -> list[Claim]:
    """Store the lookup before a create; the claim if its key is free, else the create fails."""
    for claimed in claims_of([item]):
        attempt = Attempt.objects.filter(pk=claimed.attempt.pk, first_look="")
        first_look = Attempt.FirstLook.ABSENT if record is None else Attempt.FirstLook.PRESENT
        if item.state != State.SENDING or not attempt.update(first_look=first_look):
            continue
        claimed.attempt.first_look = first_look
        if record is None:
            return [claimed]
        claimed.attempt.erp_id = record.erp_id if isinstance(record, Found) else ""
        error = engine.key_taken_error(claimed, manifest.entities[item.entity], record)
        settle.settle(connection, manifest, [settle.Answer(claimed, Outcome(error=error))])
    return []


def _batch(
    connection: Connection, manifest: Manifest, ask: InboundAsk, free: Sequence[Claim]
) -> Batch:
    batch = Batch(min(max(ask.take, 0), MOST_TAKEN))
    if not circuit_breaker.is_resting(connection):
        _add_questions(connection, manifest, batch)
    for claimed in free:
        # Not limited by the room left: their keys have just been found free.
        batch.hand_over(connection, manifest, claimed)
    # New items only when nothing is uncertain, as in the engine's own turn.
    if batch.left and not batch.looks:
        claims = claim(connection, manifest, most=batch.left)
        tracing.claimed(claims)
        for claimed in engine.may_be_handed_over(connection, manifest, claims):
            if claimed.command.operation == Operation.CREATE and manifest.can_find:
                batch.ask("first", claimed.item, claimed.command.key)
            else:
                batch.hand_over(connection, manifest, claimed)
    return batch


def _add_questions(connection: Connection, manifest: Manifest, batch: Batch) -> None:
    """Add lookups of uncertain items, before anything else."""
    while manifest.can_find and batch.left:
        item = uncertain_lookup.reserve_lookup(connection, manifest)
        if item is None:
            return
        if item.looks > uncertain_lookup.MOST_LOOKS:
            uncertain_lookup.ask_user(item, "The ERP did not answer several lookups of the record.")
            continue
        settled = uncertain_lookup.has_settled(item, manifest)
        batch.ask("look-settled" if settled else "look", item, item.erp_key)


@retried
@transaction.atomic
def _renew_lease(connection: Connection, manifest: Manifest, claimed: Claim) -> Handed | None:
    """Start the lease again for a command that is handed over now; None if the claim is lost.

    Committed before the reply is sent.
    """
    rows = Item.objects.filter(pk=claimed.item.pk, fence=claimed.item.fence, state=State.SENDING)
    command = full_command(connection, claimed.item)
    if not rows.update(lease_until=at_least(lease(manifest))):
        return None
    Attempt.objects.filter(pk=claimed.attempt.pk).update(opened_at=Now(), opened_reading=Reading())
    return Handed(_ticket("do", claimed.item), command, manifest.call_deadline)
