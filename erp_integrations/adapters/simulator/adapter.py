"""The simulator's adapter: converts between the adapter contract and the ledger's messages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from erp_integrations.adapters import tax_ids
from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Choice,
    Command,
    Delivery,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Handed,
    Health,
    InboundAsk,
    InboundCall,
    InboundReply,
    Io,
    LookUp,
    MadeFile,
    Manifest,
    Operation,
    Outcome,
    Page,
    Problem,
    Wire,
    WireField,
)
from erp_integrations.adapters.simulator import files, polling
from erp_integrations.adapters.simulator.entries import Record
from erp_integrations.adapters.simulator.faults import (
    ERRORS,
    LATE_SECONDS,
    NO_ANSWER,
    Fault,
    error_of,
    strike,
)
from erp_integrations.adapters.simulator.ledger import (
    BUSY_SECONDS,
    Ledger,
    LedgerDown,
)
from erp_integrations.adapters.simulator.manifest import GL_ACCOUNT, MANIFEST, PASSWORD, manifest_of
from erp_integrations.adapters.simulator.messages import (
    OWN_WORDS,
    SOURCES,
    applied,
    found_record,
    impossible,
    message_of,
    not_set_up,
    refusal,
    unsupported,
    written,
)
from erp_integrations.adapters.simulator.options import read_options
from erp_integrations.adapters.simulator.tables import (
    COST_CODE,
    EXPENSE,
    INCOME,
    LISTS,
    TABLES,
    VENDOR,
    Refused,
    row_number,
)

PAGE_SIZE = 100
CALLS_US = "This simulator cannot be called: it calls erpbridge itself."
# Seconds after which no command is begun, because a busy ledger could exceed the call's deadline.
TIME_TO_START = MANIFEST.call_deadline - BUSY_SECONDS - 1


class SimulatorAdapter(Adapter):
    """Adapter of the simulator, a ledger for demos and tests."""

    api_version = 2

    def __init__(self, config: Mapping[str, object], secrets: Mapping[str, str], io: Io) -> None:
        super().__init__(config, secrets, io)
        self.options = read_options(config)
        self.ledger = Ledger(io.folder, self.options.ledger)
        self.password = str(secrets.get(PASSWORD) or "")
        self._reachable = self.options.delivery in (Delivery.SYNC, Delivery.QUEUED)

    @classmethod
    def manifest(cls, config: Mapping[str, object]) -> Manifest:
        """The manifest; it depends on delivery, fault, code format and owner of the cost codes."""
        return manifest_of(config)

    def check(self) -> Health:
        """Check that the settings are valid and the ledger can be written to."""
        problems = list(self.options.problems)
        if self.options.delivery is Delivery.POLLED and not self.password:
            problems.append("Password: enter one. The ledger's agent logs in with it.")
        if problems or not self._reachable:
            return Health(tuple(problems), {"Ledger": self.options.ledger})
        try:
            with self._reached() as ledger:
                # An empty transaction is enough to see that the file can be written to.
                with ledger.transaction():
                    pass
                facts = {
                    "Ledger": self.options.ledger,
                    "Vendors": str(ledger.count(VENDOR)),
                    "Cost codes": str(ledger.count(COST_CODE)),
                }
        except AdapterError as error:
            return Health((f"{error} Check the server that holds the ledger, then test again.",))
        if self.options.plan.kind is not Fault.NONE:
            facts["Switched-on fault"] = self.options.plan.kind.value
        return Health(facts=facts)

    def choice_kinds(self) -> Sequence[str]:
        """Vendor types and GL accounts."""
        return tuple(LISTS)

    def choices(self, kind: str) -> Sequence[Choice]:
        """One of the ledger's lists.

        :raises AdapterError: for an unknown list, or if the ledger cannot be reached.
        """
        if kind not in LISTS:
            raise AdapterError(unsupported(f"The simulator has no list called “{kind}”."))
        if not self._reachable:
            # There is nothing to call, and the lists are the same in every ledger.
            return _offered(kind, LISTS[kind])
        with self._reached() as ledger:
            return _offered(kind, ledger.choices(kind))

    def validate(self, command: Command) -> Sequence[Problem]:
        """Check the tax ID, which must be an EIN."""
        if command.entity != VENDOR or command.operation is Operation.DEACTIVATE:
            return ()
        return tax_ids.problems(command.payload, erp=MANIFEST.label)

    def preview(self, command: Command) -> Wire:
        """The message that :meth:`submit` sends to the ledger."""
        message = message_of(command)
        values = message[command.entity]
        fields = tuple(
            WireField(name, value, "" if name == OWN_WORDS else SOURCES[name])
            for name, value in values.items()
        )
        return Wire(fields, written(message))

    def find(self, entity: str, key: str) -> Found | None:
        """The record with this key, ignoring case; keys are unique in the ledger.

        :raises AdapterError: if the ledger cannot be reached.
        """
        return self.find_many(entity, [key])[0]

    def find_many(self, entity: str, keys: Sequence[str]) -> Sequence[Found | None]:
        """The records with these keys, in one call.

        :raises AdapterError: if the ledger cannot be reached.
        """
        _require_kept(entity)
        with self._reached() as ledger:
            records = ledger.records(entity, [key.strip() for key in keys])
        return [None if record is None else _as_found(record) for record in records]

    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """The record with this number.

        :raises AdapterError: if the ledger cannot be reached.
        """
        _require_kept(entity)
        # Larger numbers do not fit into an integer of SQLite.
        if not (erp_id.isascii() and erp_id.isdecimal() and 0 < int(erp_id[:19]) < 2**63):
            return None
        with self._reached() as ledger:
            records = ledger.page(entity, int(erp_id) - 1, 1)
        return next((_as_found(record) for record in records if str(record.id) == erp_id), None)

    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Post the commands one by one; if the ledger cannot be used, the rest is not sent."""
        if not self._reachable:
            error = unsupported(CALLS_US)
            return [Outcome(error=error)] * len(commands)
        started = self.io.clock()
        self._travel()
        outcomes: list[Outcome] = []
        try:
            with self._named_ledger().kept_open():
                hits = strike(self.ledger, self.options.plan, commands)
                for place, command in enumerate(commands):
                    if self.io.clock() - started > TIME_TO_START:
                        raise LedgerDown("The simulator is too slow; this record was not sent.")
                    outcomes.append(self._carry_out(command, hits.on(place)))
        except AdapterError as problem:
            return [Outcome(error=problem.error)] * len(commands)
        except LedgerDown as down:
            outcomes.append(Outcome(error=_down(down)))
            # If a commit failed, only its own command is uncertain: the rest was not begun.
            unsent = Outcome(error=_down(LedgerDown(str(down))))
            outcomes += [unsent] * (len(commands) - len(outcomes))
        # The ledger may also fail after the last command, when its connection is closed.
        return outcomes[: len(commands)]

    def poll(self, handles: Sequence[str]) -> Sequence[Outcome]:
        """The outcomes of messages in the ledger's queue.

        :raises AdapterError: if the ledger cannot be reached.
        """
        with self._reached() as ledger:
            return [self._result(ledger, handle) for handle in handles]

    def receive(self, call: InboundCall) -> InboundAsk:
        """Read a call of the ledger's agent."""
        return polling.receive(call, self.password)

    def reply(
        self, ask: InboundAsk, commands: Sequence[Handed], looks: Sequence[LookUp]
    ) -> InboundReply:
        """The reply to the ledger's agent: lookups and commands."""
        return polling.reply(commands, looks)

    def locked_out(self, call: InboundCall, seconds: float) -> InboundReply:
        """The refusal of the ledger's agent after too many wrong passwords."""
        return polling.locked_out(seconds)

    def render_file(self, commands: Sequence[Command]) -> MadeFile:
        """A CSV file for the ledger's importer."""
        return files.render(commands)

    def read_result(self, content: bytes) -> Mapping[str, Outcome]:
        """Read the importer's result file.

        :raises AdapterError: for any other file.
        """
        return files.read_result(content)

    def pull(self, entity: str, cursor: str = "", since: str = "") -> Page:
        """A page of a hundred records, oldest first.

        :raises AdapterError: if the ledger cannot be reached.
        """
        _require_kept(entity)
        last_id, _, point = cursor.partition(" ")
        with self._reached() as ledger:
            # Before the first page is read, so that the next pull tells what changes meanwhile.
            point = point or str(ledger.last_change())
            after = row_number(last_id)
            # One more than a page, to know whether there is a next one.
            if since:
                rows = ledger.changed(entity, row_number(since), after, PAGE_SIZE + 1)
                deleted = ledger.deleted(entity, row_number(since))
            else:
                rows, deleted = ledger.page(entity, after, PAGE_SIZE + 1), []
        records = tuple(_as_found(row) for row in rows[:PAGE_SIZE])
        if len(rows) > PAGE_SIZE:
            return Page(records, f"{records[-1].erp_id} {point}")
        return Page(records, point=point, deleted=tuple(map(str, deleted)))

    def _carry_out(self, command: Command, fault: Fault) -> Outcome:
        if unsupported_outcome := impossible(command):
            return unsupported_outcome
        if error := error_of(fault, command.entity):
            return Outcome(error=error)
        try:
            outcome = self._written(command, late=fault is Fault.LATE)
        except Refused as refused:
            outcome = Outcome(error=refusal(refused))
        silent = fault in (Fault.TIMEOUT_AFTER, Fault.LATE)
        return Outcome(error=NO_ANSWER) if silent else outcome

    def _written(self, command: Command, *, late: bool) -> Outcome:
        """:raises Refused:"""
        text = self.preview(command).text
        if late or self.options.delivery is Delivery.QUEUED:
            wait = LATE_SECONDS if late else self.options.latency
            handle = self.ledger.enqueue(command.intent, text, wait=wait)
            return Outcome(handle=handle, check_after=wait)
        return applied(self.ledger.post(command.intent, text))

    def _result(self, ledger: Ledger, handle: str) -> Outcome:
        try:
            record = ledger.result(handle)
        except Refused as refused:
            return Outcome(error=refusal(refused))
        return applied(record) if record else Outcome(handle=handle, check_after=1.0)

    def _travel(self) -> None:
        # A queue accepts a message at once; the latency comes before it is carried out.
        queued = self.options.delivery is Delivery.QUEUED
        time.sleep(0.0 if queued else self.options.latency)

    def _named_ledger(self) -> Ledger:
        if not self.options.ledger:
            raise AdapterError(not_set_up(self.options.problems[0]))
        return self.ledger

    @contextmanager
    def _reached(self) -> Iterator[Ledger]:
        if not self._reachable:
            raise AdapterError(unsupported(CALLS_US))
        self._travel()
        # After the latency, because a server that refuses a call takes its time too.
        if self.options.plan.shuts_out:
            raise AdapterError(ERRORS[self.options.plan.kind])
        try:
            yield self._named_ledger()
        except LedgerDown as down:
            raise AdapterError(_down(down)) from down


def _down(down: LedgerDown) -> ErpError:
    effect = Effect.UNCERTAIN if down.uncertain else Effect.NOT_APPLIED
    return ErpError(ErrorClass.TRANSIENT, effect, str(down))


def _as_found(record: Record) -> Found:
    return found_record(record.entity, str(record.id), str(record.version), record.values)


def _require_kept(entity: str) -> None:
    if entity not in TABLES:
        raise AdapterError(unsupported(f"The simulator has no record type “{entity}”."))


def _offered(kind: str, labels: Mapping[str, str]) -> tuple[Choice, ...]:
    """Choices of a list; GL accounts that begin with 4 are income accounts, others expense."""
    if kind != GL_ACCOUNT:
        return tuple(Choice(code, label) for code, label in labels.items())
    return tuple(
        Choice(code, label, INCOME if code.startswith("4") else EXPENSE)
        for code, label in labels.items()
    )
