"""An ERP ID that a program gave is compared with the ERP's record before it is used for a write."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.models import CodeList, CostCode
from directory.models import Company
from erp_integrations.adapters.base import InboundAsk
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.api import serializers
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import settings as connection_settings
from erp_integrations.export.claim import claim
from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.export.delivery import polled
from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.states import State
from erp_integrations.sendable import Origin, link, note_agreement, send
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.audit.models import Event
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, CostCodeFactory, MembershipFactory, UserFactory


@pytest.fixture
def theirs(connection, synced_company):
    """A vendor of the ERP without a linked company; returns its row in the ledger."""
    Link.objects.update(ended_at=Link.objects.values_list("linked_at")[0][0])
    Company.objects.filter(pk=synced_company.pk).update(origin_id="", origin_code="")
    return row_of(connection)


def row_of(connection, key="QUARRY01"):
    return steps.ledger_of(connection).record("vendor", key)


def tell(record, erp_id, access, entity="vendor", code=None):
    """Give the record this ERP ID, as an integrator does over REST."""
    assert link(entity, {record.pk: Origin(id=str(erp_id), code=code)}, access=access) == {}


@pytest.fixture
def update(connection, account, ada, pat, access_of, theirs):
    """A company that was given the vendor's ID, renamed, sent, accepted and exported."""

    def make(name, *, code=None, erp_id=None) -> Item:
        company = CompanyFactory.create(account=account, name=name)
        tell(company, erp_id or theirs.id, access_of(ada), code=code)
        item = steps.update_item(company, access_of(ada), "Renamed Here, Inc.")
        done = steps.decide([item], access_of(pat))
        assert done.refused == ()
        steps.export(connection)
        item.refresh_from_db()
        return item

    return make


def test_another_record_is_not_overwritten_and_accounting_is_asked(update, connection, theirs):
    item = update("Summit Steel")
    assert row_of(connection) == theirs
    assert (item.state, item.error_class) == (State.FAILED, "conflict")
    assert item.error_text == (
        f"Summit Steel was linked to the ERP's ID {theirs.id} over the API. Name: “Quarry & Sons, "
        "LLC” in the ERP, “Summit Steel” here. Nothing was written."
    )
    assert "Use it anyway" in item.error_advice
    assert Link.objects.active().get().told


def test_a_key_that_differs_is_asked_about_too(update, connection, theirs):
    item = update("Quarry & Sons, LLC", code="OTHER01")
    assert row_of(connection) == theirs
    assert "“QUARRY01” in the ERP, “OTHER01” here" in item.error_text


@pytest.mark.parametrize("code", [None, "quarry01"])
def test_the_same_is_updated_under_the_key_and_version_that_it_has_there(
    update, connection, theirs, code
):
    item = update("quarry & sons llc", code=code)
    assert (item.state, item.error_text) == (State.SYNCED, "")
    now = row_of(connection)
    assert (now.id, now.version) == (theirs.id, theirs.version + 1)
    active_link = Link.objects.active().get()
    assert (active_link.told, active_link.erp_code) == (False, "QUARRY01")


def test_an_id_that_the_erp_does_not_have_is_said(update, connection, theirs):
    item = update("Quarry & Sons, LLC", erp_id="999999")
    assert (item.state, item.error_class) == (State.FAILED, "missing_ref")
    assert "the ERP holds nothing under it" in item.error_text
    assert row_of(connection) == theirs


def test_an_erp_that_does_not_answer_is_asked_later(update, connection, theirs, monkeypatch):
    monkeypatch.setattr(SimulatorAdapter, "fetch", lambda self, entity, erp_id: 1 / 0)
    item = update("Quarry & Sons, LLC")
    assert row_of(connection) == theirs
    assert item.state != State.SYNCED
    assert Link.objects.active().get().told


def page_of(item: Item) -> str:
    return reverse("erp:item", args=[item.account_id, item.public_id])


def test_who_may_accept_says_that_it_is_the_same_and_it_goes_on(
    update, connection, theirs, client_of, ada, pat
):
    item = update("Summit Steel", code="OTHER01")
    client = client_of(pat)
    page_text = client.get(page_of(item)).text
    assert "Use it anyway</button>" in page_text
    assert "What changes in the ERP" not in page_text
    url = reverse("erp:item_use", args=[item.account_id, item.public_id])
    assert "This field is required" in client.post(url, {"use-reason": " "}).text
    client.post(url, {"use-reason": "They changed their name.", "erp_id": theirs.id})
    event = Event.objects.get(verb="use_anyway")
    assert (event.actor, event.note) == (pat, "They changed their name.")
    assert event.data == {"erp_id": str(theirs.id)}
    steps.export(connection)
    item.refresh_from_db()
    assert item.state == State.SYNCED
    # Its key in the ERP is not changed to the code that the program gave.
    assert row_of(connection).version == theirs.version + 1
    assert Link.objects.active().get().erp_code == "QUARRY01"


def test_who_may_not_accept_cannot_say_so(update, client_of, reader):
    item = update("Summit Steel")
    url = reverse("erp:item_use", args=[item.account_id, item.public_id])
    assert client_of(reader).post(url, {"use-reason": "x"}).status_code in (403, 404)
    assert Link.objects.active().get().told


@pytest.fixture
def reader(pat):
    """A user who sees the items and may decide nothing."""
    user = UserFactory.create()
    MembershipFactory.create(user=user, account=pat.memberships.get().account, erp_integrations=2)
    return user


def test_the_sender_cannot_say_so_alone(update, client_of, ada, theirs):
    item = update("Summit Steel")
    url = reverse("erp:item_use", args=[item.account_id, item.public_id])
    client_of(ada).post(url, {"use-reason": "x", "erp_id": theirs.id})
    assert Link.objects.active().get().told


def test_an_id_that_was_told_after_the_page_was_opened_is_not_confirmed(
    update, client_of, pat, theirs
):
    item = update("Summit Steel")
    Link.objects.update(erp_id="4712")
    url = reverse("erp:item_use", args=[item.account_id, item.public_id])
    form = {"use-reason": "They changed their name.", "erp_id": theirs.id}
    page_text = client_of(pat).post(url, form, follow=True).text
    assert "another ERP ID than the one you looked at" in page_text
    assert Link.objects.active().get().told


def test_what_cannot_be_retried_is_not_confirmed_either(update, client_of, pat, theirs, connection):
    item = update("Summit Steel")
    Connection.objects.update(adapter="gone")
    url = reverse("erp:item_use", args=[item.account_id, item.public_id])
    form = {"use-reason": "They changed their name.", "erp_id": theirs.id}
    page_text = client_of(pat).post(url, form, follow=True).text
    assert "The ERP connection cannot be used" in page_text
    assert Link.objects.active().get().told
    assert not Event.objects.filter(verb="use_anyway").exists()


def test_rejected_it_can_be_unlinked(update, pat, ada, access_of, theirs, connection):
    item = update("Summit Steel")
    items = Item.objects.filter(pk=item.pk)
    accept_services.reject(items, entity="vendor", reason="Not ours", access=access_of(pat))
    assert link("vendor", {item.record_id: Origin(id="")}, access=access_of(ada)) == {}
    assert not Link.objects.active().exists()
    assert row_of(connection) == theirs


def test_over_rest_it_says_whether_it_was_compared(update, ada, access_of):
    item = update("Summit Steel")
    assert compared(item, access_of(ada)) is False
    item = update("Quarry & Sons, LLC", erp_id="999999")
    Link.objects.filter(record_id=item.record_id).update(told=False)
    assert compared(item, access_of(ada)) is True
    nowhere = CompanyFactory.create(account=item.account)
    item.record_id = nowhere.pk
    assert compared(item, access_of(ada)) is None


def compared(item, access):
    return serializers.records("vendor", [item.record_id], access)[item.record_id][
        "origin_compared"
    ]


@pytest.mark.parametrize("data, asked", [({}, True), ({"name": "Summit Steel"}, False)])
def test_a_read_of_the_erp_that_says_nothing_of_it_leaves_the_question(
    connection, account, ada, access_of, data, asked
):
    company = CompanyFactory.create(account=account, name="Summit Steel")
    tell(company, "7", access_of(ada))
    connection.erp_records.create(entity="vendor", erp_id="7", data=data)
    note_agreement(account.pk, "vendor", [company.pk])
    assert Link.objects.active().get().told is asked


# --- under a parent that a program named -------------------------------------------------------


def accepted_code(code, *, ada, pat) -> Item:
    """A code that Ada sent and Pat accepted."""
    assert send("cost_code", [code.pk], access=ada).done == 1
    item = Item.objects.get(record_id=code.pk)
    decision = accept_services.Decision(item.pk, item.digest, {"income_account": "4000"})
    assert accept_services.accept([decision], entity="cost_code", access=pat).refused == ()
    return item


@pytest.fixture
def family(connection, account, ada, pat, access_of):
    """A division that was given an ERP ID, and a code under it that is accepted and exported."""

    def make(erp_id) -> Item:
        codes = CodeList.objects.get(account=account)
        group = CostCodeFactory.create(list=codes, code="07", description="Concrete")
        child = CostCodeFactory.create(list=codes, parent=group, code="100")
        tell(group, erp_id, access_of(ada), entity="cost_code")
        item = accepted_code(child, ada=access_of(ada), pat=access_of(pat))
        steps.export(connection)
        item.refresh_from_db()
        return item

    return make


def test_nothing_is_made_under_what_is_not_there(family, connection):
    item = family("4711")
    assert item.state == State.FAILED
    assert "the ERP holds nothing under it" in item.error_text
    assert steps.ledger_of(connection).page("cost_code", 0, -1) == []


# --- an ERP that cannot be asked ----------------------------------------------------------------


def test_an_erp_that_cannot_be_asked_leaves_it_to_a_person_before_it_is_accepted(
    connection, account, ada, pat, access_of, client_of
):
    steps.change_config(connection, delivery="file")
    company = CompanyFactory.create(account=account, name="Summit Steel")
    tell(company, 7, access_of(ada))
    item = steps.update_item(company, access_of(ada), "Summit Steel, Inc.")
    (why,) = steps.reasons(steps.decide([item], access_of(pat)))
    assert "this ERP cannot be asked whether it is the same. Look there" in why
    url = reverse("erp:item_use", args=[item.account_id, item.public_id])
    client_of(pat).post(url, {"use-reason": "I have looked.", "erp_id": "7"})
    assert steps.decide([item], access_of(pat)).refused == ()


@pytest.fixture
def under_a_compared_division(connection, account, ada, pat, access_of):
    """A code that is accepted under a division whose ID was compared, where no worker can ask."""

    def make(delivery: str) -> Item:
        steps.change_config(connection, delivery=delivery)
        codes = CodeList.objects.get(account=account)
        group = CostCodeFactory.create(list=codes, code="07", description="Concrete")
        child = CostCodeFactory.create(list=codes, parent=group, code="100")
        tell(group, "4711", access_of(ada), entity="cost_code")
        Link.objects.update(told=False)
        return accepted_code(child, ada=access_of(ada), pat=access_of(pat))

    return make


def name_another_id(item: Item, access) -> None:
    tell(CostCode.objects.get(pk=item.parent_id), "4712", access, entity="cost_code")


def test_a_parent_that_was_told_another_id_meanwhile_holds_up_what_was_accepted_under_it(
    connection, account, ada, pat, access_of, client_of, under_a_compared_division
):
    item = under_a_compared_division("file")
    name_another_id(item, access_of(ada))
    with pytest.raises(file_delivery.NotDone, match="Nothing waits for a file"):
        file_delivery.make(connection, "cost_code", by=pat)
    item.refresh_from_db()
    assert item.waits_for == item.parent_id
    url = reverse("erp:item_use", args=[account.pk, item.public_id])
    client = client_of(pat)
    assert 'name="erp_id" value="4712"' in client.get(page_of(item)).text
    client.post(url, {"use-reason": "I have looked.", "erp_id": "4712"})
    assert b"4712" in bytes(file_delivery.make(connection, "cost_code", by=pat).content)


def test_nor_is_the_parent_told_another_one_while_an_erp_that_asks_has_the_code(
    connection, ada, access_of, under_a_compared_division
):
    item = under_a_compared_division("polled")
    (claimed,) = claim(connection, adapter_loading.manifest_of(connection))
    wanted = {item.parent_id: Origin(id="4712")}
    (why,) = link("cost_code", wanted, access=access_of(ada)).values()
    assert "It keeps its ERP ID" in why.message
    assert claimed.command.parent_erp_id == "4711"


# --- a delivery without lookups by a worker -----------------------------------------------------


@pytest.fixture
def accepted_update(connection, account, ada, pat, access_of, theirs) -> Item:
    """An item of a company with another's ERP ID; accepted while a worker could look it up."""
    company = CompanyFactory.create(account=account, name="Summit Steel")
    tell(company, theirs.id, access_of(ada))
    item = steps.update_item(company, access_of(ada), "Renamed Here, Inc.")
    assert steps.decide([item], access_of(pat)).refused == ()
    return item


def by_worker(connection, _pat):
    steps.export(connection)


def by_the_asking_erp(connection, _pat):
    manifest = adapter_loading.manifest_of(connection)
    batch = polled._batch(connection, manifest, InboundAsk(take=10), [])
    assert (batch.commands, batch.looks) == ([], [])


def by_file(connection, pat):
    with pytest.raises(file_delivery.NotDone, match="Nothing waits for a file"):
        file_delivery.make(connection, "vendor", by=pat)


@pytest.mark.parametrize(
    ("delivery", "goes"),
    [
        ("sync", by_worker),
        ("queued", by_worker),
        ("polled", by_the_asking_erp),
        ("file", by_file),
    ],
)
def test_an_update_by_an_id_that_nobody_compared_leaves_by_no_delivery(
    connection, accepted_update, theirs, ada, pat, delivery, goes
):
    config = {**connection.config, "delivery": delivery}
    connection_settings.configure(connection, name=connection.name, config=config, by=ada)
    goes(connection, pat)
    accepted_update.refresh_from_db()
    assert (accepted_update.state, accepted_update.error_class) == (State.FAILED, "conflict")
    assert "was linked to the ERP's ID" in accepted_update.error_text
    assert row_of(connection) == theirs
