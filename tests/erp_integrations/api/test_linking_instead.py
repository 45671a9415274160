"""Link instead over REST: offered with both sides where the ERP holds the ID already."""

from __future__ import annotations

import pytest

from directory.models import Company
from erp_integrations.adapters.base import Found
from erp_integrations.connections import refresh
from erp_integrations.models import Item
from erp_integrations.sendable import send
from tests.erp_integrations.api import steps
from tests.factories import CompanyFactory


@pytest.fixture
def waiting(account, ada, access_of):
    """A company that Ada has sent, and a vendor of the ERP that may be the same."""
    connection = steps.connect(account, by=ada)
    company = CompanyFactory.create(account=account, name="Cedar Glass", city="Salem")
    assert send("vendor", [company.pk], access=access_of(ada)).done == 1
    erp_record = Found("V-1", "CEDAR1", "", {"name": "Cedar Glass", "city": "Easton"})
    refresh.keep_records(connection, "vendor", {"V-1": erp_record})
    return Item.objects.select_related("connection").get()


def test_a_taken_id_is_refused_with_what_the_erp_holds_and_linked_instead(api, waiting):
    item_body = steps.show(api, waiting).json()
    (match,) = item_body["erp_matches"]
    assert (match["origin_id"], match["same"], match["linked_to"]) == ("V-1", ["Name"], None)
    assert {"label": "City", "in_erp": "Easton", "sent": "Salem", "differs": True} in match[
        "fields"
    ]
    assert "link_instead" in item_body["available_actions"]

    values = {"vendor_id": "CEDAR1", "vendor_type": steps.a_type(waiting.connection)}
    body = {"digest": waiting.digest, "acceptance": values}
    refused = steps.act(api, waiting, "accept", body)
    assert refused.status_code == 422
    errors = refused.json()["errors"]
    assert "Link instead if it is the same" in errors["vendor_id"][0]
    assert "link_instead with origin_id V-1" in errors["link_instead"][0]
    assert "City: the ERP holds Easton; sent was Salem" in errors["link_instead"]

    link = {"digest": waiting.digest, "origin_id": "V-1"}
    done = steps.act(api, waiting, "link_instead", link)
    assert (done.status_code, done.json()["state"]) == (200, "synced")
    assert Company.objects.get().origin_id == "V-1"
    assert steps.act(api, waiting, "link_instead", link).status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"digest": "as read"}, 400), ({"digest": "x", "origin_id": "V-1"}, 409)],
    ids=["nothing", "no-id", "another-revision"],
)
def test_linking_instead_says_what_is_wrong_with_the_call(api, waiting, body, status):
    if body.get("digest") == "as read":
        body = {"digest": waiting.digest}
    answer = steps.act(api, waiting, "link_instead", body)
    assert answer.status_code == status
    assert steps.show(api, waiting).json()["state"] == "ready"


def test_an_id_that_the_erp_does_not_hold_is_named(api, waiting):
    body = {"digest": waiting.digest, "origin_id": "V-9"}
    answer = steps.act(api, waiting, "link_instead", body)
    assert answer.status_code == 422
    assert "no record 'V-9'" in answer.json()["errors"]["origin_id"][0]
