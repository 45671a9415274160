"""The main job through the services: send, accept, export, synced."""

from __future__ import annotations

from erp_integrations.connections.adapter_loading import adapter_of
from erp_integrations.export import engine
from erp_integrations.models import Attempt, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.accept.services import Decision, accept
from erpbridge.audit.models import Event


def accept_item(item: Item, access, **values):
    values = {"vendor_type": "SUB", "vendor_id": "QUARRY01", **values}
    decision = Decision(item.pk, item.digest, values)
    return accept([decision], entity="vendor", access=access)


def test_an_accepted_company_arrives_in_the_erp_and_carries_its_id(
    connection, company, sent_item, access_of, pat
):
    types = [choice.code for choice in connection.choices.filter(kind="vendor_type")]
    done = accept_item(sent_item, access_of(pat), vendor_type=types[0])
    assert (done.done, done.refused) == (1, ())

    engine.drain(connection.pk)

    sent_item.refresh_from_db()
    company.refresh_from_db()
    vendor = adapter_of(connection).find("vendor", "QUARRY01")
    assert sent_item.state == State.SYNCED
    assert vendor.data["name"] == "Quarry & Sons, LLC"
    assert (company.origin_id, company.origin_code) == (vendor.erp_id, "QUARRY01")
    assert company.erp_state == State.SYNCED
    assert list(Attempt.objects.values_list("first_look", "outcome")) == [("absent", "applied")]
    verbs = Event.objects.filter(entity="vendor", subject_id=company.pk).order_by("id")
    assert list(verbs.values_list("verb", flat=True))[-4:] == ["send", "accept", "claim", "sync"]
