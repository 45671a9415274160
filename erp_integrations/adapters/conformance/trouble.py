"""Cases of the conformance kit in which the ERP or the network fails."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import pytest

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Command,
    Delivery,
    Effect,
    ErrorClass,
    Outcome,
)
from erp_integrations.adapters.conformance.harness import CannotShow, Harness
from erp_integrations.adapters.conformance.require import require, require_error
from erp_integrations.adapters.conformance.stalls import GIVEN, STALLS, Stall, endless_tls
from erp_integrations.adapters.conformance.steps import (
    described,
    effect,
    found,
    only_row,
    require_applied,
    require_honest,
    require_refused,
)

# Seconds by which a waiting time may differ that the ERP gives as a point in time.
CLOCK_TOLERANCE = 1.0


class Trouble:
    """Cases with failures. An outcome may be uncertain, but it must never be wrong."""

    def test_answer_lost_after_applying_is_uncertain_and_then_found(self, erp: Harness) -> None:
        """A lost answer is uncertain; the record is found, and not created twice by a retry."""
        command = erp.command()
        with erp.losing_answers():
            (outcome,) = erp.deliver(command)
        require(
            effect(outcome) != Effect.NOT_APPLIED,
            f"The ERP applied a create and its answer was lost, which is uncertain; it is told as "
            f"{described(outcome)}.",
            3,
        )
        only_row(erp, command.key)
        if erp.manifest.can_find:
            _require_found_as_sent(erp, command)
        if erp.erp_keeps_keys_unique:
            erp.deliver(command)
            only_row(erp, command.key)

    def test_revoked_credentials_are_told_apart_and_nothing_is_written(self, erp: Harness) -> None:
        """A refused login has its own error class, because it pauses the connection."""
        with erp.refusing_login():
            (outcome,) = erp.deliver(erp.command())
            answers = erp.manifest.delivery != Delivery.POLLED
            problems = erp.adapter().check().problems if answers else ("asks us",)
        require(problems, "The ERP refuses the login, and check() finds no problem.", 2)
        require_refused(outcome, ErrorClass.AUTH_EXPIRED, "A command with a refused login")
        _require_none(erp, "A command with a refused login")
        (again,) = erp.deliver(erp.command())
        require_applied(again, "A command after the login works again")

    def test_throttling_is_told_apart_and_nothing_is_written(self, erp: Harness) -> None:
        """The rate limit has its own error class, with the ERP's Retry-After if there is one."""
        with erp.throttling() as seconds:
            (outcome,) = erp.deliver(erp.command())
        require_refused(outcome, ErrorClass.THROTTLED, "A command over the rate limit")
        wait = outcome.error.retry_after if outcome.error else None
        if seconds is None:
            require(
                wait is None or wait > 0, f"ErpError.retry_after is {wait}; it must be above 0.", 3
            )
        else:
            require(
                wait is not None and abs(wait - seconds) <= CLOCK_TOLERANCE,
                f"The ERP asked to wait {seconds:g} seconds, and ErpError.retry_after is {wait}: "
                "the next call would come too early.",
                3,
            )
        _require_none(erp, "A command over the rate limit")

    def test_garbage_for_an_answer_is_never_taken_for_success(self, erp: Harness) -> None:
        """An answer that is not the ERP's protocol, such as a proxy's page, is an error."""
        with erp.answering_garbage():
            (outcome,) = erp.deliver(erp.command())
        require_honest(erp, erp.command(), outcome)
        require(
            outcome.error is not None
            and outcome.error.cls in (ErrorClass.BUG, ErrorClass.TRANSIENT),
            f"An answer that cannot be read must be told as bug or transient; it is "
            f"{described(outcome)}.",
            3,
        )

    def test_a_question_that_the_erp_fails_at_can_be_asked_again(self, erp: Harness) -> None:
        """A failed reading call is transient and not applied."""
        with erp.failing_at_questions():
            errors = {
                call: require_error(
                    ask, f"The ERP fails at every question, but {call}() does not.", 3
                )
                for call, ask in {
                    "find": lambda: erp.look(erp.command().key),
                    "pull": lambda: erp.adapter().pull(erp.entity),
                }.items()
            }
            (outcome,) = erp.deliver(erp.command())
        for call, error in errors.items():
            require(
                (error.cls, error.effect) == (ErrorClass.TRANSIENT, Effect.NOT_APPLIED),
                f"The ERP's own error (HTTP 500) to {call}() must be transient and not_applied, so "
                f"that it is asked again; it is {error.cls}, {error.effect}.",
                3,
            )
        require_honest(erp, erp.command(), outcome)
        require(
            outcome.error is None or outcome.error.cls == ErrorClass.TRANSIENT,
            f"A create that failed at its first question must be transient; it is "
            f"{described(outcome)}.",
            3,
        )
        record = erp.look(erp.command(2).key)
        require(record is None, f"No such record exists, and find() returns {record!r}.", 2)

    def test_a_write_that_the_erp_fails_at_is_uncertain(self, erp: Harness) -> None:
        """The ERP's own error to a write does not say that nothing was written."""
        with erp.failing_at_writes():
            (outcome,) = erp.deliver(erp.command())
        require(
            effect(outcome) != Effect.NOT_APPLIED,
            f"The ERP failed at a write (HTTP 500), and may have applied it; it is told as "
            f"{described(outcome)}, so the create would be sent again without a lookup.",
            3,
        )
        require_honest(erp, erp.command(), outcome)

    def test_slow_erp_is_given_up_in_time_and_the_answer_is_honest(self, erp: Harness) -> None:
        """A call ends within the manifest's ``call_deadline``; the engine's lease relies on it."""
        with erp.being_slow():
            began = time.monotonic()
            (outcome,) = erp.deliver(erp.command())
            spent = time.monotonic() - began
        most = erp.manifest.call_deadline
        require(spent <= most, f"A call took {spent:.1f} seconds; call_deadline is {most:g}.", 3)
        require_honest(erp, erp.command(), outcome)
        require(
            outcome.error is not None,
            f"The ERP answers after the timeout, and the command is {described(outcome)}.",
            3,
        )

    def test_what_is_applied_after_the_caller_gave_up_was_never_said_to_be_refused(
        self, erp: Harness
    ) -> None:
        """A command applied after the timeout is uncertain, and ``settles_within`` is declared."""
        key = erp.command().key
        with erp.applying_late():
            (outcome,) = erp.deliver(erp.command())
            manifest = erp.manifest
            if manifest.can_find and manifest.delivery in (Delivery.SYNC, Delivery.QUEUED):
                early = erp.look(key)
                require(
                    early is None,
                    f"applying_late() of the harness must apply {key} at settle(), not before.",
                    5,
                )
        require(
            effect(outcome) == Effect.UNCERTAIN,
            f"The ERP applies the command after the timeout; it is told as {described(outcome)}.",
            3,
        )
        require(
            manifest.delivery != Delivery.SYNC or manifest.settles_within > 0,
            "The ERP applies what it was sent in time after the call has ended, so "
            "Manifest.settles_within must be above 0.",
            3,
        )
        only_row(erp, key)
        if manifest.can_find:
            found(erp, key)

    @pytest.mark.parametrize("place", STALLS)
    def test_nothing_leaves_once_the_time_is_over(self, erp: Harness, place: str) -> None:
        """After the deadline nothing is sent; a command that was not sent is not applied.

        Checked for the adapter's first and last network call, which is usually the write.
        """
        port = urlsplit(erp.address()).port or 0
        usual = Stall(port, 0, erp.holdings)
        with STALLS[place](usual):
            (first,) = erp.adapter().submit([erp.command(1)])
        require_applied(first, "A command without a delay")
        require(usual.calls > 0, f"The adapter makes no call to {erp.address()}.", 5)
        for number, call in enumerate(sorted({1, usual.calls}), 2):
            stall = Stall(port, call, erp.holdings)
            with STALLS[place](stall):
                outcome, _spent = in_time(erp, erp.adapter(), erp.command(number))
                stall.end()
            require(stall.struck.is_set(), f"Network call {call} was made once, not again.", 5)
            stored_rows = erp.rows_with_key(erp.command(number).key)
            require(
                erp.holdings() == stall.seen,
                f"{place} took longer than the call had time, and the ERP was written to "
                "afterwards: ask io.deadline.left() before the first byte.",
                3,
            )
            if stored_rows:
                require_honest(erp, erp.command(number), outcome)
            else:
                what = f"A command that was not sent, because {place} took too long,"
                require_refused(outcome, ErrorClass.TRANSIENT, what)

    def test_tls_that_never_ends_is_given_up_in_time_and_nothing_was_applied(
        self, erp: Harness
    ) -> None:
        """A TLS handshake that sends a byte now and then does not extend the deadline."""
        erp.address()
        with endless_tls() as address:
            outcome, spent = in_time(erp, erp.adapter_at(address), erp.command())
        require(spent < GIVEN + 1, f"A call with {GIVEN:g} seconds took {spent:.1f}.", 3)
        require_refused(outcome, ErrorClass.TRANSIENT, "A command whose TLS handshake never ends")

    def test_secrets_are_in_no_log_line_answer_or_message(
        self, erp: Harness, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No secret appears in logs, answers or messages, with and without failures."""
        secrets = erp.secrets()
        with caplog.at_level(logging.DEBUG):
            texts = _all_texts(erp)
        texts += [record.getMessage() for record in caplog.records]
        texts += [str(record.exc_info) for record in caplog.records if record.exc_info]
        require(secrets, "Harness.secrets() is empty; let it say cannot() if there are none.", 5)
        for secret in secrets:
            shown = [text for text in texts if secret in text]
            require(not shown, f"A secret appears in a log line, answer or message: {shown}.", 3)


def _all_texts(erp: Harness) -> list[str]:
    texts = [*_texts_of(erp, erp.command(1)), repr(erp.manifest)]
    for number, trouble in enumerate((erp.refusing_login, erp.answering_garbage), 2):
        try:
            context: AbstractContextManager[None] = trouble()
        except CannotShow:
            continue
        with context:
            texts += _texts_of(erp, erp.command(number))
    return texts


def _texts_of(erp: Harness, command: Command) -> list[str]:
    adapter = erp.adapter()
    texts = [repr(erp.deliver(command)), repr(adapter.preview(command)), repr(adapter.check())]
    texts.append(repr(adapter))
    try:
        texts.append(repr(erp.look(command.key)))
    except (AdapterError, CannotShow) as error:
        texts.append(f"{error!r} {getattr(error, 'error', '')!r}")
    return texts


def in_time(erp: Harness, adapter: Adapter, command: Command) -> tuple[Outcome, float]:
    """Submit a command with a short deadline; returns its outcome and the seconds it took."""
    began = time.monotonic()
    with erp.in_a_hurry(), adapter.io.deadline.within(GIVEN):
        (outcome,) = adapter.submit([command])
    return outcome, time.monotonic() - began


def _require_none(erp: Harness, what: str) -> None:
    count = len(erp.rows_with_key(erp.command().key))
    require(count == 0, f"{what} must write nothing; the ERP holds the record {count} times.", 3)


def _require_found_as_sent(erp: Harness, command: Command) -> None:
    """A lookup after a lost answer has to recognize the record by its values."""
    record = found(erp, command.key)
    wire = erp.adapter().preview(command)
    written = {field.source: field.value for field in wire.fields if field.source in record.data}
    require(written, "No WireField.source of the preview is a name in Found.data.", 2)
    for name, value in written.items():
        held = record.data[name]
        require(
            str(held or "") == str(value or ""),
            f"{value!r} was sent as {name}, and find() returns {held!r}: a lookup after a lost "
            "answer would take the record for another one.",
            2,
        )
