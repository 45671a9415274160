"""The two clicks over HTTP: send and retrieve, for companies and for cost codes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db.models import F

from admin_wbs.cost_codes import list_services
from admin_wbs.erp import send as send_to_erp
from admin_wbs.models import CodeList, CostCode
from directory.models import Company
from erp_integrations.models import Item
from erp_integrations.models.states import State
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from tests.erp_integrations.api import steps
from tests.factories import CodeListFactory, CompanyFactory, CostCodeFactory


@pytest.fixture
def connection(account, ada):
    return steps.connect(account, by=ada)


@pytest.fixture
def company(account) -> Company:
    return CompanyFactory.create(account=account, name="Quarry & Sons, LLC")


def test_a_company_is_sent_and_waits_for_accounting(api, connection, company):
    response = steps.send(api, company.pk)
    assert response.status_code == 201
    body = response.json()
    item = Item.objects.get()
    assert (item.record_id, item.state) == (company.pk, State.READY)
    assert body["erp_status"] == "ready_to_export"
    assert body["synced_to_erp"] is False
    assert body["erp_queue_id"] == item.pk
    assert body["request_id"] == str(item.sent_in_id)
    click = api.get(steps.company_of(api, f"erp_requests/{body['request_id']}")).json()
    assert (click["action"], click["done"], click["refused"]) == ("send", 1, [])
    assert click["created_by"]["name"] == "Nightly sync"


def test_where_a_company_stands_is_told_with_what_can_be_done(api, reader, connection, company):
    path = steps.company_of(api, f"vendors/{company.pk}/erp_status")
    before = api.get(path).json()
    assert (before["erp_status"], before["can_send"]) == ("not_in_erp", True)
    steps.send(api, company.pk)
    after = api.get(path).json()
    assert (after["erp_status"], after["can_send"]) == ("ready_to_export", False)
    assert after["can_retrieve"] is True
    assert after["locked"].startswith("Sent to the ERP by Nightly sync")
    assert reader.get(path).json()["can_retrieve"] is False


def test_what_cannot_be_sent_is_422_with_every_reason(api, company):
    response = steps.send(api, company.pk)
    assert response.status_code == 422
    assert "connection" in response.json()["errors"]
    path = steps.company_of(api, f"vendors/{company.pk}/erp_status")
    assert (
        api.get(path).json()["reasons"][0]["message"]
        == response.json()["message"].partition(": ")[2]
    )
    assert not Item.objects.exists()


def test_an_old_revision_is_409_and_nothing_is_sent(api, connection, company):
    response = steps.send(api, company.pk, {"revision": company.revision + 1})
    assert response.status_code == 409
    assert "was changed since" in response.json()["errors"]["revision"][0]
    assert not Item.objects.exists()
    assert steps.send(api, company.pk, {"revision": company.revision}).status_code == 201


def test_sending_twice_is_409_that_says_who_sent_it(api, connection, company):
    steps.send(api, company.pk)
    again = steps.send(api, company.pk)
    assert again.status_code == 409
    assert "Already sent by Nightly sync" in again.json()["message"]


def test_the_same_click_with_one_key_is_done_once(api, connection, company):
    first = steps.send(api, company.pk, {}, Idempotency_Key="send-1")
    again = steps.send(api, company.pk, {}, Idempotency_Key="send-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Item.objects.count() == 1


def test_a_retrieved_company_can_be_sent_again(api, connection, company):
    steps.send(api, company.pk)
    path = steps.company_of(api, f"vendors/{company.pk}/actions/retrieve_from_erp")
    back = api.post(path)
    assert (back.status_code, back.json()["erp_status"]) == (200, "not_in_erp")
    assert api.post(path).status_code == 409
    assert steps.send(api, company.pk).status_code == 201


def test_the_reader_may_not_send_and_is_told_what_is_missing(reader, connection, company):
    response = steps.send(reader, company.pk)
    assert response.status_code == 403
    assert response.json()["errors"] == ["Needs Admin on the account's Directory tool."]
    assert not Item.objects.exists()


def test_a_stranger_finds_no_company_to_send(stranger, connection, company):
    hidden = steps.send(stranger, company.pk)
    missing = steps.send(stranger, 99999999)
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json()


def test_a_project_sends_only_its_own_companies(api, connection, company, project):
    path = f"projects/{project.pk}/vendors/{company.pk}/actions/send_to_erp"
    assert api.post(path).status_code == 404
    assert not Item.objects.exists()


def test_many_companies_are_sent_and_each_has_its_own_fate(api, account, connection):
    good = CompanyFactory.create(account=account, name="Good Steel")
    idle = CompanyFactory.create(account=account, name="Idle", is_active=False)
    stale = CompanyFactory.create(account=account, name="Stale")
    rows = [
        {"id": good.pk},
        {"id": idle.pk, "note": "kept"},
        {"id": stale.pk, "revision": 99},
        {"id": 99999999},
        {"id": good.pk},
        {"id": "x"},
        {},
    ]
    path = steps.company_of(api, "vendors/actions/send_to_erp")
    response = api.post(path, {"updates": rows})
    assert response.status_code == 200
    body = response.json()
    assert [entity["id"] for entity in body["entities"]] == [good.pk]
    assert [set(error["errors"]) for error in body["errors"]] == [
        {"is_active"},
        {"revision"},
        {"id"},
        {"id"},
        {"id"},
        {"id"},
    ]
    assert body["errors"][0]["note"] == "kept"
    assert Item.objects.get().record_id == good.pk
    back = api.post(
        steps.company_of(api, "vendors/actions/retrieve_from_erp"), {"updates": rows[:1]}
    )
    assert [entity["erp_status"] for entity in back.json()["entities"]] == ["not_in_erp"]


@pytest.mark.parametrize(
    "body, status",
    [
        ({}, 400),
        ({"updates": "x"}, 400),
        ({"updates": [1]}, 400),
        ({"updates": [{"id": 1}] * 1001}, 413),
    ],
)
def test_a_bulk_call_that_cannot_be_read_is_refused_whole(api, connection, body, status):
    path = steps.company_of(api, "vendors/actions/send_to_erp")
    assert api.post(path, body).status_code == status


# --- cost codes -----------------------------------------------------------------------------


@pytest.fixture
def codes(account, connection) -> list[CostCode]:
    """03 and 03-300 under it, on the list that the ERP got when it was connected."""
    code_list = list_services.erp_list(account.pk)
    assert code_list is not None
    top = CostCodeFactory.create(list=code_list, code="03")
    return [top, CostCodeFactory.create(list=code_list, code="300", parent=top)]


def code_path(api, code: CostCode, action: str) -> str:
    return steps.company_of(api, f"standard_cost_codes/{code.pk}/{action}")


def list_path(api, list_id: int, action: str) -> str:
    return steps.company_of(api, f"standard_cost_code_lists/{list_id}/actions/{action}")


def test_a_code_is_sent_together_with_the_one_above_it(api, codes):
    response = api.post(code_path(api, codes[1], "actions/send_to_erp"))
    assert response.status_code == 201, response.json()
    assert response.json()["item_type"] == "standard_cost_code"
    assert set(Item.objects.values_list("record_id", flat=True)) == {code.pk for code in codes}
    status = api.get(code_path(api, codes[0], "erp_status")).json()
    assert status["erp_status"] == "ready_to_export"


@pytest.fixture
def sender(make_service):
    """May send codes, and sees nothing of the ERP tool."""
    return make_service("Estimating", levels=Levels(admin=Level.ADMIN))


def test_a_sender_without_the_erp_tool_learns_the_state_but_not_the_item(sender, codes):
    body = sender.post(code_path(sender, codes[0], "actions/send_to_erp")).json()
    assert (body["erp_status"], body["erp_queue_id"]) == ("ready_to_export", None)
    assert steps.queue(sender).status_code == 403
    click = sender.get(steps.company_of(sender, f"erp_requests/{body['request_id']}"))
    assert (click.status_code, click.json()["done"]) == (200, 1)


def test_a_note_goes_along_with_a_single_code(sender, codes):
    sender.post(code_path(sender, codes[0], "actions/send_to_erp"), {"note": "New division"})
    assert Item.objects.get().note == "New division"


def test_a_click_of_somebody_else_is_closed_to_who_cannot_see_the_items(api, sender, codes):
    body = api.post(code_path(api, codes[0], "actions/send_to_erp")).json()
    click = sender.get(steps.company_of(sender, f"erp_requests/{body['request_id']}"))
    assert click.status_code == 403
    missing = api.get(steps.company_of(api, f"erp_requests/{uuid.uuid4()}"))
    assert missing.status_code == 404


def test_a_retrieved_code_brings_back_what_is_under_it(api, codes):
    api.post(code_path(api, codes[1], "actions/send_to_erp"))
    back = api.post(code_path(api, codes[0], "actions/retrieve_from_erp"))
    assert (back.status_code, back.json()["erp_status"]) == (200, "not_in_erp")
    assert set(Item.objects.values_list("state", flat=True)) == {State.RETRIEVED}
    assert api.post(code_path(api, codes[0], "actions/retrieve_from_erp")).status_code == 409


def test_a_whole_list_is_sent_and_taken_back(api, codes):
    sent = api.post(list_path(api, codes[0].list_id, "send_to_erp"))
    assert (sent.status_code, sent.json()["done"], sent.json()["refused"]) == (201, 2, [])
    again = api.post(list_path(api, codes[0].list_id, "send_to_erp"))
    assert again.status_code == 422
    assert "Nothing is left to send" in again.json()["message"]
    back = api.post(list_path(api, codes[0].list_id, "retrieve_from_erp"))
    assert (back.status_code, back.json()["done"]) == (200, 2)


def test_an_old_revision_of_a_list_is_409(api, codes):
    body = {"revision": codes[0].list.revision + 5}
    response = api.post(list_path(api, codes[0].list_id, "send_to_erp"), body)
    assert response.status_code == 409
    assert not Item.objects.exists()


def test_a_list_of_no_erp_cannot_be_sent(api, account, connection):
    plain = CodeListFactory.create(account=account)
    response = api.post(list_path(api, plain.pk, "send_to_erp"))
    assert response.status_code == 422
    assert "belongs to no ERP" in response.json()["message"]


def test_a_stranger_finds_neither_list_nor_code(stranger, codes):
    assert stranger.post(list_path(stranger, codes[0].list_id, "send_to_erp")).status_code == 404
    assert stranger.post(code_path(stranger, codes[0], "actions/send_to_erp")).status_code == 404


def test_who_may_only_read_codes_cannot_send_them(make_service, codes):
    only = make_service("Reads codes", levels=Levels(admin=Level.READ_ONLY))
    assert only.post(code_path(only, codes[0], "actions/send_to_erp")).status_code == 403
    assert only.post(list_path(only, codes[0].list_id, "retrieve_from_erp")).status_code == 403
    assert not Item.objects.exists()


@pytest.mark.parametrize("address", ["of one code", "of the list"])
def test_a_list_that_changes_before_the_click_is_stored_is_409(api, codes, address, monkeypatch):
    button = send_to_erp.sendable.button, send_to_erp.button

    def meanwhile(*args: Any, **options: Any) -> Any:
        CodeList.objects.update(revision=F("revision") + 1)
        return button[address == "of the list"](*args, **options)

    if address == "of the list":
        monkeypatch.setattr(send_to_erp, "button", meanwhile)
        path = list_path(api, codes[0].list_id, "send_to_erp")
    else:
        monkeypatch.setattr(send_to_erp.sendable, "button", meanwhile)
        path = code_path(api, codes[0], "actions/send_to_erp")
    refused = api.post(path)
    assert refused.status_code == 409
    (message,) = refused.json()["errors"]["revision"]
    assert "changed" in message
    assert not Item.objects.exists()
