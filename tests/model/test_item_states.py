"""All states of items, compared with a small model, whatever people, workers and the ERP do.

Hypothesis chooses the order of the steps; after each of them the pages, the audit trail and the
ERP's ledger have to agree.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from directory.companies import services as directory
from directory.companies.errors import EditRefused
from directory.models import Company
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.export import engine, lease_recovery
from erp_integrations.export.claim import claim
from erp_integrations.models import Item, Link
from erp_integrations.models.states import OPEN, State, on_record
from erp_integrations.sendable import retrieve, send
from erp_integrations.workflow.accept import manual_resolution
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.transitions import MOVES
from erpbridge.access import policy
from erpbridge.audit.models import Event
from erpbridge.outgoing.uptime import uptime
from erpbridge.refusals import Refused
from tests.erp_integrations import steps
from tests.factories import AccountFactory, CompanyFactory, MembershipFactory, UserFactory

RECORDS = 3
# The result of an export of an accepted item, by the behavior of the ERP.
FAULTS = ["refuse", "timeout_before", "timeout_after", "throttle", "garbage"]
which = st.integers(0, RECORDS - 1)


class Items(RuleBasedStateMachine):
    """A sender, an approver, workers that may die, and an ERP that may fail."""

    @initialize()
    def begin(self) -> None:
        account = AccountFactory.create()
        sender, approver = UserFactory.create_batch(2)
        for user in (sender, approver):
            MembershipFactory.create(
                user=user, account=account, account_admin=True, can_push_to_accounting=True
            )
        self.sender, self.approver = policy.load(sender, account), policy.load(approver, account)
        self.connection = steps.connect(account, by=sender)
        self.companies = CompanyFactory.create_batch(RECORDS, account=account)
        # The model: whether a record is open to edits and sends, per company.
        self.locked = [False] * RECORDS
        # How often the ERP kept a record that is no longer linked, per company.
        self.unlinked = [0] * RECORDS

    # --- helpers that only look -----------------------------------------------------------

    def latest(self, n: int) -> Item | None:
        return Item.objects.filter(record_id=self.companies[n].pk).order_by("-pk").first()

    def state(self, n: int) -> str:
        item = self.latest(n)
        return item.state if item else ""

    def fresh(self, n: int) -> Company:
        return Company.objects.get(pk=self.companies[n].pk)

    def vendors_of(self, n: int) -> int:
        books = steps.ledger_of(self.connection)
        intents = {str(item.intent) for item in Item.objects.filter(record_id=self.companies[n].pk)}
        mine = [effect for effect in books.effects() if effect.intent in intents]
        created = {effect.key for effect in mine}
        return len(created)

    # --- what people do -------------------------------------------------------------------

    @rule(n=which)
    def send(self, n: int) -> None:
        locked, linked = self.locked[n], bool(self.fresh(n).origin_id)
        done = send("vendor", [self.companies[n].pk], access=self.sender)
        assert not (locked and done.done), "a locked record was sent"
        if not locked and not linked:
            assert done.done == 1, steps.reasons(done)
        self.locked[n] = locked or bool(done.done)

    @rule(n=which)
    def retrieve(self, n: int) -> None:
        waiting = self.state(n) == State.READY
        done = retrieve("vendor", [self.companies[n].pk], access=self.sender)
        assert done.done == int(waiting)
        self.locked[n] = self.locked[n] and not waiting

    @rule(n=which, own=st.booleans())
    def accept(self, n: int, own: bool) -> None:
        item = self.latest(n)
        if item is None:
            return
        waiting = item.state == State.READY
        done = steps.decide([item], self.sender if own else self.approver)
        assert done.done == int(waiting and not own), steps.reasons(done)

    @rule(n=which)
    def reject(self, n: int) -> None:
        item = self.latest(n)
        if item is None or item.state == State.NEEDS_ANSWER:
            return
        allowed = item.state in MOVES["reject"][0]
        items = Item.objects.filter(pk=item.pk)
        done = accept_services.reject(items, entity="vendor", reason="No", access=self.approver)
        assert done.done == int(allowed)
        self.locked[n] = self.locked[n] and not allowed

    @rule(n=which)
    def retry(self, n: int) -> None:
        item = self.latest(n)
        if item is not None:
            failed = item.state == State.FAILED
            assert steps.retry(item, self.approver).done == int(failed)

    @rule(n=which)
    def withdraw(self, n: int) -> None:
        item = self.latest(n)
        if item is not None and item.decided_at is not None:
            sent = item.tries.filter(fence__gt=item.decided_fence)
            unknown = sent.exclude(outcome="not_applied").exists()
            try:
                accept_services.withdraw(item, reason="Too early", by=self.approver.user)
            except Refused:
                return
            assert not unknown, "what may be in the ERP was withdrawn"

    @rule(n=which)
    def answer(self, n: int) -> None:
        item = self.latest(n)
        if item is not None and item.state == State.NEEDS_ANSWER:
            vendor = adapter_loading.adapter_of(self.connection).find("vendor", item.erp_key)
            if vendor is None:
                manual_resolution.it_is_not_there(item, by=self.approver.user, why="Looked")

    @rule(n=which)
    def unlink(self, n: int) -> None:
        link = Link.objects.active().filter(record_id=self.companies[n].pk).first()
        if link is not None:
            done = not steps.unlink(link, by=self.approver.user, why="Wrong vendor")
            assert done != self.locked[n]
            self.unlinked[n] += int(done)

    @rule(n=which, city=st.sampled_from(["Easton", "Weston", "Norton"]))
    def edit(self, n: int, city: str) -> None:
        company = self.fresh(n)
        before = company.city
        try:
            directory.edit(
                company, values={"city": city}, seen=company.revision, by=self.sender.user
            )
        except EditRefused:
            assert self.locked[n]
            assert self.fresh(n).city == before
        else:
            assert not self.locked[n] or city == before, "a locked record was edited"

    # --- what workers, time and the ERP do --------------------------------------------------

    @rule()
    def export(self) -> None:
        engine.drain(self.connection.pk)
        self.unlock_settled()

    @rule(fault=st.sampled_from(FAULTS))
    def export_to_a_misbehaving_erp(self, fault: str) -> None:
        steps.break_erp(self.connection, fault)
        engine.drain(self.connection.pk)
        self.unlock_settled()

    @rule(applied=st.booleans())
    def a_worker_dies(self, applied: bool) -> None:
        """It dies after the claim, or after the ERP has the command and before the item settles."""
        manifest = manifest_of(self.connection)
        claims = claim(self.connection, manifest)
        adapter = adapter_loading.adapter_of(self.connection)
        if claims:
            steps.look(adapter, manifest, claims, since=uptime())
        if applied and claims:
            adapter.submit([claim.command for claim in claims])

    @rule(seconds=st.sampled_from([1, 30, 200, 1000]))
    def time_goes_by(self, seconds: int) -> None:
        steps.let_pass(seconds)
        lease_recovery.tick(period=0)
        lease_recovery.expire_leases()

    def unlock_settled(self) -> None:
        for n in range(RECORDS):
            if self.state(n) == State.SYNCED:
                self.locked[n] = False

    # --- invariants -------------------------------------------------------------------------

    @invariant()
    def one_open_item_at_most_and_the_lock_says_so(self) -> None:
        for n in range(RECORDS):
            items = Item.objects.filter(record_id=self.companies[n].pk, state__in=sorted(OPEN))
            assert items.count() == int(self.locked[n])

    @invariant()
    def the_record_shows_its_latest_item(self) -> None:
        for n in range(RECORDS):
            state = self.state(n)
            shown = "" if state in ("", State.UNLINKED) else on_record(state)
            assert self.fresh(n).erp_state == shown

    @invariant()
    def a_synced_item_is_one_whose_link_holds(self) -> None:
        for item in Item.objects.filter(state=State.SYNCED):
            assert Link.objects.active().filter(record_id=item.record_id, erp_id=item.erp_id)

    @invariant()
    def the_erp_holds_each_record_once_at_most_and_once_more_for_each_unlinking(self) -> None:
        for n in range(RECORDS):
            assert self.vendors_of(n) <= 1 + self.unlinked[n]

    @invariant()
    def synced_means_that_the_erp_holds_it(self) -> None:
        keys = {effect.key for effect in steps.ledger_of(self.connection).effects()}
        for n in range(RECORDS):
            company = self.fresh(n)
            assert not company.origin_code or company.origin_code in keys
            assert self.state(n) != State.SYNCED or company.origin_id

    @invariant()
    def the_audit_trail_replays_to_the_present_state(self) -> None:
        for n in range(RECORDS):
            item = self.latest(n)
            if item is None:
                continue
            state = ""
            for event in Event.objects.filter(data__item=str(item.public_id)).order_by("pk"):
                assert event.from_state == state
                assert event.verb == "send" or state in MOVES[event.verb][0]
                state = event.to_state
            assert state == item.state


@pytest.mark.django_db
def test_whatever_happens_people_records_audit_and_erp_agree():
    run_state_machine_as_test(
        Items,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
