"""An adapter that raises anywhere, or answers what cannot be stored, breaks nothing."""

from __future__ import annotations

import math

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from erp_integrations.adapters import registry
from erp_integrations.adapters.base import (
    Adapter,
    Choice,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Health,
    Outcome,
    Page,
)
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.export import engine, lease_recovery, uncertain_lookup
from erp_integrations.export.claim import claim, lease
from erp_integrations.models import Item
from erp_integrations.models.states import State
from erp_integrations.sendable import button, limits, send
from erpbridge.outgoing.uptime import uptime
from tests.erp_integrations import steps
from tests.factories import CompanyFactory


@pytest.fixture
def swap(monkeypatch):
    """Replace some calls of the installed adapter."""

    def swap_calls(**calls):
        broken = type("BrokenAdapter", (SimulatorAdapter,), calls)
        monkeypatch.setattr(registry, "adapter_class", lambda *_args: broken)

    return swap_calls


def fail(*_args, **_kwargs):
    raise RuntimeError("boom")


@pytest.mark.parametrize("where", ["__init__", "manifest"])
def test_adapter_that_cannot_be_started_is_a_reason_on_the_button(
    connection, company, ada, access_of, swap, where
):
    swap(**{where: classmethod(fail) if where == "manifest" else fail})
    send_button = button("vendor", access_of(ada), company)
    assert not send_button.enabled
    assert "RuntimeError: boom" in send_button.reasons[0].message
    assert send("vendor", [company.pk], access=access_of(ada)).done == 0
    assert where == "__init__" or limits(ada.memberships.get().account_id, "vendor") == {}
    steps.export(connection)


def test_check_that_raises_is_a_problem_of_the_connection(connection, ada, swap):
    swap(check=fail)
    assert not connection_services.test(connection, by=ada)
    assert connection.test_result["problems"] == [
        "The adapter failed: RuntimeError in BrokenAdapter.check."
    ]


@pytest.mark.parametrize("call", ["choices", "choice_kinds", "pull"])
def test_refresh_that_fails_keeps_what_was_known(connection, ada, swap, call):
    swap(**{call: fail})
    assert not connection_services.refresh(connection, by=ada)
    assert "RuntimeError" in connection.refresh_problem
    assert connection.choices.filter(active=True, kind="vendor_type").count() == 5


def test_validate_that_raises_blocks_sending(connection, company, ada, access_of, swap):
    swap(validate=fail)
    assert "BrokenAdapter.validate" in button("vendor", access_of(ada), company).reasons[0].message


def test_find_that_raises_fails_the_item_and_says_that_nothing_was_sent(
    connection, accepted_item, swap
):
    swap(find_many=fail)
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert (accepted_item.state, accepted_item.error_class) == (State.FAILED, "bug")


@pytest.mark.parametrize("error", [TimeoutError, ConnectionResetError, SoftTimeLimitExceeded])
def test_find_that_runs_out_of_time_lets_the_item_wait(connection, accepted_item, swap, error):
    def slow(*_args):
        raise error

    swap(find_many=slow)
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert (accepted_item.state, accepted_item.error_class) == (State.QUEUED, "transient")


def test_find_that_raises_after_silence_asks_a_person_in_the_end(connection, accepted_item, swap):
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)
    swap(find=fail, preview=fail)
    for _ in range(uncertain_lookup.MOST_LOOKS):
        steps.let_pass(1000)
        steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.NEEDS_ANSWER


def test_preview_that_raises_never_makes_a_found_vendor_ours(connection, accepted_item, swap):
    steps.break_erp(connection, "timeout_after")
    steps.export(connection)
    swap(preview=fail)
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.NEEDS_ANSWER


GARBAGE = [
    [],
    None,
    [None],
    ["synced"],
    [Outcome()],
    [Outcome(erp_id="")],
    [Outcome(erp_id="x" * 201)],
    [Outcome(erp_id=7)],
    [Outcome(erp_id="7", erp_code="a\x00b")],
    [Outcome(erp_id="7", erp_version="v" * 201)],
    [Outcome(erp_id="7"), Outcome(erp_id="8")],
]


@pytest.mark.parametrize("answer", GARBAGE, ids=repr)
def test_answer_that_cannot_be_kept_is_uncertain(connection, accepted_item, swap, answer):
    swap(submit=lambda _self, _commands: answer)
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert (accepted_item.state, accepted_item.error_class) == (State.UNCERTAIN, "bug")


def test_submit_that_raises_is_uncertain(connection, accepted_item, swap):
    swap(submit=fail)
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.UNCERTAIN


@pytest.mark.parametrize("wait", [-5.0, math.nan, math.inf, 1e300])
def test_senseless_wait_and_text_of_an_error_are_put_right(connection, accepted_item, swap, wait):
    error = ErpError(
        ErrorClass.TRANSIENT,
        Effect.NOT_APPLIED,
        "No\x00\ud800" + "x" * 5000,
        field="f" * 300,
        retry_after=wait,
    )
    swap(submit=lambda _self, _commands: [Outcome(error=error, answer="a\x00" * 9000)])
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.QUEUED
    assert accepted_item.error_text.startswith("No\ufffd?x")
    assert len(accepted_item.error_field) == 100


def test_record_found_with_an_impossible_id_counts_as_a_failed_look(
    connection, accepted_item, swap
):
    swap(find_many=lambda *_args: [Found("", "QUARRY01", "1", {})])
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.FAILED


def test_lists_of_the_erp_are_stored_whatever_they_hold(connection, ada, swap):
    seen = Found("7", "SEVEN", "1", {"name": "N\x00" * 200, "extra": [1, None, {"a": "\x00"}]})
    swap(
        choices=lambda _self, _kind: [Choice("L" * 101, "long"), Choice("OK", "x\x00" * 300)],
        pull=lambda *_args: Page((seen, seen)),
        check=lambda _self: Health(facts={"a\x00": "b\x00"}),
    )
    assert connection_services.test(connection, by=ada)
    assert connection_services.refresh(connection, by=ada)
    stored = connection.choices.filter(active=True, kind="vendor_type")
    assert list(stored.values_list("code", flat=True)) == ["OK"]
    assert connection.erp_records.get(entity="vendor").erp_code == "SEVEN"


def test_list_that_never_ends_is_given_up(connection, ada, swap):
    swap(pull=lambda *_args: Page((), cursor="same"))
    assert not connection_services.refresh(connection, by=ada)
    assert "has no end" in connection.refresh_problem


def test_record_that_left_the_erp_frees_its_id(connection, ada, swap):
    connection.erp_records.create(entity="vendor", erp_id="9", erp_code="GONE")
    connection.erp_records.create(entity="vendor", erp_id="8", erp_code="KEPT", state="archived")
    assert connection_services.refresh(connection, by=ada)
    assert list(connection.erp_records.values_list("erp_code", flat=True)) == ["KEPT"]


def test_adapter_that_is_no_longer_allowed_is_said_everywhere(
    connection, company, accepted_item, ada, access_of, settings
):
    settings.ERPBRIDGE_ADAPTERS = []
    steps.export(connection)
    lease_recovery.tick(period=-1)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.QUEUED
    assert limits(company.account_id, "vendor") == {}
    other = CompanyFactory.create(account=company.account)
    (problem,) = button("vendor", access_of(ada), other).reasons
    assert problem.rule == "adapter"
    assert Item.objects.count() == 1


ASKED = {
    "check": ((), Health()),
    "choices": (("vendor_type",), ()),
    "find": (("vendor", "ACME"), None),
    "find_many": (("vendor", ["ACME"]), [None]),
    "fetch": (("vendor", "1"), None),
    "submit": (((),), ()),
    "poll": (((),), ()),
    "pull": (("vendor",), Page(())),
}


# Answered without the ERP.
BY_ITSELF = {
    "manifest",
    "choice_kinds",
    "validate",
    "preview",
    "receive",
    "reply",
    "locked_out",
    "render_file",
    "read_result",
}


def test_every_call_is_known_to_ask_the_erp_or_not():
    calls = {
        name for name, attribute in vars(Adapter).items() if callable(attribute) and name[0] != "_"
    }
    assert calls | {"manifest"} == set(ASKED) | BY_ITSELF


@pytest.mark.parametrize("call", ASKED)
def test_whatever_is_asked_of_the_erp_has_the_time_of_one_call(connection, swap, call):
    arguments, answer = ASKED[call]
    left = []

    def asked(self, *_arguments):
        left.append(self.io.deadline.left())
        return answer

    swap(**{call: asked})
    adapter = adapter_loading.adapter_of(connection)
    getattr(adapter, call)(*arguments)
    most = adapter_loading.manifest_of(connection).call_deadline
    assert most - 5 < left[0] <= most
    assert adapter.io.deadline.left() == math.inf


def test_a_worker_that_paused_before_it_sent_has_only_the_time_that_its_claim_leaves(
    connection, accepted_item, swap, settings, monkeypatch
):
    """However late the worker continues, its call ends before the claim expires."""
    left = []

    def submit(self, commands):
        left.append(self.io.deadline.left())
        return [Outcome(erp_id="1")]

    swap(submit=submit)
    manifest = adapter_loading.manifest_of(connection)
    claims = claim(connection, manifest)
    paused = settings.ERPBRIDGE_LEASE_MARGIN / 2 + 5
    monkeypatch.setattr(engine, "_too_late", lambda since: False)
    began = uptime() - paused
    steps.run(connection, adapter_loading.adapter_of(connection), manifest, claims, since=began)
    assert 0 < left[0] <= manifest.call_deadline - 5
    over = began + settings.ERPBRIDGE_LEASE_MARGIN / 2 + manifest.call_deadline
    assert over < began + lease(manifest)
