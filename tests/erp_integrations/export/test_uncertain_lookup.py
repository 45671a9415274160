"""Items that may be in the ERP, and settled items, keep their state until more is certain."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from django.db.models import F

from erp_integrations.adapters.base import (
    Ambiguous,
    Effect,
    ErpError,
    ErrorClass,
    Outcome,
    Report,
    Seen,
)
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.export import engine, lease_recovery, uncertain_lookup
from erp_integrations.export.delivery import polled as delivery_polled
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.outgoing.uptime import uptime
from erpbridge.refusals import Refused
from tests.erp_integrations import steps

TWO = Ambiguous(("7", "8"))


def state(item: Item) -> str:
    item.refresh_from_db()
    return item.state


def claimed(connection: Connection) -> list[engine.Claim]:
    return steps.claim(connection, manifest_of(connection))


@dataclass
class HoldsTwo:
    """An adapter of an ERP that holds two records under every key, and takes no command."""

    def find(self, _entity: str, _key: str) -> Ambiguous:
        return TWO

    def find_many(self, _entity: str, keys: Sequence[str]) -> list[Ambiguous]:
        return [TWO for _key in keys]


# --- two records under one key ----------------------------------------------------------------


def test_a_create_whose_key_two_records_have_is_not_sent(connection, accepted_item):
    manifest = manifest_of(connection)
    claims = engine.claim(connection, manifest)
    steps.run(connection, HoldsTwo(), manifest, claims, since=uptime())
    assert state(accepted_item) == State.FAILED
    assert "is already in the ERP: more than one record" in accepted_item.error_text
    assert accepted_item.tries.values_list("first_look", "outcome").get() == (
        "present",
        "not_applied",
    )


def test_a_key_that_an_asking_erp_has_twice_is_not_handed_over(connection, accepted_item):
    steps.change_config(connection, delivery="polled")
    (claim,) = claimed(connection)
    seen = Seen(f"first.{claim.item.intent}.{claim.item.fence}.0", TWO)
    adapter, manifest = adapter_of(connection), manifest_of(connection)
    assert delivery_polled.take_answers(connection, adapter, manifest, [seen]) == []
    assert state(accepted_item) == State.FAILED
    assert accepted_item.tries.get().first_look == "present"


@pytest.mark.parametrize("settled", [True, False])
def test_two_records_found_afterwards_are_for_a_person_to_look_at(
    connection, accepted_item, settled
):
    lost(connection)
    accepted_item.refresh_from_db()
    uncertain_lookup.decide(connection, adapter_of(connection), accepted_item, TWO, settled=settled)
    assert state(accepted_item) == State.NEEDS_ANSWER
    assert "or more than one" in accepted_item.error_text


# --- what may have left -----------------------------------------------------------------------


def lost(connection: Connection) -> None:
    """A worker has died after it claimed the command."""
    assert claimed(connection)
    steps.let_pass(200)
    assert lease_recovery.expire_leases() == 1


def test_a_command_that_may_have_left_is_not_withdrawn_when_it_is_queued_again(
    connection, accepted_item, pat
):
    lost(connection)
    accepted_item.refresh_from_db()
    uncertain_lookup.decide(connection, adapter_of(connection), accepted_item, None, settled=True)
    assert state(accepted_item) == State.QUEUED
    with pytest.raises(Refused, match="has been sent to the ERP"):
        accept_services.withdraw(accepted_item, reason="Too early", by=pat)
    assert state(accepted_item) == State.QUEUED


def test_only_the_last_try_of_this_decision_counts(connection, accepted_item, pat):
    lost(connection)
    Item.objects.update(state=State.QUEUED, decided_fence=F("fence"))
    accept_services.withdraw(accepted_item, reason="Too early", by=pat)
    assert state(accepted_item) == State.READY


@pytest.mark.parametrize("outcome", Attempt.Outcome)
def test_it_is_withdrawn_after_a_try_only_where_the_erp_did_not_take_it(
    connection, accepted_item, pat, outcome
):
    assert claimed(connection)
    Attempt.objects.update(outcome=outcome)
    Item.objects.update(state=State.QUEUED, lease_until=None)
    withdrawn = outcome == Attempt.Outcome.NOT_APPLIED
    with nullcontext() if withdrawn else pytest.raises(Refused):
        accept_services.withdraw(accepted_item, reason="Too early", by=pat)
    assert state(accepted_item) == (State.READY if withdrawn else State.QUEUED)


# --- what is settled --------------------------------------------------------------------------


@pytest.fixture
def polled(connection) -> Connection:
    steps.change_config(connection, delivery="polled")
    return connection


def ticket(claim: engine.Claim) -> str:
    return f"do.{claim.item.intent}.{claim.item.fence}.0"


def report(connection: Connection, ticket: str, outcome: Outcome) -> None:
    delivery_polled.take_reports(connection, manifest_of(connection), [Report(ticket, outcome)])


def test_a_report_told_five_times_counts_once_against_the_connection(polled, accepted_item):
    (claim,) = claimed(polled)
    busy = Outcome(error=ErpError(ErrorClass.TRANSIENT, Effect.NOT_APPLIED, "Busy."))
    for _ in range(5):
        report(polled, ticket(claim), busy)
    polled.refresh_from_db()
    assert (polled.breaker_failures, polled.breaker_until) == (1, None)


def test_a_second_report_changes_nothing_of_what_the_first_has_settled(polled, accepted_item):
    (claim,) = claimed(polled)
    report(polled, ticket(claim), Outcome(erp_id="7", erp_code="QUARRY01"))
    before = list(Attempt.objects.values())
    report(polled, ticket(claim), Outcome(erp_id="8", erp_code="QUARRY02"))
    report(
        polled, ticket(claim), Outcome(error=ErpError(ErrorClass.BUG, Effect.NOT_APPLIED, "No."))
    )
    assert (state(accepted_item), accepted_item.erp_id) == (State.SYNCED, "7")
    assert list(Attempt.objects.values()) == before
