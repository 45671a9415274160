"""What an adapter must show when the ERP, or the way to it, breaks."""

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
    """The part of the kit that breaks things. An outcome may be unsure, but must never be wrong."""

    def test_answer_lost_after_applying_is_uncertain_and_then_found(self, erp: Harness) -> None:
        """Sent again with the same intent, it is not there twice."""
        with erp.losing_answers():
            (outcome,) = erp.deliver(erp.command())
        assert effect(outcome) != Effect.NOT_APPLIED
        assert len(erp.held(erp.command().key)) == 1
        if erp.manifest.can_find:
            found = erp.look(erp.command().key)
            assert isinstance(found, Found)
            wire = erp.adapter().preview(erp.command())
            written = {one.source: one.value for one in wire.fields if one.source in found.data}
            assert written
            assert {name: str(found.data[name] or "") for name in written} == {
                name: str(value or "") for name, value in written.items()
            }
        if erp.erp_keeps_keys_unique:
            erp.deliver(erp.command())
            assert len(erp.held(erp.command().key)) == 1

    def test_revoked_credentials_are_told_apart_and_nothing_is_written(self, erp: Harness) -> None:
        """They pause the connection, so they must not look like a fault of the record."""
        with erp.refusing_login():
            (outcome,) = erp.deliver(erp.command())
            answers = erp.manifest.delivery != Delivery.POLLED
            problems = erp.adapter().check().problems if answers else ("asks us",)
        assert problems
        assert_refused(outcome, ErrorClass.AUTH_EXPIRED)
        assert erp.held(erp.command().key) == []
        assert erp.deliver(erp.command())[0].error is None

    def test_throttling_is_told_apart_and_nothing_is_written(self, erp: Harness) -> None:
        """With the ERP's own waiting time, where it gives one."""
        with erp.throttling():
            (outcome,) = erp.deliver(erp.command())
        assert_refused(outcome, ErrorClass.THROTTLED)
        assert outcome.error is not None
        assert outcome.error.retry_after is None or outcome.error.retry_after > 0
        assert erp.held(erp.command().key) == []

    def test_garbage_for_an_answer_is_never_taken_for_success(self, erp: Harness) -> None:
        """A page of a proxy instead of the ERP's language."""
        with erp.answering_garbage():
            outcomes = erp.deliver(erp.command())
        assert_honest(erp, erp.command(), outcomes)
        assert outcomes[0].error is not None
        assert outcomes[0].error.cls in (ErrorClass.BUG, ErrorClass.TRANSIENT)

    def test_a_question_that_the_erp_fails_at_can_be_asked_again(self, erp: Harness) -> None:
        """It changed nothing, so it says nothing against a record."""
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
        """The engine's lease is longer than the manifest's deadline by a margin, no more."""
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
        """Later than the first look: so a manifest that is silent on how late would be a lie."""
        with erp.applying_late():
            (outcome,) = erp.deliver(erp.command())
            manifest = erp.manifest
            if manifest.can_find and manifest.delivery in (Delivery.SYNC, Delivery.QUEUED):
                assert erp.look(erp.command().key) is None
        assert effect(outcome) == Effect.UNCERTAIN
        queued = manifest.delivery != Delivery.SYNC
        assert queued or manifest.settles_within > 0
        assert len(erp.held(erp.command().key)) == 1
        if erp.manifest.can_find:
            assert isinstance(erp.look(erp.command().key), Found)

    @pytest.mark.parametrize("place", STALLS)
    def test_nothing_leaves_once_the_time_is_over(self, erp: Harness, place: str) -> None:
        """Whatever ate it, and whichever call of the adapter: the first, and the last, a create's
        write as a rule. What had not left is said to be not applied.
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
            held = erp.held(erp.command(number).key)
            assert erp.holdings() == stall.seen
            if held:
                assert_honest(erp, erp.command(number), [outcome])
            else:
                assert_refused(outcome, ErrorClass.TRANSIENT)

    def test_tls_that_never_ends_is_given_up_in_time_and_nothing_was_applied(
        self, erp: Harness
    ) -> None:
        """A byte now and then is no reason to wait longer."""
        erp.address()
        with endless_tls() as address:
            outcome, spent = in_time(erp, erp.adapter_at(address), erp.command())
        assert spent < GIVEN + 1
        assert_refused(outcome, ErrorClass.TRANSIENT)

    def test_secrets_are_in_no_log_line_answer_or_message(
        self, erp: Harness, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither while it works nor while the login is refused or the ERP answers garbage."""
        secrets = erp.secrets()
        with caplog.at_level(logging.DEBUG):
            said = _everything_said(erp)
        said += [record.getMessage() for record in caplog.records]
        said += [str(record.exc_info) for record in caplog.records if record.exc_info]
        assert secrets
        for secret in secrets:
            assert [one for one in said if secret in one] == []


def _everything_said(erp: Harness) -> list[str]:
    said = [*_say(erp, erp.command(1)), repr(erp.manifest)]
    for number, trouble in enumerate((erp.refusing_login, erp.answering_garbage), 2):
        try:
            context: AbstractContextManager[None] = trouble()
        except CannotShow:
            continue
        with context:
            said += _say(erp, erp.command(number))
    return said


def _say(erp: Harness, command: Command) -> list[str]:
    adapter = erp.adapter()
    said = [repr(erp.deliver(command)), repr(adapter.preview(command)), repr(adapter.check())]
    said.append(repr(adapter))
    try:
        said.append(repr(erp.look(command.key)))
    except (AdapterError, CannotShow) as error:
        said.append(f"{error!r} {getattr(error, 'error', '')!r}")
    return said


def in_time(erp: Harness, adapter: Adapter, command: Command) -> tuple[Outcome, float]:
    """What becomes of a command that has little time, and the seconds that it took."""
    began = time.monotonic()
    with erp.in_a_hurry(), adapter.io.deadline.within(GIVEN):
        (outcome,) = adapter.submit([command])
    return outcome, time.monotonic() - began


def effect(outcome: Outcome) -> Effect:
    """What an outcome says was done."""
    return outcome.error.effect if outcome.error else Effect.APPLIED


def assert_refused(outcome: Outcome, cls: ErrorClass) -> None:
    """An error of this class that wrote nothing."""
    assert outcome.error is not None
    assert (outcome.error.cls, outcome.error.effect) == (cls, Effect.NOT_APPLIED)


def assert_honest(erp: Harness, command: Command, outcomes: Sequence[Outcome]) -> None:
    """What an outcome claims is so, once the ERP has finished what it was given."""
    (outcome,) = outcomes
    claim, held = effect(outcome), len(erp.held(command.key))
    assert held <= 1
    assert claim != Effect.NOT_APPLIED or held == 0
    assert claim != Effect.APPLIED or held == 1
