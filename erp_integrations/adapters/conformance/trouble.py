"""Cases of the conformance kit in which the ERP or the network fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
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
    Found,
    Outcome,
)
from erp_integrations.adapters.conformance.harness import CannotShow, Harness
from erp_integrations.adapters.conformance.stalls import GIVEN, STALLS, Stall, endless_tls


class Trouble:
    """Cases with failures. An outcome may be uncertain, but it must never be wrong."""

    def test_answer_lost_after_applying_is_uncertain_and_then_found(self, erp: Harness) -> None:
        """A lost answer is uncertain; the record is found, and not created twice by a retry."""
        with erp.losing_answers():
            (outcome,) = erp.deliver(erp.command())
        assert effect(outcome) != Effect.NOT_APPLIED
        assert len(erp.rows_with_key(erp.command().key)) == 1
        if erp.manifest.can_find:
            record = erp.look(erp.command().key)
            assert isinstance(record, Found)
            wire = erp.adapter().preview(erp.command())
            written = {
                field.source: field.value for field in wire.fields if field.source in record.data
            }
            assert written
            assert {name: str(record.data[name] or "") for name in written} == {
                name: str(value or "") for name, value in written.items()
            }
        if erp.erp_keeps_keys_unique:
            erp.deliver(erp.command())
            assert len(erp.rows_with_key(erp.command().key)) == 1

    def test_revoked_credentials_are_told_apart_and_nothing_is_written(self, erp: Harness) -> None:
        """A refused login has its own error class, because it pauses the connection."""
        with erp.refusing_login():
            (outcome,) = erp.deliver(erp.command())
            answers = erp.manifest.delivery != Delivery.POLLED
            problems = erp.adapter().check().problems if answers else ("asks us",)
        assert problems
        assert_refused(outcome, ErrorClass.AUTH_EXPIRED)
        assert erp.rows_with_key(erp.command().key) == []
        assert erp.deliver(erp.command())[0].error is None

    def test_throttling_is_told_apart_and_nothing_is_written(self, erp: Harness) -> None:
        """The rate limit has its own error class, with the ERP's Retry-After if there is one."""
        with erp.throttling():
            (outcome,) = erp.deliver(erp.command())
        assert_refused(outcome, ErrorClass.THROTTLED)
        assert outcome.error is not None
        assert outcome.error.retry_after is None or outcome.error.retry_after > 0
        assert erp.rows_with_key(erp.command().key) == []

    def test_garbage_for_an_answer_is_never_taken_for_success(self, erp: Harness) -> None:
        """An answer that is not the ERP's protocol, such as a proxy's page, is an error."""
        with erp.answering_garbage():
            outcomes = erp.deliver(erp.command())
        assert_honest(erp, erp.command(), outcomes)
        assert outcomes[0].error is not None
        assert outcomes[0].error.cls in (ErrorClass.BUG, ErrorClass.TRANSIENT)

    def test_a_question_that_the_erp_fails_at_can_be_asked_again(self, erp: Harness) -> None:
        """A failed reading call is transient and not applied."""
        with erp.failing_at_questions():
            with pytest.raises(AdapterError) as looking:
                erp.look(erp.command().key)
            with pytest.raises(AdapterError) as pulling:
                erp.adapter().pull(erp.entity)
            (outcome,) = erp.deliver(erp.command())
        for raised in (looking, pulling):
            error = raised.value.error
            assert (error.cls, error.effect) == (ErrorClass.TRANSIENT, Effect.NOT_APPLIED)
        assert_honest(erp, erp.command(), [outcome])
        assert outcome.error is None or outcome.error.cls == ErrorClass.TRANSIENT
        assert erp.look(erp.command(2).key) is None

    def test_slow_erp_is_given_up_in_time_and_the_answer_is_honest(self, erp: Harness) -> None:
        """A call ends within the manifest's ``call_deadline``; the engine's lease relies on it."""
        with erp.being_slow():
            began = time.monotonic()
            outcomes = erp.deliver(erp.command())
            spent = time.monotonic() - began
        assert spent <= erp.manifest.call_deadline
        assert_honest(erp, erp.command(), outcomes)
        assert outcomes[0].error is not None

    def test_what_is_applied_after_the_caller_gave_up_was_never_said_to_be_refused(
        self, erp: Harness
    ) -> None:
        """A command applied after the timeout is uncertain, and ``settles_within`` is declared."""
        with erp.applying_late():
            (outcome,) = erp.deliver(erp.command())
            manifest = erp.manifest
            if manifest.can_find and manifest.delivery in (Delivery.SYNC, Delivery.QUEUED):
                assert erp.look(erp.command().key) is None
        assert effect(outcome) == Effect.UNCERTAIN
        queued = manifest.delivery != Delivery.SYNC
        assert queued or manifest.settles_within > 0
        assert len(erp.rows_with_key(erp.command().key)) == 1
        if erp.manifest.can_find:
            assert isinstance(erp.look(erp.command().key), Found)

    @pytest.mark.parametrize("place", STALLS)
    def test_nothing_leaves_once_the_time_is_over(self, erp: Harness, place: str) -> None:
        """After the deadline nothing is sent; a command that was not sent is not applied.

        Checked for the adapter's first and last network call, which is usually the write.
        """
        port = urlsplit(erp.address()).port or 0
        usual = Stall(port, 0, erp.holdings)
        with STALLS[place](usual):
            (first,) = erp.adapter().submit([erp.command(1)])
        assert (first.error, usual.calls > 0) == (None, True)
        for number, call in enumerate(sorted({1, usual.calls}), 2):
            stall = Stall(port, call, erp.holdings)
            with STALLS[place](stall):
                outcome, _spent = in_time(erp, erp.adapter(), erp.command(number))
                stall.end()
            assert stall.struck.is_set()
            stored = erp.rows_with_key(erp.command(number).key)
            assert erp.holdings() == stall.seen
            if stored:
                assert_honest(erp, erp.command(number), [outcome])
            else:
                assert_refused(outcome, ErrorClass.TRANSIENT)

    def test_tls_that_never_ends_is_given_up_in_time_and_nothing_was_applied(
        self, erp: Harness
    ) -> None:
        """A TLS handshake that sends a byte now and then does not extend the deadline."""
        erp.address()
        with endless_tls() as address:
            outcome, spent = in_time(erp, erp.adapter_at(address), erp.command())
        assert spent < GIVEN + 1
        assert_refused(outcome, ErrorClass.TRANSIENT)

    def test_secrets_are_in_no_log_line_answer_or_message(
        self, erp: Harness, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No secret appears in logs, answers or messages, with and without failures."""
        secrets = erp.secrets()
        with caplog.at_level(logging.DEBUG):
            texts = _all_texts(erp)
        texts += [record.getMessage() for record in caplog.records]
        texts += [str(record.exc_info) for record in caplog.records if record.exc_info]
        assert secrets
        for secret in secrets:
            assert [text for text in texts if secret in text] == []


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


def effect(outcome: Outcome) -> Effect:
    """The effect that an outcome claims."""
    return outcome.error.effect if outcome.error else Effect.APPLIED


def assert_refused(outcome: Outcome, cls: ErrorClass) -> None:
    """Assert an error of this class with the effect "not applied"."""
    assert outcome.error is not None
    assert (outcome.error.cls, outcome.error.effect) == (cls, Effect.NOT_APPLIED)


def assert_honest(erp: Harness, command: Command, outcomes: Sequence[Outcome]) -> None:
    """Assert that the ERP's records agree with the outcome, after pending commands finished."""
    (outcome,) = outcomes
    claim, count = effect(outcome), len(erp.rows_with_key(command.key))
    assert count <= 1
    assert claim != Effect.NOT_APPLIED or count == 0
    assert claim != Effect.APPLIED or count == 1
