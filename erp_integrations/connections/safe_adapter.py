"""Wrapper around an adapter: adapters are third-party code, so every answer is checked.

Exceptions become :class:`AdapterError` or an uncertain outcome. Texts are cut to what the database
columns hold; an ID that cannot be stored makes the outcome uncertain, so that it is looked up.
The connection's secrets are removed from all messages, but not from IDs and fields of records,
which are compared as they are.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

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
from erpbridge.db.busy import in_transaction
from erpbridge.ui.logs.redaction import MARK, Redactor

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger(__name__)

# Length of the columns for ids, codes and versions of the ERP.
LONGEST_ID = 200
LONGEST_GROUP = 50
LONGEST_WAIT = 86_400.0
# Characters kept of a message and of an answer; the engine stores less of an answer.
LONGEST_MESSAGE = 2_000
LONGEST_ANSWER = 100_000
PLAIN = "text/plain; charset=utf-8"
WRONG = b"The credentials are wrong."


def plain(text: object, most: int | None = None) -> str:
    """``text`` without characters that a database cannot store, cut to ``most`` characters."""
    # PostgreSQL cannot store NUL, and lone surrogates cannot be encoded.
    clean = str(text).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return clean[:most]


def plain_values(value: object) -> Any:
    """Apply :func:`plain` to all strings of a JSON value."""
    if isinstance(value, Mapping):
        return {plain(name): plain_values(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    return value if value is None or isinstance(value, int | float) else plain(value)


class CallNotAllowed(Exception):
    """A programming error: the ERP is called where nobody may wait for it."""


def _calls_erp(
    method: Callable[Concatenate[Guarded, P], T],
) -> Callable[Concatenate[Guarded, P], T]:
    """Mark a method of ``base.CALLS_ERP``: it has a deadline, and is refused in a transaction."""

    @wraps(method)
    def call(self: Guarded, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Before the method, which turns every exception into an answer of the adapter.
        _require_no_transaction(method.__name__)
        with self.io.deadline.within(self.call_deadline):
            return method(self, *args, **kwargs)

    return call


def _require_no_transaction(method: str) -> None:
    """:raises CallNotAllowed: inside a database transaction, whose locks would wait for the ERP."""
    if in_transaction():
        raise CallNotAllowed(
            f"Adapter.{method} calls the ERP, and must not run inside a database transaction. "
            "Call it before the transaction begins, and store its answer in one."
        )


class Guarded(Adapter):
    """Wraps an adapter; raises only :class:`AdapterError`, and only where the contract allows it.

    :param call_deadline: seconds for each call to the ERP.
    """

    def __init__(self, adapter: Adapter, call_deadline: float) -> None:
        super().__init__(adapter.config, adapter.secrets, adapter.io)
        self.adapter = adapter
        self.call_deadline = call_deadline
        self._redact = Redactor(adapter.secrets.values())

    def _clean(self, text: object, most: int = LONGEST_MESSAGE) -> str:
        return plain(self._redact(plain(text)), most)

    @classmethod
    def manifest(cls, config: Mapping[str, object]) -> Manifest:
        """Not used on the wrapper: see ``adapter_loading.manifest_of``."""
        raise NotImplementedError

    @_calls_erp
    def check(self) -> Health:
        """Run the connection test; an exception becomes a problem of the result."""
        try:
            health = self.adapter.check()
            facts = {self._clean(name): self._clean(value) for name, value in health.facts.items()}
            return Health(tuple(self._clean(problem) for problem in health.problems), facts)
        except Exception as error:
            return Health((self._failed("check", error),))

    def choice_kinds(self) -> Sequence[str]:
        """:raises AdapterError: for any failure."""
        try:
            return tuple(self.adapter.choice_kinds())
        except Exception as error:
            raise self._error("choice_kinds", error) from error

    @_calls_erp
    def choices(self, kind: str) -> Sequence[Choice]:
        """:raises AdapterError: for any failure."""
        try:
            choices = self.adapter.choices(kind)
            return tuple(
                Choice(
                    plain(choice.code),
                    self._clean(choice.label),
                    plain(choice.group, LONGEST_GROUP),
                )
                for choice in choices
            )
        except Exception as error:
            raise self._error("choices", error) from error

    def validate(self, command: Command) -> Sequence[Problem]:
        """Validate a command; an exception becomes a problem, so that the record is not sent."""
        try:
            problems = self.adapter.validate(command)
            return tuple(
                replace(problem, message=self._clean(problem.message)) for problem in problems
            )
        except Exception as error:
            return (Problem("connection", "adapter", self._failed("validate", error)),)

    def preview(self, command: Command) -> Wire:
        """Preview a command; an exception becomes the text of the preview."""
        try:
            wire = self.adapter.preview(command)
            fields = tuple(self._without_secret(field) for field in wire.fields)
            return Wire(fields, self._clean(wire.text, LONGEST_ANSWER))
        except Exception as error:
            return Wire((), self._failed("preview", error))

    @_calls_erp
    def find(self, entity: str, key: str) -> Found | Ambiguous | None:
        """:raises AdapterError: for any failure, including an answer without an ID."""
        try:
            result = self.adapter.find(entity, key)
            return _checked_or_ambiguous(result)
        except Exception as error:
            raise self._error("find", error) from error

    @_calls_erp
    def find_many(self, entity: str, keys: Sequence[str]) -> Sequence[Found | Ambiguous | None]:
        """:raises AdapterError: for any failure, including a wrong number of results."""
        try:
            results = list(self.adapter.find_many(entity, keys))
            if len(results) == len(keys):
                return [_checked_or_ambiguous(result) for result in results]
        except Exception as error:
            raise self._error("find_many", error) from error
        problem = _miscounted(results, len(keys), "keys", "results")
        raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, problem))

    @_calls_erp
    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """:raises AdapterError: for any failure, including an answer with another ID."""
        try:
            record = self.adapter.fetch(entity, erp_id)
            if record is not None and record.erp_id != erp_id:
                raise ValueError(f"it answered with {plain(record.erp_id, 300)}")
            return None if record is None else _checked(record)
        except Exception as error:
            raise self._error("fetch", error) from error

    @_calls_erp
    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Submit commands; all outcomes are uncertain if the adapter breaks its contract."""
        try:
            outcomes = list(self.adapter.submit(commands))
            if len(outcomes) == len(commands):
                return [_checked_outcome(outcome, self._clean) for outcome in outcomes]
            # Which outcome belongs to which command is not known then, so none is believed.
            problem = _miscounted(outcomes, len(commands), "commands")
        except Exception as error:
            problem = self._failed("submit", error)
        return [_unknown(problem)] * len(commands)

    @_calls_erp
    def poll(self, handles: Sequence[str]) -> Sequence[Outcome]:
        """:raises AdapterError: for any failure, including a wrong number of outcomes."""
        try:
            outcomes = list(self.adapter.poll(handles))
            if len(outcomes) == len(handles):
                return [_checked_outcome(outcome, self._clean) for outcome in outcomes]
        except Exception as error:
            raise self._error("poll", error) from error
        problem = _miscounted(outcomes, len(handles), "handles")
        raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, problem))

    def receive(self, call: InboundCall) -> InboundAsk:
        """Read a call of a polling ERP; refuse it if the adapter fails."""
        try:
            ask = self.adapter.receive(call)
            reports = tuple(
                Report(report.ticket, _final(report.outcome, self._clean)) for report in ask.reports
            )
            seen = tuple(
                Seen(result.ticket, _checked_or_ambiguous(result.found)) for result in ask.seen
            )
            # Refused even if the adapter forgets to.
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
        """Reply to a polling ERP; if the adapter fails, the leases of the commands expire."""
        try:
            return self.adapter.reply(ask, commands, looks)
        except Exception as error:
            return InboundReply(500, PLAIN, self._failed("reply", error).encode())

    def locked_out(self, call: InboundCall, seconds: float) -> InboundReply:
        """Refuse a call during a lockout, with status 429 if the adapter fails."""
        try:
            return self.adapter.locked_out(call, seconds)
        except Exception as error:
            body = self._failed("locked_out", error).encode()
            return InboundReply(429, PLAIN, body, retry_after=seconds)

    def render_file(self, commands: Sequence[Command]) -> MadeFile:
        """:raises AdapterError: for any failure."""
        try:
            return self.adapter.render_file(commands)
        except Exception as error:
            raise self._error("render_file", error) from error

    def read_result(self, content: bytes) -> Mapping[str, Outcome]:
        """:raises AdapterError: for any failure."""
        try:
            outcomes = self.adapter.read_result(content)
            return {
                plain(intent): _final(outcome, self._clean) for intent, outcome in outcomes.items()
            }
        except Exception as error:
            raise self._error("read_result", error) from error

    @_calls_erp
    def pull(self, entity: str, cursor: str = "", since: str = "") -> Page:
        """:raises AdapterError: for any failure, including a record without an ID."""
        try:
            page = self.adapter.pull(entity, cursor, since)
            records = tuple(_checked(record) for record in page.records)
            for erp_id in page.deleted:
                _require_kept(erp_id)
            return Page(records, page.cursor, plain(page.point), tuple(page.deleted))
        except Exception as error:
            raise self._error("pull", error) from error

    def _error(self, call: str, error: Exception) -> AdapterError:
        if isinstance(error, AdapterError):
            return AdapterError(_plain_error(error.error, self._clean))
        # A time limit or a network error that the adapter did not catch: worth a retry.
        transient = isinstance(error, SoftTimeLimitExceeded | OSError)
        cls = ErrorClass.TRANSIENT if transient else ErrorClass.BUG
        return AdapterError(ErpError(cls, Effect.NOT_APPLIED, self._failed(call, error)))

    def _without_secret(self, field: WireField) -> WireField:
        """Mask a field that is a secret and does not come from the record."""
        secret = not field.source and field.value in set(self.adapter.secrets.values())
        return replace(field, value=MARK) if secret else field

    def _failed(self, call: str, error: Exception) -> str:
        # The message has only the type: the text of an exception may contain anything. The log has
        # the traceback.
        name = type(self.adapter).__name__
        logger.error("adapter %s failed in %s", name, call, exc_info=error)
        return f"The adapter failed: {type(error).__name__} in {name}.{call}."


def _checked(record: Found) -> Found:
    """:raises AdapterError: if its ids cannot be stored."""
    _require_kept(record.erp_id, record.erp_code, record.erp_version)
    return replace(record, data=plain_values(record.data))


def _require_kept(*ids: object) -> None:
    """:raises AdapterError: if the ids cannot be stored."""
    if not _can_be_kept(*ids):
        message = f"The ERP answered with an ID that cannot be stored: {plain(ids, 300)}"
        raise AdapterError(ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, message))


def _can_be_kept(erp_id: object, *others: object) -> bool:
    texts = (erp_id, *others)
    return bool(erp_id) and all(
        isinstance(text, str) and len(text) <= LONGEST_ID and text == plain(text) for text in texts
    )


def _checked_or_ambiguous(record: Found | Ambiguous | None) -> Found | Ambiguous | None:
    """:raises AdapterError: if the ids cannot be stored."""
    return _checked(record) if isinstance(record, Found) else record


def _final(outcome: object, clean: Callable[..., str]) -> Outcome:
    """A checked outcome; uncertain if it is still pending, which is not allowed here."""
    checked = _checked_outcome(outcome, clean)
    return (
        _unknown("The ERP neither accepted nor refused the record.") if checked.handle else checked
    )


def _miscounted(
    answers: Sequence[object], expected: int, noun: str, answer_noun: str = "outcomes"
) -> str:
    return f"The adapter failed: it returned {len(answers)} {answer_noun} for {expected} {noun}."


def _unknown(problem: str) -> Outcome:
    return Outcome(error=ErpError(ErrorClass.BUG, Effect.UNCERTAIN, problem))


def _checked_outcome(outcome: object, clean: Callable[..., str]) -> Outcome:
    if not isinstance(outcome, Outcome):
        return _unknown("The adapter failed: it returned something other than an outcome.")
    answer = clean(outcome.answer, LONGEST_ANSWER)
    if outcome.error is not None:
        error = _plain_error(outcome.error, clean)
        return replace(outcome, error=error, answer=answer, handle="")
    # Pending: other values of the outcome, such as an ERP ID, do not count.
    if _can_be_kept(outcome.handle):
        wait = _wait(outcome.check_after)
        return Outcome(handle=outcome.handle, check_after=wait or 0.0, answer=answer)
    if not _can_be_kept(outcome.erp_id, outcome.erp_code, outcome.erp_version):
        ids = clean((outcome.erp_id, outcome.erp_code, outcome.erp_version), 300)
        return _unknown(f"The ERP answered with an ID that cannot be stored: {ids}")
    return replace(outcome, answer=answer, handle="")


def _wait(seconds: float | None) -> float | None:
    """A usable number of seconds, at most a day; None if there is none."""
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _plain_error(error: ErpError, clean: Callable[..., str]) -> ErpError:
    return replace(
        error,
        message=clean(error.message),
        field=plain(error.field, 100),
        erp_code=clean(error.erp_code),
        advice=clean(error.advice),
        retry_after=_wait(error.retry_after),
    )
