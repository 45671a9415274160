"""Linked records are listed as synced, however they were linked; unlinked ones show it at once."""

from __future__ import annotations

import importlib
import uuid

import pytest
from django.apps import apps
from django.urls import reverse

from directory.companies import services as company_services
from erp_integrations.models import ErpRecord, Item, Link
from erp_integrations.models.querysets import tab_counts
from erp_integrations.models.states import State
from erp_integrations.sendable import send
from erp_integrations.workflow.links import external_ids
from erp_integrations.workflow.links.link_existing import link_existing
from erp_integrations.workflow.links.record_columns import Origin
from erpbridge.audit.models import Event
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, ItemFactory, ProjectMembershipFactory


def synced_page(client, account):
    url = reverse("erp:companies", args=[account.pk])
    return client.get(url, {"status": "synced"})


def counts(account):
    return tab_counts(Item.objects.filter(account=account), Link.objects.all())


def item_page(client, item):
    return client.get(reverse("erp:item", args=[item.account_id, item.public_id]))


def unlink(company, by, why="Wrong vendor."):
    assert not steps.unlink(Link.objects.active().get(record_id=company.pk), by=by, why=why)
    company.refresh_from_db()


def test_after_unlinking_list_counter_badge_and_history_say_so(
    client_of, ada, account, synced_company, accepted_item
):
    client = client_of(ada)
    assert counts(account)["synced"] == 1
    assert synced_company.name in synced_page(client, account).text.replace("&amp;", "&")
    client.post(
        reverse("erp:item_unlink", args=[account.pk, accepted_item.public_id]),
        {"unlink-reason": "Wrong vendor."},
    )
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.UNLINKED
    assert counts(account)["synced"] == 0
    assert "Nothing synced yet" in synced_page(client, account).text
    page = item_page(client, accepted_item).text
    assert "Was ERP ID" in page
    assert "no longer linked to QUARRY01. Unlinked by Ada Admin: Wrong vendor." in page
    event = Event.objects.filter(data__item=str(accepted_item.public_id)).latest("pk")
    assert (event.verb, event.from_state, event.to_state) == ("unlink", "synced", "unlinked")
    click = client.get(reverse("erp:request", args=[account.pk, accepted_item.request_id])).text
    assert "0 of 1 synced, 1 unlinked since" in click


def test_every_export_of_the_record_is_unlinked_and_tells_it_in_its_history(
    client_of, ada, pat, account, access_of, connection, synced_company, accepted_item
):
    update = steps.update_item(synced_company, access_of(ada), "Quarry & Daughters, LLC")
    steps.decide([update], access_of(pat))
    steps.export(connection)
    unlink(synced_company, ada)
    states = set(Item.objects.values_list("state", flat=True))
    assert states == {State.UNLINKED}
    assert Event.objects.filter(verb="unlink").count() == 1
    for item in Item.objects.all():
        history = item_page(client_of(ada), item).context["history"]
        assert (history[0]["event"], history[0]["note"]) == ("unlink", "Wrong vendor.")


def test_a_record_sent_again_after_unlinking_is_synced_by_its_new_item(
    client_of, ada, pat, account, access_of, connection, synced_company
):
    unlink(synced_company, ada)
    (again,) = steps.send_all([synced_company], access_of(ada))
    assert steps.decide([again], access_of(pat), vendor_id="QUARRY02").done == 1
    steps.export(connection)
    assert list(Item.objects.order_by("pk").values_list("state", flat=True)) == [
        State.UNLINKED,
        State.SYNCED,
    ]
    assert counts(account)["synced"] == 1


@pytest.fixture
def linked_company(request, account, ada, access_of, connection):
    """A company that was linked without being exported, in the way that the test names."""
    company = CompanyFactory.create(account=account, name="Granite Yard")
    if request.param == "over REST":
        wanted = {company.pk: Origin(id="V-77", code="GRANITE7")}
        assert external_ids.link("vendor", wanted, access=access_of(ada)) == {}
    else:
        ErpRecord.objects.create(
            connection=connection, entity="vendor", erp_id="V-77", erp_code="GRANITE7"
        )
        assert link_existing(account.pk, "vendor", {company.pk: "V-77"}, by=ada) == [company.pk]
    company.refresh_from_db()
    return company


@pytest.mark.parametrize("linked_company", ["over REST", "to what is there"], indirect=True)
def test_a_record_that_was_never_exported_is_listed_once_it_is_linked(
    client_of, ada, account, linked_company
):
    page = synced_page(client_of(ada), account)
    (row,) = page.context["rows"]
    assert (str(row["link"]), row["badge"].key) == ("Granite Yard", "synced")
    assert "GRANITE7" in page.text
    assert "Linked without an export" in page.text
    assert counts(account)["synced"] == 1
    unlink(linked_company, ada)
    assert counts(account)["synced"] == 0


def test_clearing_the_id_over_rest_unlinks_and_is_told_once(
    ada, access_of, synced_company, accepted_item
):
    wanted = {synced_company.pk: Origin(id="")}
    assert external_ids.link("vendor", wanted, access=access_of(ada)) == {}
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.UNLINKED
    assert Event.objects.filter(verb="unlink", subject_id=synced_company.pk).count() == 1


def test_another_id_over_rest_ends_the_old_link_and_lists_the_new_one(
    ada, account, access_of, synced_company, accepted_item
):
    wanted = {synced_company.pk: Origin(id="OTHER")}
    assert external_ids.link("vendor", wanted, access=access_of(ada)) == {}
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.UNLINKED
    assert Link.objects.active().get().erp_id == "OTHER"
    events = Event.objects.filter(subject_id=synced_company.pk).order_by("-pk")[:2]
    assert [event.verb for event in events] == ["link", "unlink"]


def test_a_synced_record_whose_update_waits_is_listed_as_it_stands(
    client_of, ada, account, access_of, synced_company
):
    update = steps.update_item(synced_company, access_of(ada), "Quarry & Daughters, LLC")
    assert update.state == State.READY
    (row,) = synced_page(client_of(ada), account).context["rows"]
    assert row["badge"].key == "ready"


def test_a_renamed_record_is_listed_by_its_present_name(ada, synced_company):
    values = {"name": "Quarry & Daughters"}
    company_services.edit(synced_company, values=values, seen=synced_company.revision, by=ada)
    assert Link.objects.active().get().label == "Quarry & Daughters"


def test_links_of_before_are_named_and_items_whose_link_has_ended_are_unlinked(
    account, ada, access_of, synced_company, accepted_item
):
    """The migration, over rows as the release before left them."""
    linked = CompanyFactory.create(account=account, name="Granite Yard")
    assert external_ids.link("vendor", {linked.pk: Origin(id="V-77")}, access=access_of(ada)) == {}
    active = Link.objects.get(record_id=synced_company.pk)
    ended = ItemFactory.create(
        account=account,
        connection=active.connection,
        record_id=synced_company.pk,
        state=State.SYNCED,
        erp_id="OLD",
        intent=uuid.uuid4(),
    )
    Link.objects.update(label="", item=None)
    migration = importlib.import_module("erp_integrations.migrations.0010_links_listed")
    migration.name_links(apps, None)
    active.refresh_from_db()
    ended.refresh_from_db()
    assert (active.label, active.item) == ("Quarry & Sons, LLC", accepted_item)
    assert Link.objects.get(record_id=linked.pk).label == "Granite Yard"
    assert ended.state == State.UNLINKED
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.SYNCED


def test_the_synced_list_is_searched_sorted_and_of_the_project_in_a_project(
    client_of, ada, account, project, access_of, connection, pat
):
    ProjectMembershipFactory.create(
        membership=ada.memberships.get(), project=project, erp_integrations=3
    )
    names = ["Birch", "Alder", "Cedar"]
    companies = [CompanyFactory.create(account=account, name=name) for name in names]
    assert send("vendor", [company.pk for company in companies], access=access_of(ada)).done == 3
    steps.decide(Item.objects.all(), access_of(pat))
    steps.export(connection)
    Item.objects.filter(label="Cedar").update(project=project)
    client = client_of(ada)
    url = reverse("erp:companies", args=[account.pk])

    def listed_names(**query):
        page = client.get(url, {"status": "synced", **query})
        return [str(row["link"]) for row in page.context["rows"]]

    assert listed_names(sort="name") == ["Alder", "Birch", "Cedar"]
    assert listed_names(q="alder0") == ["Alder"]
    assert listed_names(q="ceda") == ["Cedar"]
    in_project = client.get(
        reverse("erp:project_companies", args=[account.pk, project.pk]), {"status": "synced"}
    )
    assert [str(row["link"]) for row in in_project.context["rows"]] == ["Cedar"]


def test_unlink_and_withdraw_say_what_becomes_of_the_reason(
    client_of, ada, connection, accepted_item, pat
):
    page = item_page(client_of(pat), accepted_item).text
    assert "for whoever decides about it next" in page
    steps.export(connection)
    page = item_page(client_of(ada), accepted_item).text
    assert "Say why the two do not belong together." in page
    assert "Say what has to change" not in page
