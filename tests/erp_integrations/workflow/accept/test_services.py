"""Accept and reject: every way in which a decision is refused, and what a good one stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.db import connection as database
from kombu.exceptions import OperationalError

from erp_integrations.adapters.base import Problem
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.clock import ago
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.wakeups import publish
from erp_integrations.models import Item, Request
from erp_integrations.models.states import State
from erp_integrations.sendable import badge
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.accept.validation import Checks
from erpbridge.access import policy
from erpbridge.audit.models import Event
from erpbridge.refusals import Refused
from tests.erp_integrations import steps
from tests.factories import CompanyFactory


def accept(item, access, **values):
    given = {"vendor_type": "SUB", "vendor_id": "QUARRY01", **values}
    return accept_services.accept(
        [Decision(item.pk, item.digest, given)], entity="vendor", access=access
    )


@pytest.fixture
def another_item(connection, account, ada, access_of, sent_item) -> Item:
    (item,) = steps.send_all([CompanyFactory.create(account=account, name="Other")], access_of(ada))
    return item


def test_accepting_stores_decision_and_work(connection, sent_item, pat, access_of):
    done = accept(sent_item, access_of(pat), vendor_id=" quarry01 ")
    sent_item.refresh_from_db()
    assert sent_item.state == State.QUEUED
    assert sent_item.intent is not None
    assert (sent_item.erp_key, sent_item.acceptance["vendor_id"]) == ("QUARRY01", "QUARRY01")
    assert (sent_item.decided_by, sent_item.request_id) == (pat, done.request_id)
    assert Request.objects.get(pk=done.request_id).done == 1


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"vendor_id": ""}, "vendor_id", "Vendor ID"),
        ({"vendor_id": "ELEVENCHARS"}, "vendor_id", "10 characters or fewer; it has 11"),
        ({"vendor_id": "A_B"}, "vendor_id", "may not hold “_”"),
        ({"vendor_id": "A\x00B"}, "vendor_id", "may not hold"),
        ({"vendor_id": "A" * 5000}, "vendor_id", "it has 5000"),
        ({"vendor_type": ""}, "vendor_type", "Vendor type"),
        ({"vendor_type": "NOPE"}, "vendor_type", "NOPE is not one of the ERP's own"),
        ({"vendor_type": "\x00"}, "vendor_type", "is not one of the ERP's own"),
    ],
)
def test_bad_value_is_refused_naming_the_field(
    connection, sent_item, pat, access_of, values, field, says
):
    done = accept(sent_item, access_of(pat), **values)
    assert done.done == 0
    problems = [problem for problem in done.refused[0].problems if problem.field == field]
    assert any(says in problem.message for problem in problems)
    sent_item.refresh_from_db()
    assert (sent_item.state, sent_item.erp_key) == (State.READY, "")


def test_id_in_the_air_is_refused_naming_who_took_it(
    connection, accepted_item, another_item, pat, access_of
):
    done = accept(another_item, access_of(pat), vendor_id="quarry01")
    assert steps.reasons(done) == [
        "QUARRY01 is taken by Quarry & Sons, LLC, accepted by Pat Approver. Choose another."
    ]


def test_id_of_a_synced_company_is_refused(
    connection, synced_company, account, ada, pat, access_of
):
    (item,) = steps.send_all([CompanyFactory.create(account=account)], access_of(ada))
    done = accept(item, access_of(pat))
    assert "a record that is synced already" in steps.reasons(done)[0]


def test_id_that_the_erp_held_when_last_refreshed_is_refused_in_any_case(
    connection, sent_item, pat, access_of
):
    connection.erp_records.create(
        entity="vendor", erp_id="9", erp_code="Quarry01", label="Old Quarry"
    )
    done = accept(sent_item, access_of(pat))
    assert steps.reasons(done) == [
        "QUARRY01 is taken by Old Quarry in the ERP. Link instead if it is the same, or choose "
        "another."
    ]


def test_same_id_twice_in_one_click_refuses_the_second_row(
    connection, sent_item, another_item, pat, access_of
):
    done = steps.decide([sent_item, another_item], access_of(pat), vendor_id="SAME")
    assert done.done == 1
    assert "accepted in this click" in steps.reasons(done)[0]


def test_own_item_needs_a_second_approver(connection, sent_item, account, ada, access_of):
    done = accept(sent_item, access_of(ada))
    assert steps.reasons(done) == ["You sent it yourself; a second approver has to accept it."]
    account.senders_may_accept_own = True
    account.save()
    assert accept(sent_item, access_of(ada)).done == 1


def test_second_approver_is_told_who_decided(connection, accepted_item, pat, access_of):
    done = accept(accepted_item, access_of(pat), vendor_id="OTHER")
    assert steps.reasons(done) == ["Already decided by Pat Approver: Exporting."]


def test_decision_about_another_revision_is_refused(connection, sent_item, pat, access_of):
    sent_item.digest = "of something else"
    done = accept(sent_item, access_of(pat))
    assert "not the revision you looked at" in steps.reasons(done)[0]


@pytest.fixture
def compare_keys(monkeypatch) -> Callable[[bool], None]:
    """Let the simulator compare vendor IDs by letter or not, and take any characters in them."""
    plain = SimulatorAdapter.manifest

    def patch(case_sensitive: bool) -> None:
        def manifest(_cls, config):
            declared = plain(config)
            vendor = declared.entities["vendor"]
            fields = tuple(replace(field, rules=()) for field in vendor.acceptance_fields)
            rule = replace(vendor, key_case_sensitive=case_sensitive, acceptance_fields=fields)
            return replace(declared, entities={**declared.entities, "vendor": rule})

        monkeypatch.setattr(SimulatorAdapter, "manifest", classmethod(manifest))

    return patch


@pytest.mark.parametrize("other", ["ab-c", "ＡＢ-Ｃ", "AB\u2013C"], ids=["case", "width", "dash"])
def test_of_two_spellings_of_one_key_the_database_itself_takes_one(
    connection, sent_item, another_item, pat, access_of, compare_keys, monkeypatch, other
):
    compare_keys(False)
    assert accept(sent_item, access_of(pat), vendor_id="AB-C").done == 1
    refused = accept(another_item, access_of(pat), vendor_id=other)
    assert "is taken by Quarry & Sons, LLC" in steps.reasons(refused)[0]
    monkeypatch.setattr(Checks, "_exporting", lambda _checks, _keys: {})
    with pytest.raises(IntegrityError), transaction.atomic():
        accept(another_item, access_of(pat), vendor_id=other)
    another_item.refresh_from_db()
    assert (another_item.state, another_item.erp_key) == (State.READY, "")


def test_an_erp_that_tells_letters_by_their_case_gets_both_keys(
    connection, sent_item, another_item, pat, access_of, compare_keys
):
    compare_keys(True)
    done = [
        accept(item, access_of(pat), vendor_id=key).done
        for item, key in ((sent_item, "AB-C"), (another_item, "ab-c"))
    ]
    assert done == [1, 1]
    in_air = Item.objects.filter(state=State.QUEUED)
    assert set(in_air.values_list("erp_key_compared", flat=True)) == {"AB-C", "ab-c"}


def test_the_migration_holds_keys_in_the_air_to_the_letter(accepted_item, another_item):
    migration = import_module("erp_integrations.migrations.0016_key_in_air")
    Item.objects.update(erp_key_compared="")
    migration.fill_rows(apps, database.SchemaEditorClass(database))
    compared = dict(Item.objects.values_list("pk", "erp_key_compared"))
    assert compared == {accepted_item.pk: "QUARRY01", another_item.pk: ""}


def test_items_of_another_account_are_neither_decided_nor_named(
    connection, sent_item, olga, other_account
):
    access = policy.load(olga, other_account)
    decisions = [Decision(pk, sent_item.digest) for pk in (sent_item.pk, 10**30, -1)]
    done = accept_services.accept(decisions, entity="vendor", access=access)
    assert (done.done, done.refused) == (0, ())
    sent_item.refresh_from_db()
    assert sent_item.state == State.READY


def test_bulk_accept_proposes_a_different_id_per_row(connection, account, ada, pat, access_of):
    companies = CompanyFactory.create_batch(30, account=account, name="Same Name Builders")
    items = steps.send_all(companies, access_of(ada))
    assert steps.decide(items, access_of(pat)).done == 30
    keys = set(Item.objects.values_list("erp_key", flat=True))
    assert len(keys) == 30
    assert all(len(key) <= 10 and key.startswith("SAMENAM") for key in keys)


def test_proposal_avoids_ids_that_are_taken(connection, account, ada, pat, access_of):
    connection.erp_records.create(entity="vendor", erp_id="9", erp_code="same001")
    items = steps.send_all([CompanyFactory.create(account=account, name="Same")], access_of(ada))
    accept_services.proposals_for(items)
    assert items[0].acceptance == {"vendor_id": "SAME002"}


def test_name_without_letters_still_gets_a_proposal(connection, account, ada, access_of):
    items = steps.send_all([CompanyFactory.create(account=account, name="???")], access_of(ada))
    accept_services.proposals_for(items)
    assert items[0].acceptance == {"vendor_id": "V001"}


def test_rejected_company_goes_back_with_the_reason(connection, sent_item, company, pat, access_of):
    items = Item.objects.filter(pk=sent_item.pk)
    done = accept_services.reject(items, entity="vendor", reason="No W-9", access=access_of(pat))
    assert done.done == 1
    sent_item.refresh_from_db()
    company.refresh_from_db()
    assert (sent_item.state, sent_item.decision_note) == (State.REJECTED, "No W-9")
    assert badge(company).key == "rejected"


def test_reject_after_accept_is_refused_naming_the_approver(
    connection, accepted_item, ada, access_of
):
    items = Item.objects.filter(pk=accepted_item.pk)
    done = accept_services.reject(items, entity="vendor", reason="Late", access=access_of(ada))
    assert (done.done, steps.reasons(done)) == (0, ["Already decided by Pat Approver: Exporting."])


def test_connection_that_cannot_be_used_refuses_instead_of_failing(
    connection, sent_item, pat, access_of, settings
):
    settings.ERPBRIDGE_ADAPTERS = []
    accept_services.proposals_for([sent_item])
    done = accept(sent_item, access_of(pat))
    assert "cannot be used" in steps.reasons(done)[0]


@pytest.mark.django_db(transaction=True)
def test_broker_that_is_down_does_not_fail_the_click(
    connection, sent_item, pat, access_of, monkeypatch
):
    def down(*_args, **_kwargs):
        raise OperationalError("no broker")

    monkeypatch.setattr("celery.app.base.Celery.send_task", down)
    with pytest.raises(OperationalError):
        publish(connection.pk)
    assert accept(sent_item, access_of(pat)).done == 1
    assert Item.objects.get().state == State.QUEUED


# --- what a decision leaves in the item ---------------------------------------------------------

# Values of an earlier try.
WORN = {
    "attempts": 5,
    "not_before": ago(1),
    "fence": 4,
    "error_class": "bug",
    "error_field": "name",
    "error_text": "No.",
    "error_advice": "Ask.",
}
FRESH = {
    "attempts": 0,
    "not_before": None,
    "error_class": "",
    "error_field": "",
    "error_text": "",
    "error_advice": "",
}


def columns(item: Item, names: Iterable[str]) -> dict[str, object]:
    item.refresh_from_db()
    return {name: getattr(item, name) for name in names}


def test_accepting_and_retrying_begin_anew(connection, sent_item, pat, access_of):
    Item.objects.update(**WORN)
    done = accept(sent_item, access_of(pat))
    assert columns(sent_item, FRESH) == FRESH
    assert (sent_item.decided_fence, sent_item.fence) == (4, 4)
    assert sent_item.decided_at is not None
    assert sent_item.acceptance == {"vendor_type": "SUB", "vendor_id": "QUARRY01"}
    first = sent_item.intent
    Item.objects.update(state=State.FAILED, **(WORN | {"fence": 6}))
    again = steps.retry(sent_item, access_of(pat), vendor_id="QUARRY02")
    assert columns(sent_item, FRESH) == FRESH
    assert (sent_item.state, sent_item.decided_fence) == (State.QUEUED, 6)
    assert (sent_item.erp_key, sent_item.erp_key_compared) == ("QUARRY02", "quarry02")
    assert sent_item.intent not in (None, first)
    assert sent_item.request_id == again.request_id != done.request_id
    verbs = Event.objects.filter(entity="vendor").order_by("pk").values_list("verb", "actor__name")
    assert list(verbs)[-2:] == [("accept", pat.name), ("retry", pat.name)]


def test_withdrawing_begins_anew_and_says_why(connection, accepted_item, pat):
    Item.objects.update(**WORN, waits_for=None)
    accept_services.withdraw(accepted_item, reason="Too early", by=pat)
    assert columns(accepted_item, FRESH) == FRESH
    assert (accepted_item.state, accepted_item.waits_for) == (State.READY, None)
    event = Event.objects.get(verb="withdraw")
    assert (event.note, event.actor) == ("Too early", pat)


def test_what_has_moved_on_is_not_withdrawn_and_says_so(connection, accepted_item, pat):
    Item.objects.update(state=State.FAILED)
    with pytest.raises(Refused, match="It is on its way to the ERP, or its state has changed"):
        accept_services.withdraw(accepted_item, reason="Too early", by=pat)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.FAILED


def test_only_the_named_item_is_withdrawn(connection, accepted_item, another_item, pat, access_of):
    assert accept(another_item, access_of(pat), vendor_id="OTHER").done == 1
    accept_services.withdraw(accepted_item, reason="Too early", by=pat)
    another_item.refresh_from_db()
    assert another_item.state == State.QUEUED


def reject(items, access, **more):
    return accept_services.reject(items, entity="vendor", reason="No.", access=access, **more)


def test_rejecting_says_who_when_and_why_each(
    connection, sent_item, another_item, pat, access_of, caplog
):
    caplog.set_level("INFO", "erp_integrations.workflow.tracing")
    done = reject(Item.objects.all(), access_of(pat), reasons={another_item.pk: "Twice."})
    assert (done.done, done.refused) == (2, ())
    for item, why in ((sent_item, "No."), (another_item, "Twice.")):
        item.refresh_from_db()
        assert (item.state, item.decided_by, item.decision_note) == (State.REJECTED, pat, why)
        assert None not in (item.decided_at, item.settled_at)
        event = Event.objects.get(verb="reject", subject_id=item.record_id)
        assert (event.note, event.actor) == (why, pat)
    click = Request.objects.get(pk=done.request_id)
    assert (click.verb, click.entity, click.done) == ("reject", "vendor", 2)
    assert [(record.event, record.items) for record in caplog.records] == [("reject", 2)]


def test_empty_reason_of_its_own_is_none(connection, sent_item, pat, access_of):
    reject(Item.objects.all(), access_of(pat), reasons={sent_item.pk: ""})
    sent_item.refresh_from_db()
    assert sent_item.decision_note == "No."


def test_what_waits_for_a_parent_is_rejected_and_what_is_on_its_way_is_not(
    connection, accepted_item, another_item, pat, access_of
):
    assert accept(another_item, access_of(pat), vendor_id="OTHER").done == 1
    Item.objects.filter(pk=accepted_item.pk).update(waits_for=7)
    done = reject(Item.objects.all(), access_of(pat))
    assert done.done == 1
    assert [refusal.label for refusal in done.refused] == [another_item.label]
    accepted_item.refresh_from_db()
    another_item.refresh_from_db()
    assert (accepted_item.state, accepted_item.waits_for) == (State.REJECTED, None)
    assert another_item.state == State.QUEUED
    assert Event.objects.get(verb="withdraw").note == "No."


def test_ids_are_proposed_for_creates_that_wait_for_a_decision_or_failed(
    connection, account, ada, access_of
):
    items = steps.send_all(CompanyFactory.create_batch(4, account=account), access_of(ada))
    items[1].state = State.FAILED
    items[2].state = State.QUEUED
    items[3].operation = "update"
    accept_services.proposals_for(items)
    assert [bool(item.acceptance.get("vendor_id")) for item in items] == [True, True, False, False]


@pytest.mark.parametrize("item_id", [0, -1, 2**63, 10**30])
def test_number_that_is_no_item_decides_nothing(connection, sent_item, pat, access_of, item_id):
    decisions = [Decision(item_id, "d", {}), Decision(sent_item.pk, sent_item.digest, {})]
    done = accept_services.accept(decisions, entity="vendor", access=access_of(pat))
    assert (done.done, len(done.refused)) == (0, 1)


def test_row_that_is_refused_takes_no_other_with_it(
    connection, sent_item, another_item, pat, access_of
):
    values = {"vendor_type": "SUB", "vendor_id": "QUARRY01"}
    decisions = [
        Decision(sent_item.pk, "another revision", values),
        Decision(another_item.pk, another_item.digest, values),
    ]
    done = accept_services.accept(decisions, entity="vendor", access=access_of(pat))
    assert done.done == 1
    assert [refusal.label for refusal in done.refused] == [sent_item.label]


def test_click_on_one_record_type_decides_about_no_other(connection, sent_item, pat, access_of):
    Item.objects.update(entity="cost_code")
    assert accept(sent_item, access_of(pat)).done == 0
    sent_item.refresh_from_db()
    assert sent_item.state == State.READY


def test_record_type_that_the_erp_no_longer_takes_is_refused_and_proposed_nothing(
    connection, sent_item, another_item, pat, access_of, monkeypatch
):
    monkeypatch.setattr(adapter_loading, "entity_manifest", lambda *_given: None)
    done = accept(sent_item, access_of(pat))
    assert [refusal.label for refusal in done.refused] == [sent_item.label]
    problem = Problem("connection", "unusable", "The connected ERP does not take these.")
    assert done.refused[0].problems == (problem,)
    accept_services.proposals_for([sent_item])
    assert sent_item.acceptance == {}
