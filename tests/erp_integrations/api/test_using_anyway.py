"""Use it anyway over REST: what an approver says of an ERP ID that a program named."""

from __future__ import annotations

import pytest
import requests

from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.states import State
from erp_integrations.sendable import Origin, link
from erpbridge.audit.models import Event
from tests.erp_integrations.api import steps
from tests.erp_integrations.steps import decide, ledger_of, unlink, update_item
from tests.factories import CompanyFactory

REASON = "They changed their name."


@pytest.fixture
def connection(account, ada) -> Connection:
    return steps.connect(account, by=ada)


@pytest.fixture
def update(connection, account, ada, pat, access_of) -> Item:
    """A failed update: the ERP has another name under the ID that a program gave."""
    quarry, summit = (
        CompanyFactory.create(account=account, name=name)
        for name in ("Quarry & Sons, LLC", "Summit Steel")
    )
    first = update_item(quarry, access_of(ada), "Quarry & Sons, LLC")
    assert decide([first], access_of(pat), vendor_id="QUARRY01").refused == ()
    steps.export(connection)
    theirs = Link.objects.get()
    assert unlink(theirs, by=ada) == {}
    origins = {summit.pk: Origin(id=theirs.erp_id)}
    assert link("vendor", origins, access=access_of(ada)) == {}
    item = update_item(summit, access_of(ada), "Summit Steel, Inc.")
    assert decide([item], access_of(pat)).refused == ()
    steps.export(connection)
    item.refresh_from_db()
    assert (item.state, item.error_class) == (State.FAILED, "conflict")
    return item


def body_of(item_body: dict) -> dict:
    """What a client sends after it has read the item."""
    ids = [entry["origin_id"] for entry in item_body["not_compared"]]
    return {"digest": item_body["digest"], "origin_ids": ids, "reason": REASON}


def asked(item: Item) -> bool:
    return Link.objects.active().get(record_id=item.record_id).told


@pytest.mark.django_db(transaction=True)
def test_a_client_reads_what_differs_says_that_it_is_the_same_and_it_is_exported(
    live_server, api, update, connection
):
    address = f"{live_server.url}/rest/v1.0/companies/{api.company}/erp_queue/{update.pk}"
    with requests.Session() as web:
        web.headers["Authorization"] = f"Bearer {api.token}"
        item_body = web.get(address, timeout=30).json()
        (entry,) = item_body["not_compared"]
        assert entry["label"] == "Summit Steel"
        assert f"the ERP's ID {entry['origin_id']} over the API" in entry["message"]
        assert "use_anyway" in item_body["available_actions"]
        done = web.post(f"{address}/actions/use_anyway", json=body_of(item_body), timeout=30)
        assert (done.status_code, done.json()["erp_status"]) == (200, "exporting")
        assert done.headers["ETag"] == web.get(address, timeout=30).headers["ETag"]
        assert done.json()["not_compared"] == []
        again = web.post(f"{address}/actions/use_anyway", json=body_of(item_body), timeout=30)
        assert again.status_code == 409
    steps.export(connection)
    update.refresh_from_db()
    assert update.state == State.SYNCED
    assert (
        "Summit Steel, Inc." in ledger_of(connection).record("vendor", "QUARRY01").values.values()
    )
    event = Event.objects.get(verb="use_anyway")
    assert (event.note, event.data) == (REASON, {"erp_id": entry["origin_id"]})


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"origin_ids": None}, 400, "origin_ids"),
        ({"origin_ids": []}, 400, "origin_ids"),
        ({"origin_ids": "V-1"}, 422, "origin_ids"),
        ({"origin_ids": [{}]}, 422, "origin_ids"),
        ({"reason": " "}, 422, "reason"),
        ({"origin_ids": ["V-99"]}, 409, "origin_ids"),
        ({"digest": "0" * 64}, 409, "state"),
    ],
    ids=["missing", "none", "text", "object", "no-reason", "another-id", "another-revision"],
)
def test_a_call_that_is_wrong_or_late_confirms_nothing(api, update, given, status, field):
    body = body_of(steps.show(api, update).json())
    refused = steps.act(api, update, "use_anyway", body | given)
    assert (refused.status_code, list(refused.json()["errors"])) == (status, [field])
    assert asked(update)


def test_the_sender_needs_a_second_approver(api, update):
    body = body_of(steps.show(api, update).json())
    Item.objects.update(sent_by=api.made.application.service.user)
    assert "use_anyway" not in steps.show(api, update).json()["available_actions"]
    refused = steps.act(api, update, "use_anyway", body)
    assert (refused.status_code, list(refused.json()["errors"])) == (403, ["sent_by"])
    assert asked(update)


def test_an_item_that_cannot_be_retried_is_not_confirmed_either(api, update):
    body = body_of(steps.show(api, update).json())
    Connection.objects.update(adapter="gone")
    refused = steps.act(api, update, "use_anyway", body)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["connection"])
    assert asked(update)
    assert not Event.objects.filter(verb="use_anyway").exists()
