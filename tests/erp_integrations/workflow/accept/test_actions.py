"""Page, API and command offer and take the same: what the moves and the policy allow."""

from __future__ import annotations

import io
import re
import uuid

import pytest
from django.core.management import CommandError, call_command

from erp_integrations.connections import services as connection_services
from erp_integrations.models import Item, Link
from erp_integrations.models.states import State
from erp_integrations.workflow.accept.actions import Action, possible
from erpbridge.clock.measured import after, now
from tests.db.transactions import taken_back
from tests.erp_integrations import steps
from tests.erp_integrations.api import steps as over_rest
from tests.every_call.test_refusals import CLICKS, tables
from tests.factories import CompanyFactory, ItemFactory

A, S = Action, State
# A second copy of what the moves and the policy allow an approver.
OF_CREATES = {
    S.READY: {A.ACCEPT, A.REJECT, A.LINK_INSTEAD},
    S.QUEUED: {A.WITHDRAW},
    S.SENDING: set(),
    S.SUBMITTED: set(),
    S.UNCERTAIN: set(),
    S.NEEDS_ANSWER: {A.REJECT, A.ANSWER},
    S.FAILED: {A.RETRY, A.REJECT, A.ANSWER, A.LINK_INSTEAD},
    S.SYNCED: {A.UNLINK},
    S.UNLINKED: set(),
    S.RETRIEVED: set(),
    S.REJECTED: set(),
}
# Of an update by an ERP ID that a program named; an accepted one is compared by the worker.
OF_UPDATES = {
    S.READY: {A.ACCEPT, A.REJECT, A.USE_ANYWAY},
    S.NEEDS_ANSWER: {A.REJECT, A.ANSWER, A.USE_ANYWAY},
    S.FAILED: {A.RETRY, A.REJECT, A.ANSWER, A.USE_ANYWAY},
}
EXPECTED = [("create", state, offered) for state, offered in OF_CREATES.items()]
EXPECTED += [("update", state, offered) for state, offered in OF_UPDATES.items()]
# Form of the page -> the actions that it stands for.
FORMS = {
    "accept": {A.ACCEPT, A.RETRY},
    "reject": {A.REJECT},
    "answer": {A.ANSWER},
    "link": {A.LINK_INSTEAD},
    "use": {A.USE_ANYWAY},
    "unlink": {A.UNLINK},
    "withdraw": {A.WITHDRAW},
}


@pytest.fixture
def in_erp(account, ada, pat, access_of):
    """A vendor that the ERP holds and no company is linked to."""
    connection = steps.connect(account, by=ada)
    company = CompanyFactory.create(account=account, name="Cedar Glass")
    steps.decide(steps.send_all([company], access_of(ada)), access_of(pat), vendor_id="CEDAR1")
    steps.export(connection)
    link = Link.objects.get()
    assert steps.unlink(link, by=ada) == {}
    assert connection_services.refresh(connection, by=ada)
    return link


@pytest.fixture
def make(account, ada, in_erp):
    def make(state: State, operation: str) -> Item:
        company = CompanyFactory.create(account=account, name="Cedar Glass")
        linked = operation == "update" or state == S.SYNCED
        if linked:
            Link.objects.create(
                connection=in_erp.connection,
                entity="vendor",
                record_id=company.pk,
                erp_id=in_erp.erp_id,
                erp_code=in_erp.erp_code,
                told=operation == "update",
            )
        return ItemFactory.create(
            account=account,
            connection=in_erp.connection,
            record_id=company.pk,
            label=company.name,
            operation=operation,
            payload={"name": company.name, "is_active": True},
            state=state,
            intent=uuid.uuid4(),
            erp_id=in_erp.erp_id if state in (S.SYNCED, S.UNLINKED) else "",
            lease_until=after(60) if state == S.SENDING else None,
            settled_at=now() if state in (S.SYNCED, S.UNLINKED) else None,
            sent_by=ada,
        )

    return make


def bodies(item: Item, erp_id: str) -> dict[Action, dict[str, object]]:
    """A call for each action that is valid except perhaps for the state of the item."""
    values = {"vendor_id": "CEDAR2", "vendor_type": over_rest.a_type(item.connection)}
    there = {"answer": "there", "origin_id": "CEDAR1", "reason": "Seen there"}
    absent = {"answer": "not_there", "reason": "Nothing there"}
    accept = {"digest": item.digest}
    if item.operation == "create":
        accept["acceptance"] = values
    return {
        A.ACCEPT: accept,
        A.RETRY: accept,
        A.REJECT: {"reason": "Not now"},
        A.WITHDRAW: {"reason": "Too early"},
        A.ANSWER: absent if item.state == S.NEEDS_ANSWER else there,
        A.LINK_INSTEAD: {"digest": item.digest, "origin_id": erp_id},
        A.USE_ANYWAY: {"origin_ids": [erp_id], "reason": "Looked at it"},
        A.UNLINK: {"reason": "By mistake"},
    }


def taken(api, item: Item, action: Action, body: dict[str, object]) -> bool:
    """Whether the API carries the action out; a refusal must change nothing."""
    before = tables()
    with taken_back():
        answer = over_rest.act(api, item, action, body)
        assert answer.status_code < 500, answer.json()
        if answer.status_code >= 400:
            assert tables() == before, action
    return answer.status_code < 400


@pytest.mark.parametrize(
    ("operation", "state", "offered"),
    EXPECTED,
    ids=[f"{operation}-{state}" for operation, state, _offered in EXPECTED],
)
def test_every_surface_offers_and_takes_the_same(
    operation, state, offered, make, api, in_erp, client_of, pat
):
    item = make(state, operation)
    assert offered <= possible(state)

    listed = over_rest.show(api, item).json()["available_actions"]
    assert set(listed) == offered

    page = client_of(pat).get(f"/accounts/{item.account_id}/erp/items/{item.public_id}/")
    posted = set(re.findall(rf'action="[^"]*{item.public_id}/(\w+)/"', page.content.decode()))
    assert posted == {name for name, stands_for in FORMS.items() if stands_for & offered}

    calls = bodies(item, in_erp.erp_id)
    done = {action for action in Action if taken(api, item, action, calls[action])}
    assert done == offered


CLICK = {CLICKS: []}
COMMANDS = {
    A.RETRY: ["retry"],
    A.REJECT: ["reject", "--why", "Not now"],
    A.WITHDRAW: ["withdraw", "--why", "Too early"],
    A.ANSWER: ["answer", "--there", "CEDAR1", "--why", "Seen there"],
}


@pytest.mark.parametrize("state", State)
def test_the_command_takes_what_the_page_offers(state, make, account, pat):
    item = make(state, "create")
    done = set()
    for action, (verb, *options) in COMMANDS.items():
        before = tables()
        with taken_back():
            try:
                call_command(
                    *("erp", verb, str(item.public_id), "--account", str(account.pk)),
                    *("--by", pat.email, *options),
                    stdout=io.StringIO(),
                )
                done.add(action)
            except CommandError:
                # The click itself is kept, with the reason why each row was refused.
                assert tables() | CLICK == before | CLICK, action
    # A retry needs values that the item of this test was never accepted with.
    assert done == OF_CREATES[state] & set(COMMANDS) - {A.RETRY}


def test_a_sender_is_offered_no_decision_that_needs_a_second_approver(
    make, account, client_of, ada
):
    item = make(S.READY, "create")
    page = client_of(ada).get(f"/accounts/{account.pk}/erp/items/{item.public_id}/")
    posted = re.findall(rf'action="[^"]*{item.public_id}/(\w+)/"', page.content.decode())
    assert posted == ["reject"]
