"""The way of a command to the ERP in each delivery: a small engine without any memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from erp_integrations.adapters.base import (
    AdapterError,
    Ambiguous,
    Command,
    Delivery,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Handed,
    InboundCall,
    InboundReply,
    LookUp,
    Outcome,
)

if TYPE_CHECKING:
    from erp_integrations.adapters.conformance.harness import Harness

# One call of the ERP's agent: what it says, and what it is answered.
Transport = Callable[[InboundCall], InboundReply]
MOST_POLLS = 20
TAKEN_BUT_SILENT = "It was handed over and nothing was heard of it."
# Wrong credentials are said by the adapter, not by a status: the host counts them.
REFUSED = {403: ErrorClass.FORBIDDEN, 429: ErrorClass.THROTTLED}


def deliver(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    """Take commands to the ERP; one outcome each, in order, none of them a handle."""
    ways = {Delivery.POLLED: _by_agent, Delivery.FILE: _by_file}
    return ways.get(harness.manifest.delivery, _by_call)(harness, commands)


def look(harness: Harness, key: str) -> Found | Ambiguous | None:
    """Ask the ERP for a key. :raises AdapterError:"""
    if harness.manifest.delivery != Delivery.POLLED:
        return harness.adapter().find(harness.entity, key)
    desk = Desk(harness, looks=[LookUp("look", harness.entity, key)])
    harness.ask(desk.call)
    if "look" not in desk.seen:
        raise AdapterError(desk.error("It was asked and did not answer.", handed=False))
    return desk.seen["look"]


def _by_call(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    outcomes = list(harness.adapter().submit(commands))
    for _ in range(MOST_POLLS):
        waiting = [place for place, one in enumerate(outcomes) if one.handle]
        if not waiting:
            return outcomes
        harness.settle()
        answers = harness.adapter().poll([outcomes[place].handle for place in waiting])
        for place, answer in zip(waiting, answers, strict=True):
            outcomes[place] = answer
    raise AssertionError(f"After {MOST_POLLS} polls the ERP still had not worked it off.")


def _by_agent(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    desk = Desk(harness, commands)
    harness.ask(desk.call)
    return [desk.outcome(one) for one in commands]


def _by_file(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    made = harness.adapter().render_file(commands)
    result = harness.import_file(made.name, made.content)
    silent = Outcome(error=_unheard(TAKEN_BUT_SILENT))
    if result is None:
        return [silent] * len(commands)
    try:
        found = harness.adapter().read_result(result)
    except AdapterError as error:
        return [Outcome(error=_unheard(str(error)))] * len(commands)
    return [found.get(one.intent, silent) for one in commands]


def _unheard(message: str) -> ErpError:
    return ErpError(ErrorClass.TRANSIENT, Effect.UNCERTAIN, message)


class Desk:
    """What an asking ERP meets: commands are handed out once, what it reports is kept."""

    def __init__(
        self,
        harness: Harness,
        commands: Sequence[Command] = (),
        looks: Sequence[LookUp] = (),
    ) -> None:
        self.harness = harness
        # A ticket is one hand-over: the same command twice is two.
        self.waiting = [
            Handed(f"{place}:{one.intent}", one, harness.manifest.call_deadline)
            for place, one in enumerate(commands)
        ]
        self.looks = list(looks)
        self.handed: set[str] = set()
        self.reported: dict[str, Outcome] = {}
        self.seen: dict[str, Found | Ambiguous | None] = {}
        self.refusal: ErrorClass | None = None

    def call(self, call: InboundCall) -> InboundReply:
        """One call of the agent. The protocol is the engine's, see ``inbound.py``."""
        adapter = self.harness.adapter()
        ask = adapter.receive(call)
        if ask.refused is not None:
            wrong = ErrorClass.AUTH_EXPIRED if ask.wrong_credentials else None
            self.refusal = wrong or REFUSED.get(ask.refused.status)
            return ask.refused
        self.reported |= {_intent(one.ticket): one.outcome for one in ask.reports}
        self.seen |= {one.ticket: one.found for one in ask.seen}
        looks, self.looks = self.looks[: ask.take], self.looks[ask.take :]
        handed, self.waiting = self.waiting[: ask.take], self.waiting[ask.take :]
        self.handed |= {one.command.intent for one in handed}
        return adapter.reply(ask, handed, looks)

    def outcome(self, command: Command) -> Outcome:
        """What is known of a command now."""
        known = self.reported.get(command.intent)
        return known or Outcome(
            error=self.error(TAKEN_BUT_SILENT, handed=command.intent in self.handed)
        )

    def error(self, message: str, *, handed: bool) -> ErpError:
        """Nothing was heard; where nothing was handed over either, nothing was done."""
        if handed:
            return _unheard(message)
        return ErpError(self.refusal or ErrorClass.TRANSIENT, Effect.NOT_APPLIED, message)


def _intent(ticket: str) -> str:
    return ticket.split(":", 1)[1]
