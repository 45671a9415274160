"""Deliver commands to the ERP of a test in each kind of delivery: a small engine without state."""

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
from erp_integrations.adapters.conformance.require import failure, require

if TYPE_CHECKING:
    from erp_integrations.adapters.conformance.harness import Harness

# One HTTP call of the ERP's agent.
Transport = Callable[[InboundCall], InboundReply]
MOST_POLLS = 20
TAKEN_BUT_SILENT = "It was submitted, and no outcome was reported."
# Without 401: wrong credentials are reported by ``InboundAsk.wrong_credentials``.
REFUSED = {403: ErrorClass.FORBIDDEN, 429: ErrorClass.THROTTLED}


def deliver(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    """Deliver commands; returns one final outcome each, in order."""
    ways = {Delivery.POLLED: _by_agent, Delivery.FILE: _by_file}
    outcomes = ways.get(harness.manifest.delivery, _by_call)(harness, commands)
    for command, outcome in zip(commands, outcomes, strict=True):
        require_texts(outcome, f"The outcome of {command.key}")
    return outcomes


def look(harness: Harness, key: str) -> Found | Ambiguous | None:
    """Look up a key in the ERP.

    :raises AdapterError: if the call to the ERP fails or does not answer.
    """
    if harness.manifest.delivery != Delivery.POLLED:
        return harness.adapter().find(harness.entity, key)
    desk = Desk(harness, looks=[LookUp("look", harness.entity, key)])
    harness.ask(desk.call)
    if "look" not in desk.seen:
        raise AdapterError(desk.error("It was asked and did not answer.", handed=False))
    return desk.seen["look"]


def require_texts(answer: Outcome | Found, what: str) -> None:
    """Require that ERP ID, code and version are texts: they are stored and compared as such."""
    for name in ("erp_id", "erp_code", "erp_version"):
        value = getattr(answer, name)
        require(isinstance(value, str), f"{what} has {name}={value!r}; it must be a str.", 2)


def _by_call(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    outcomes = list(harness.adapter().submit(commands))
    _require_one_each(len(outcomes), len(commands), "submit")
    for _ in range(MOST_POLLS):
        pending = [index for index, outcome in enumerate(outcomes) if outcome.handle]
        if not pending:
            return outcomes
        harness.settle()
        answers = harness.adapter().poll([outcomes[index].handle for index in pending])
        _require_one_each(len(answers), len(pending), "poll")
        for index, answer in zip(pending, answers, strict=True):
            outcomes[index] = answer
    raise failure(f"After {MOST_POLLS} polls the ERP still has not processed a command.", 4)


def _require_one_each(outcomes: int, asked: int, call: str) -> None:
    require(
        outcomes == asked,
        f"{call}() must return one outcome each, in order; it returned {outcomes} for {asked}.",
        2,
    )


def _by_agent(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    desk = Desk(harness, commands)
    harness.ask(desk.call)
    return [desk.outcome(command) for command in commands]


def _by_file(harness: Harness, commands: Sequence[Command]) -> list[Outcome]:
    file = harness.adapter().render_file(commands)
    result = harness.import_file(file.name, file.content)
    silent = Outcome(error=_unheard(TAKEN_BUT_SILENT))
    if result is None:
        return [silent] * len(commands)
    try:
        outcomes = harness.adapter().read_result(result)
    except AdapterError as error:
        return [Outcome(error=_unheard(str(error)))] * len(commands)
    return [outcomes.get(command.intent, silent) for command in commands]


def _unheard(message: str) -> ErpError:
    return ErpError(ErrorClass.TRANSIENT, Effect.UNCERTAIN, message)


class Desk:
    """Stands in for erpbridge towards a polling ERP: hands each command out once, and stores what
    the ERP reports.
    """

    def __init__(
        self,
        harness: Harness,
        commands: Sequence[Command] = (),
        looks: Sequence[LookUp] = (),
    ) -> None:
        self.harness = harness
        # The index makes tickets unique, because a test may deliver the same command twice.
        self.waiting = [
            Handed(f"{index}:{command.intent}", command, harness.manifest.call_deadline)
            for index, command in enumerate(commands)
        ]
        self.looks = list(looks)
        self.handed: set[str] = set()
        self.reported: dict[str, Outcome] = {}
        self.seen: dict[str, Found | Ambiguous | None] = {}
        self.refusal: ErrorClass | None = None

    def call(self, call: InboundCall) -> InboundReply:
        """Answer one call of the agent, like the engine's ``export/delivery/polled.py``."""
        adapter = self.harness.adapter()
        ask = adapter.receive(call)
        if ask.refused is not None:
            wrong = ErrorClass.AUTH_EXPIRED if ask.wrong_credentials else None
            self.refusal = wrong or REFUSED.get(ask.refused.status)
            return ask.refused
        self.reported |= {report.ticket.split(":", 1)[1]: report.outcome for report in ask.reports}
        self.seen |= {result.ticket: result.found for result in ask.seen}
        looks, self.looks = self.looks[: ask.take], self.looks[ask.take :]
        handed, self.waiting = self.waiting[: ask.take], self.waiting[ask.take :]
        self.handed |= {item.command.intent for item in handed}
        return adapter.reply(ask, handed, looks)

    def outcome(self, command: Command) -> Outcome:
        """The reported outcome of a command, or an error without a report."""
        reported = self.reported.get(command.intent)
        return reported or Outcome(
            error=self.error(TAKEN_BUT_SILENT, handed=command.intent in self.handed)
        )

    def error(self, message: str, *, handed: bool) -> ErpError:
        """The error without a report: uncertain if handed over, else not applied."""
        if handed:
            return _unheard(message)
        return ErpError(self.refusal or ErrorClass.TRANSIENT, Effect.NOT_APPLIED, message)
