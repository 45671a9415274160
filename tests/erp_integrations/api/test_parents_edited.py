"""An edit of a parent while something under it may be on its way: pages and REST say the same.

What the ERP is asked to take under a code, or under an ERP ID, must not come apart from it. A
description goes into no command but the code's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erp_integrations.clock import at_least
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.export.claim import claim
from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.states import MAY_HAVE_LEFT, State
from erp_integrations.workflow.accept import manual_resolution
from erpbridge.access import policy
from erpbridge.outgoing.uptime import uptime
from erpbridge.refusals import Refused
from tests.admin_wbs import steps as wbs
from tests.erp_integrations import steps
from tests.every_call.test_refusals import tables

Door = Callable[[Any, Client, CostCode, dict[str, str]], Any]


def page_of(code: CostCode) -> str:
    return reverse("admin_wbs:code_edit", args=[code.account_id, code.pk])


def on_the_page(_api: Any, client: Client, code: CostCode, fields: dict[str, str]) -> Any:
    form = {"code": code.code, "description": code.description, "seen": code.revision}
    names = {"code": "code", "name": "description"}
    typed = {names[name]: value for name, value in fields.items()}
    return client.post(page_of(code), {**form, **typed})


def over_rest(api: Any, _client: Client, code: CostCode, fields: dict[str, str]) -> Any:
    body = {"standard_cost_code_list_id": code.list_id, "standard_cost_code": fields}
    return api.patch(f"standard_cost_codes/{code.pk}", body)


def in_a_sync(api: Any, _client: Client, code: CostCode, fields: dict[str, str]) -> Any:
    rows = [{"id": code.pk, **fields}]
    body = {"standard_cost_code_list_id": code.list_id, "updates": rows}
    return api.patch("standard_cost_codes/sync", body)


EDITS: dict[str, Door] = {"page": on_the_page, "rest": over_rest, "sync": in_a_sync}
every_edit = pytest.mark.parametrize("door", EDITS.values(), ids=EDITS.keys())
over_http = pytest.mark.parametrize("door", [over_rest, in_a_sync], ids=["rest", "sync"])


@pytest.fixture
def connection(account, ada) -> Connection:
    return steps.connect(account, by=ada)


@pytest.fixture
def parent(connection, account, ada, pat) -> CostCode:
    """01, in the ERP; the code under it is accepted."""
    code_list = CodeList.objects.get(connection_id=connection.pk)
    made = wbs.tree(code_list, ada, "01 General", "01-100 Survey")
    senders, approvers = (policy.load(user, account) for user in (ada, pat))
    assert wbs.send(code_list, senders).done == 2
    above, below = wbs.waiting(code_list)
    assert wbs.accept([above], approvers).done == 1
    steps.export(connection)
    assert wbs.accept([below], approvers).done == 1
    return CostCode.objects.get(pk=made["01"].pk)


@pytest.fixture
def child(parent) -> Item:
    return Item.objects.get(parent_id=parent.pk)


def put_into(item: Item, state: str) -> None:
    """Put the item into this state of its export."""
    lease = at_least(60) if state == State.SENDING else None
    intent = item.intent or uuid.uuid4()
    Item.objects.filter(pk=item.pk).update(state=state, lease_until=lease, intent=intent)
    CostCode.objects.filter(pk=item.record_id).update(erp_state=state)
    item.refresh_from_db()


@every_edit
@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING])
def test_a_parent_keeps_its_code(door, state, api, client_of, ada, parent, child):
    client = client_of(ada)
    put_into(child, state)
    before = tables()
    answer = door(api, client, parent, {"code": "02"})
    assert tables() == before
    # The page shows the code as text, with the reason, and takes no other.
    said = client.get(page_of(parent)) if door is on_the_page else answer
    assert "The ERP knows it, or a code under it, by this code." in said.text


@every_edit
def test_its_description_changes_and_what_is_being_sent_under_it_arrives_as_accepted(
    door, api, client_of, ada, connection, parent, child
):
    adapter, manifest, since = adapter_of(connection), manifest_of(connection), uptime()
    claims = claim(connection, manifest)
    door(api, client_of(ada), parent, {"name": "General Conditions"})
    steps.run(connection, adapter, manifest, claims, since=since)
    parent.refresh_from_db()
    assert (parent.description, parent.drifted) == ("General Conditions", True)
    assert wbs.in_erp(connection) == [("01", "General"), ("01-100", "Survey")]
    assert CostCode.objects.get(pk=child.record_id).erp_state == State.SYNCED


@over_http
@pytest.mark.parametrize("state", sorted(MAY_HAVE_LEFT))
def test_its_erp_id_stays_while_something_may_arrive_under_it(door, state, api, parent, child):
    put_into(child, state)
    before = tables()
    answer = door(api, Client(), parent, {"origin_id": "4711"})
    assert tables() == before
    assert (
        "cannot be changed. It keeps its ERP ID. Of the cost codes directly under it, 1 may reach "
        "the ERP under that ID (01-100 Survey)."
    ) in answer.text


@over_http
@pytest.mark.parametrize("state", [State.READY, State.QUEUED, State.FAILED])
def test_what_has_not_left_goes_under_the_new_one(door, state, api, connection, parent, child):
    put_into(child, state)
    door(api, Client(), parent, {"origin_id": "4711"})
    parent.refresh_from_db()
    assert parent.origin_id == "4711"
    Link.objects.update(told=False)
    put_into(child, State.QUEUED)
    (claimed,) = claim(connection, manifest_of(connection))
    assert claimed.command.parent_erp_id == "4711"


def test_nor_is_another_id_given_to_it_by_settling_an_update_of_it(
    account, ada, pat, connection, parent, child
):
    put_into(child, State.SENDING)
    CostCode.objects.filter(pk=parent.pk).update(description="Works", revision=9, drifted=True)
    assert sendable.send("cost_code", [parent.pk], access=policy.load(ada, account)).done == 1
    update = Item.objects.get(record_id=parent.pk, state=State.READY)
    put_into(update, State.NEEDS_ANSWER)
    before = tables()
    why = "It keeps its ERP ID. Of the cost codes directly under it, 1 may reach"
    with pytest.raises(Refused, match=why):
        manual_resolution.it_is_there(update, erp_id="4711", erp_code="01", by=pat)
    assert tables() == before
    manual_resolution.it_is_there(update, erp_id=parent.origin_id, erp_code="01", by=pat)
