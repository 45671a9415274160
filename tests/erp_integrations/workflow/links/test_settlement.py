"""What each answer of an ERP leaves in the item, its try and its connection, column by column."""

from __future__ import annotations

from typing import Any

import pytest

from erp_integrations.adapters.base import Effect, ErpError, ErrorClass, Outcome
from erp_integrations.clock import now
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import backoff, settle
from erp_integrations.models import Attempt, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.clock.measured import STEP
from tests.erp_integrations import steps

ANY, NEVER = "any", None
# Values of an earlier try or an earlier handover.
OLD = {
    "looks": 3,
    "attempts": 2,
    "error_class": "old",
    "error_field": "old",
    "error_text": "old",
    "error_advice": "old",
}
NO_ERROR = ("", "", "", "")


def error(
    cls: ErrorClass, effect: Effect = Effect.NOT_APPLIED, retry_after: float | None = None
) -> Outcome:
    said = ErpError(cls, effect, "No.", "name", "E1", "Ask Pat.", retry_after)
    return Outcome(error=said, answer="<no/>")


def said(cls: ErrorClass) -> tuple[str, str, str, str]:
    return (cls, "name", "No.", "Ask Pat.")


E, S = ErrorClass, State
APPLIED = Outcome(erp_id="7", erp_code="QUARRY01", erp_version="v1", answer="<ok/>")
TAKEN = Outcome(handle="H-1", check_after=30.0, answer="<taken/>")
UNKNOWN = error(E.TRANSIENT, Effect.UNCERTAIN)
# Answer -> state, tries that count, looks, error, seconds until the next try (by ``pacing``: "back
# off") and until the next look, whether it is settled, and what became of the try.
ANSWERS: dict[str, tuple[Outcome, tuple[Any, ...]]] = {
    "applied": (APPLIED, (S.SYNCED, 3, 3, NO_ERROR, NEVER, NEVER, True, "applied")),
    "taken": (TAKEN, (S.SUBMITTED, 3, 0, NO_ERROR, NEVER, 30.0, False, "open")),
    "unknown": (
        UNKNOWN,
        (S.UNCERTAIN, 3, 0, said(E.TRANSIENT), NEVER, "settles", False, "uncertain"),
    ),
    "refused": (
        error(E.INVALID),
        (S.FAILED, 3, 3, said(E.INVALID), NEVER, NEVER, True, "not_applied"),
    ),
    "applied, and yet an error": (
        error(E.BUG, Effect.APPLIED),
        (S.UNCERTAIN, 3, 0, said(E.BUG), NEVER, "settles", False, "applied"),
    ),
    "down": (
        error(E.TRANSIENT),
        (S.QUEUED, 3, 3, said(E.TRANSIENT), "back off", NEVER, False, "not_applied"),
    ),
    "login refused": (
        error(E.AUTH_EXPIRED),
        (S.QUEUED, 3, 3, said(E.AUTH_EXPIRED), "back off", NEVER, False, "not_applied"),
    ),
    "busy": (
        error(E.THROTTLED, retry_after=40.0),
        (S.QUEUED, 2, 3, said(E.THROTTLED), 40.0 + STEP, NEVER, False, "not_applied"),
    ),
    "busy, nobody knows how long": (
        error(E.THROTTLED),
        (S.QUEUED, 2, 3, said(E.THROTTLED), "back off", NEVER, False, "not_applied"),
    ),
    "busy, and asks to come back": (
        error(E.TRANSIENT, retry_after=40.0),
        (S.QUEUED, 3, 3, said(E.TRANSIENT), 40.0 + STEP, NEVER, False, "not_applied"),
    ),
}


@pytest.fixture(autouse=True)
def _no_chance(monkeypatch):
    monkeypatch.setattr(backoff.random, "random", lambda: 1.0)


@pytest.fixture
def claims(connection, accepted_item) -> list[Claim]:
    Item.objects.update(**OLD)
    return steps.claim(connection, manifest_of(connection))


def wait(value: Any, began: Any) -> float | None:
    return None if value is None else (value - began).total_seconds()


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_an_answer_leaves_in_the_item(connection, claims, answer):
    outcome, (state, attempts, looks, error_values, again, look, settled, became) = ANSWERS[answer]
    manifest = manifest_of(connection)
    settle.settle(connection, manifest, [settle.Answer(claims[0], outcome)])
    item, began = Item.objects.get(), now()
    assert (item.state, item.attempts, item.looks) == (state, attempts, looks)
    assert (item.error_class, item.error_field, item.error_text, item.error_advice) == error_values
    assert item.lease_until is None
    assert wait(item.not_before, began) == (backoff.back_off(3) if again == "back off" else again)
    assert wait(item.check_after, began) == (manifest.settles_within if look == "settles" else look)
    assert (item.settled_at is not None) == settled
    assert item.handle == outcome.handle
    assert (item.erp_id, item.erp_code, item.erp_version) == (
        outcome.erp_id,
        outcome.erp_code,
        outcome.erp_version,
    )
    attempt = item.tries.get()
    assert (attempt.outcome, attempt.erp_id, attempt.answer_excerpt) == (
        became,
        outcome.erp_id,
        outcome.answer,
    )
    assert attempt.error_class == (outcome.error.cls if outcome.error else "")
    assert (attempt.answered_at is not None, attempt.answered_reading is not None) == (True, True)


# What has been handed over is asked about: its tries are not counted again, and none is put off.
OF_HANDED_OVER = {
    "applied": (APPLIED, S.SYNCED, NEVER, True),
    "unknown": (UNKNOWN, S.UNCERTAIN, "settles", False),
    "refused": (error(E.INVALID), S.FAILED, ANY, True),
    "down": (error(E.TRANSIENT), S.FAILED, ANY, True),
    "busy": (error(E.THROTTLED, retry_after=40.0), S.FAILED, ANY, True),
}


@pytest.mark.parametrize("answer", OF_HANDED_OVER)
def test_what_an_answer_leaves_in_an_item_that_was_handed_over(connection, claims, answer):
    manifest = manifest_of(connection)
    settle.settle(connection, manifest, [settle.Answer(claims[0], TAKEN)])
    claims[0].item.refresh_from_db()
    outcome, state, look, settled = OF_HANDED_OVER[answer]
    settle.settle(connection, manifest, [settle.Answer(claims[0], outcome)])
    item, began = Item.objects.get(), now()
    assert (item.state, item.attempts) == (state, 3)
    assert (item.lease_until, item.not_before) == (None, None)
    if look != ANY:
        wanted = manifest.settles_within if look == "settles" else look
        assert wait(item.check_after, began) == wanted
    assert (item.settled_at is not None) == settled


def test_last_of_the_tries_is_the_eighth(connection, accepted_item):
    for attempts, state in [
        (backoff.MOST_ATTEMPTS - 2, S.QUEUED),
        (backoff.MOST_ATTEMPTS - 1, S.FAILED),
    ]:
        Item.objects.update(state=S.QUEUED, attempts=attempts, not_before=None)
        claims = steps.claim(connection, manifest_of(connection))
        settle.settle(
            connection, manifest_of(connection), [settle.Answer(claims[0], error(E.TRANSIENT))]
        )
        assert Item.objects.get().state == state


def test_answer_without_words_of_its_own_is_kept_by_its_error(connection, claims):
    refusal = ErpError(E.INVALID, Effect.NOT_APPLIED, "n" * (settle.EXCERPT + 1))
    settle.settle(
        connection, manifest_of(connection), [settle.Answer(claims[0], Outcome(error=refusal))]
    )
    assert Attempt.objects.get().answer_excerpt == "n" * settle.EXCERPT


@pytest.mark.parametrize("answer", ANSWERS)
def test_answer_to_what_was_given_to_another_since_is_only_kept(connection, claims, answer):
    Item.objects.update(fence=claims[0].item.fence + 1)
    before = Item.objects.values().get()
    outcome = ANSWERS[answer][0]
    settle.settle(connection, manifest_of(connection), [settle.Answer(claims[0], outcome)])
    assert Item.objects.values().get() == before
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.answer_excerpt) == ("late", outcome.answer)


def test_id_seen_before_sending_stays_with_the_try_that_saw_it(connection, claims):
    claims[0].attempt.erp_id = "41"
    settle.settle(
        connection, manifest_of(connection), [settle.Answer(claims[0], error(E.DUPLICATE))]
    )
    assert Attempt.objects.get().erp_id == "41"


def test_id_that_is_another_records_leaves_the_item_to_be_looked_up(connection, claims):
    connection.links.create(
        entity="vendor", record_id=claims[0].item.record_id + 1, erp_id="7", erp_code="OTHER"
    )
    settle.settle(connection, manifest_of(connection), [settle.Answer(claims[0], APPLIED)])
    item = Item.objects.get()
    assert (item.state, item.error_class) == (S.UNCERTAIN, E.CONFLICT)
    assert "ID 7, which is linked to another record" in item.error_text
