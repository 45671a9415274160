"""Adapters are foreign code: whatever one raises or answers becomes a value that can be relied on.

What an ERP says ends up in columns of limited length, in JSON and on pages; an answer that cannot
be kept counts as no answer, so that the export protocol finds out by looking what was done.
The connection's secrets are taken out of whatever an adapter says. They are left alone in the ids
and fields of records, which have to be compared as they are.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Ambiguous,
    Choice,
    Command,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Handed,
    Health,
    InboundAsk,
    InboundCall,
    InboundReply,
    LookUp,
    MadeFile,
    Manifest,
    Outcome,
    Page,
    Problem,
    Report,
    Seen,
    Wire,
    WireField,
)
from erpbridge.ui.logs.redaction import MARK, Redactor

logger = logging.getLogger(__name__)

# As long as the columns that keep an ERP's ids, codes and versions.
LONGEST_ID = 200
LONGEST_GROUP = 50
LONGEST_WAIT = 86_400.0
# Characters kept of what an ERP says; its answers are cut shorter where they are stored.
LONGEST_MESSAGE = 2_000
LONGEST_ANSWER = 100_000
PLAIN = "text/plain; charset=utf-8"
WRONG = b"The credentials are wrong."


def plain(text: object, most: int | None = None) -> str:
    """``text`` without what a database cannot store, and no longer than ``most``."""
    clean = str(text).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return clean[:most]


def plain_values(value: Any) -> Any:
    """The same for everything inside a JSON value."""
    if isinstance(value, Mapping):
        return {plain(name): plain_values(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(one) for one in value]
    return value if value is None or isinstance(value, int | float) else plain(value)


class Guarded(Adapter):
    """An adapter that raises nothing but :class:`AdapterError`, and only where that is allowed.

    :param call_deadline: seconds for each call that asks the ERP.
    """

    def __init__(self, adapter: Adapter, call_deadline: float) -> None:
        super().__init__(adapter.config, adapter.secrets, adapter.io)
        self.adapter = adapter
        self.call_deadline = call_deadline
        self._redact = Redactor(adapter.secrets.values())

    def _in_time(self) -> AbstractContextManager[None]:
        return self.io.deadline.within(self.call_deadline)

    def _said(self, text: object, most: int = LONGEST_MESSAGE) -> str:
        return plain(self._redact(plain(text)), most)

    @classmethod
    def manifest(cls, config: Mapping[str, Any]) -> Manifest:
        """Not asked of an instance: see ``connections.manifest_of``."""
        raise NotImplementedError

    def check(self) -> Health:
        """Every failure is a problem of the connection."""
        try:
            with self._in_time():
                health = self.adapter.check()
            facts = {self._said(name): self._said(value) for name, value in health.facts.items()}
            return Health(tuple(self._said(one) for one in health.problems), facts)
        except Exception as error:
            return Health((self._failed("check", error),))

    def choice_kinds(self) -> Sequence[str]:
        """:raises AdapterError: for whatever goes wrong."""
        try:
            return tuple(self.adapter.choice_kinds())
        except Exception as error:
            raise self._error("choice_kinds", error) from error

    def choices(self, kind: str) -> Sequence[Choice]:
        """:raises AdapterError: for whatever goes wrong."""
        try:
            with self._in_time():
                found = self.adapter.choices(kind)
            return tuple(
                Choice(plain(one.code), self._said(one.label), plain(one.group, LONGEST_GROUP))
                for one in found
            )
        except Exception as error:
            raise self._error("choices", error) from error

    def validate(self, command: Command) -> Sequence[Problem]:
        """A failing check blocks: nobody knows whether the ERP would take the record."""
        try:
            found = self.adapter.validate(command)
            return tuple(replace(one, message=self._said(one.message)) for one in found)
        except Exception as error:
            return (Problem("connection", "adapter", self._failed("validate", error)),)

    def preview(self, command: Command) -> Wire:
        """Says so in the text where nothing can be shown."""
        try:
            wire = self.adapter.preview(command)
            fields = tuple(self._shown(one) for one in wire.fields)
            return Wire(fields, self._said(wire.text, LONGEST_ANSWER))
        except Exception as error:
            return Wire((), self._failed("preview", error))

    def find(self, entity: str, key: str) -> Found | Ambiguous | None:
        """:raises AdapterError: for whatever goes wrong, an answer without an id included."""
        try:
            with self._in_time():
                found = self.adapter.find(entity, key)
            return _sound(found) if isinstance(found, Found) else found
        except Exception as error:
            raise self._error("find", error) from error

    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """:raises AdapterError: for whatever goes wrong, an answer with another ID included."""
        try:
            with self._in_time():
                found = self.adapter.fetch(entity, erp_id)
            if found is not None and found.erp_id != erp_id:
                raise ValueError(f"it answered with {plain(found.erp_id, 300)}")
            return None if found is None else _sound(found)
        except Exception as error:
            raise self._error("fetch", error) from error

    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """One outcome per command; uncertain where the adapter breaks its contract."""
        try:
            with self._in_time():
                outcomes = list(self.adapter.submit(commands))
            if len(outcomes) == len(commands):
                return [_kept(one, self._said) for one in outcomes]
            problem = f"The adapter failed: {len(outcomes)} outcomes for {len(commands)} commands."
        except Exception as error:
            problem = self._failed("submit", error)
        return [_unknown(problem)] * len(commands)

    def poll(self, handles: Sequence[str]) -> Sequence[Outcome]:
        """One outcome per handle. :raises AdapterError: for whatever goes wrong."""
        try:
            with self._in_time():
                outcomes = list(self.adapter.poll(handles))
            if len(outcomes) == len(handles):
                return [_kept(one, self._said) for one in outcomes]
        except Exception as error:
            raise self._error("poll", error) from error
        problem = f"The adapter failed: {len(outcomes)} outcomes for {len(handles)} handles."
        raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, problem))

    def receive(self, call: InboundCall) -> InboundAsk:
        """Refuses what the adapter cannot cope with."""
        try:
            ask = self.adapter.receive(call)
            reports = tuple(
                Report(one.ticket, _final(one.outcome, self._said)) for one in ask.reports
            )
            seen = tuple(Seen(one.ticket, _known(one.found)) for one in ask.seen)
            if ask.wrong_credentials and ask.refused is None:
                ask = replace(ask, refused=InboundReply(401, PLAIN, WRONG))
            return replace(ask, reports=reports, seen=seen)
        except AdapterError as error:
            body = plain(error.error.message, 300).encode()
            return InboundAsk(refused=InboundReply(400, PLAIN, body))
        except Exception as error:
            body = self._failed("receive", error).encode()
            return InboundAsk(refused=InboundReply(500, PLAIN, body))

    def reply(
        self, ask: InboundAsk, commands: Sequence[Handed], looks: Sequence[LookUp]
    ) -> InboundReply:
        """Where the adapter fails, what was to be handed over counts as lost."""
        try:
            return self.adapter.reply(ask, commands, looks)
        except Exception as error:
            return InboundReply(500, PLAIN, self._failed("reply", error).encode())

    def locked_out(self, call: InboundCall, seconds: float) -> InboundReply:
        """Refuses in any case."""
        try:
            return self.adapter.locked_out(call, seconds)
        except Exception as error:
            body = self._failed("locked_out", error).encode()
            return InboundReply(429, PLAIN, body, retry_after=seconds)

    def render_file(self, commands: Sequence[Command]) -> MadeFile:
        """:raises AdapterError: for whatever goes wrong."""
        try:
            return self.adapter.render_file(commands)
        except Exception as error:
            raise self._error("render_file", error) from error

    def read_result(self, content: bytes) -> Mapping[str, Outcome]:
        """:raises AdapterError: for whatever goes wrong."""
        try:
            found = self.adapter.read_result(content)
            return {plain(intent): _final(one, self._said) for intent, one in found.items()}
        except Exception as error:
            raise self._error("read_result", error) from error

    def pull(self, entity: str, cursor: str = "") -> Page:
        """:raises AdapterError: for whatever goes wrong, a record without an id included."""
        try:
            with self._in_time():
                page = self.adapter.pull(entity, cursor)
            return Page(tuple(_sound(one) for one in page.records), page.cursor)
        except Exception as error:
            raise self._error("pull", error) from error

    def _error(self, call: str, error: Exception) -> AdapterError:
        if isinstance(error, AdapterError):
            return AdapterError(_plain_error(error.error, self._said))
        # Out of time, or a network error that the adapter let through: it may work later.
        passing = isinstance(error, SoftTimeLimitExceeded | OSError)
        cls = ErrorClass.TRANSIENT if passing else ErrorClass.BUG
        return AdapterError(ErpError(cls, Effect.NOT_APPLIED, self._failed(call, error)))

    def _shown(self, field: WireField) -> WireField:
        """A field that does not come from the record and holds nothing but a secret."""
        secret = not field.source and field.value in set(self.adapter.secrets.values())
        return replace(field, value=MARK) if secret else field

    def _failed(self, call: str, error: Exception) -> str:
        name = type(self.adapter).__name__
        logger.error("adapter %s failed in %s", name, call, exc_info=error)
        return f"The adapter failed: {type(error).__name__} in {name}.{call}."


def _sound(found: Found) -> Found:
    """:raises AdapterError: where the ids cannot be kept."""
    ids = (found.erp_id, found.erp_code, found.erp_version)
    if not _can_be_kept(*ids):
        message = f"The ERP answered with an ID that cannot be kept: {plain(ids, 300)}"
        raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, message))
    return replace(found, data=plain_values(found.data))


def _can_be_kept(erp_id: object, *others: object) -> bool:
    texts = (erp_id, *others)
    return bool(erp_id) and all(
        isinstance(one, str) and len(one) <= LONGEST_ID and one == plain(one) for one in texts
    )


def _known(found: Found | Ambiguous | None) -> Found | Ambiguous | None:
    """:raises AdapterError: where the ids cannot be kept."""
    return _sound(found) if isinstance(found, Found) else found


def _final(outcome: object, said: Callable[..., str]) -> Outcome:
    """An outcome that is none to wait for."""
    kept = _kept(outcome, said)
    return _unknown("The ERP said neither yes nor no.") if kept.handle else kept


def _unknown(problem: str) -> Outcome:
    return Outcome(error=ErpError(ErrorClass.BUG, Effect.UNCERTAIN, problem))


def _kept(outcome: object, said: Callable[..., str]) -> Outcome:
    if not isinstance(outcome, Outcome):
        return _unknown("The adapter answered with something that is not an outcome.")
    answer = said(outcome.answer, LONGEST_ANSWER)
    if outcome.error is not None:
        error = _plain_error(outcome.error, said)
        return replace(outcome, error=error, answer=answer, handle="")
    if _can_be_kept(outcome.handle):
        wait = _wait(outcome.check_after)
        return Outcome(handle=outcome.handle, check_after=wait or 0.0, answer=answer)
    if not _can_be_kept(outcome.erp_id, outcome.erp_code, outcome.erp_version):
        ids = said((outcome.erp_id, outcome.erp_code, outcome.erp_version), 300)
        return _unknown(f"The ERP answered with an ID that cannot be kept: {ids}")
    return replace(outcome, answer=answer, handle="")


def _wait(seconds: float | None) -> float | None:
    """How long to wait, as far as it says anything; a day at most."""
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _plain_error(error: ErpError, said: Callable[..., str]) -> ErpError:
    return replace(
        error,
        message=said(error.message),
        field=plain(error.field, 100),
        erp_code=said(error.erp_code),
        advice=said(error.advice),
        retry_after=_wait(error.retry_after),
    )
