"""A change of the delivery, or of its times, while items of the connection are being exported."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from admin_wbs.models import CodeList
from erp_integrations.adapters.base import InboundAsk
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import settings as connection_settings
from erp_integrations.export.claim import claim
from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.export.delivery import polled
from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.states import MAY_HAVE_LEFT, State
from erp_integrations.sendable import Origin, link
from tests.admin_wbs import steps as wbs
from tests.erp_integrations import steps
from tests.factories import CostCodeFactory

DELIVERIES = ["sync", "queued", "polled", "file"]


def change(connection, by, **config) -> None:
    connection.refresh_from_db()
    config = {**connection.config, **config}
    connection_settings.configure(connection, name=connection.name, config=config, by=by)


def refusal(connection, by, **config) -> dict[str, list[str]]:
    """The reason of the refusal; nothing is changed."""
    before = Connection.objects.values().get(pk=connection.pk)
    with pytest.raises(ValidationError) as caught:
        change(connection, by, **config)
    assert Connection.objects.values().get(pk=connection.pk) == before
    return caught.value.message_dict


# --- what may have left -----------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(MAY_HAVE_LEFT))
def test_what_may_have_left_is_settled_the_way_it_left(connection, accepted_item, ada, state):
    claim(connection, adapter_loading.manifest_of(connection))
    if state != State.SENDING:
        Item.objects.update(state=state, lease_until=None)
    (why,) = refusal(connection, ada, delivery="file")["delivery"]
    assert why == (
        "Delivery cannot be changed now: 1 company may have reached the ERP through the current "
        "setting, and only through it can their results be read. Wait until they are exported, "
        "answer those that need an answer, then change it."
    )


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_whatever_the_delivery(connection, accepted_item, ada, pat, delivery):
    change(connection, ada, delivery=delivery, latency_ms=10_000)
    if delivery == "file":
        file_delivery.make(connection, "vendor", by=pat)
    elif delivery == "queued":
        steps.export(connection)
    else:
        claim(connection, adapter_loading.manifest_of(connection))
    for other in {*DELIVERIES} - {delivery}:
        assert list(refusal(connection, ada, delivery=other)) == ["delivery"]


def test_a_time_that_says_when_an_answer_is_final_stays_too(connection, accepted_item, ada):
    change(connection, ada, fault="late")
    claim(connection, adapter_loading.manifest_of(connection))
    assert list(refusal(connection, ada, fault="none")) == ["fault"]


def test_other_settings_change_all_the_same(connection, accepted_item, ada):
    claim(connection, adapter_loading.manifest_of(connection))
    change(connection, ada, latency_ms=7)
    connection.refresh_from_db()
    assert connection.config["latency_ms"] == 7


def test_the_settings_page_says_so_beside_the_setting(
    connection, accepted_item, account, ada, client_of
):
    claim(connection, adapter_loading.manifest_of(connection))
    url = reverse("erp:configure", args=[account.pk, connection.pk])
    posted = {**connection.config, "name": connection.name, "delivery": "polled"}
    assert "Delivery cannot be changed now: 1 company" in client_of(ada).post(url, posted).text
    connection.refresh_from_db()
    assert connection.config["delivery"] == "sync"


# --- what waits -------------------------------------------------------------------------------


def by_worker(connection, _pat) -> None:
    steps.export(connection)
    assert Item.objects.get().state in (State.SYNCED, State.SUBMITTED)


def by_the_asking_erp(connection, _pat) -> None:
    manifest = adapter_loading.manifest_of(connection)
    batch = polled._batch(connection, manifest, InboundAsk(take=10), [])
    assert [look.key for look in batch.looks] == ["QUARRY01"]


def by_file(connection, pat) -> None:
    assert b"QUARRY01" in bytes(file_delivery.make(connection, "vendor", by=pat).content)


@pytest.mark.parametrize("before", DELIVERIES)
@pytest.mark.parametrize(
    ("after", "goes"),
    [
        ("sync", by_worker),
        ("queued", by_worker),
        ("polled", by_the_asking_erp),
        ("file", by_file),
    ],
)
def test_what_was_accepted_and_waits_goes_the_new_way(
    connection, sent_item, ada, pat, access_of, before, after, goes
):
    change(connection, ada, delivery=before)
    assert steps.decide([sent_item], access_of(pat), vendor_id="QUARRY01").refused == ()
    change(connection, ada, delivery=after)
    goes(connection, pat)


def test_what_waited_for_a_person_to_compare_its_parent_goes_on_where_a_worker_can(
    connection, account, ada, pat, access_of
):
    codes = CodeList.objects.get(account=account)
    group = CostCodeFactory.create(list=codes, code="07", description="Concrete")
    child = CostCodeFactory.create(list=codes, parent=group, code="100")
    assert link("cost_code", {group.pk: Origin(id="4711")}, access=access_of(ada)) == {}
    assert wbs.send(codes, access_of(ada), child).done == 1
    assert wbs.accept(wbs.waiting(codes), access_of(pat)).done == 1
    change(connection, ada, delivery="file")
    with pytest.raises(file_delivery.NotDone):
        file_delivery.make(connection, "cost_code", by=pat)
    item = Item.objects.get()
    assert item.waits_for == group.pk
    change(connection, ada, delivery="sync")
    steps.export(connection)
    item.refresh_from_db()
    assert (item.state, item.waits_for) == (State.FAILED, None)
    assert "the ERP holds nothing under it" in item.error_text
    assert Link.objects.active().get().told
