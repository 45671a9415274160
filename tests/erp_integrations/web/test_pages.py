"""The pages of ERP Integrations, as their users open them."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection as db
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from directory.models import Company, ProjectCompany
from erp_integrations.adapters.simulator.faults import set_fault
from erp_integrations.connections import adapter_loading
from erp_integrations.export import engine
from erp_integrations.models import ErpRecord, Item, Link
from erp_integrations.models.states import State, states_of_tab
from erp_integrations.sendable import send
from erpbridge.access.levels import Level
from tests.erp_integrations import steps
from tests.factories import (
    CompanyFactory,
    ItemFactory,
    MembershipFactory,
    ProjectMembershipFactory,
    TradeFactory,
    UserFactory,
)


@pytest.fixture
def list_url(account):
    return reverse("erp:companies", args=[account.pk])


def item_url(item, name="item"):
    return reverse(f"erp:{name}", args=[item.account_id, item.public_id])


def test_the_list_shows_what_waits(client_of, pat, sent_item, list_url):
    page = client_of(pat).get(list_url).content.decode()
    assert "Quarry &amp; Sons, LLC" in page
    assert "Accept" in page


def test_the_item_page_shows_the_exact_payload_and_proposes_an_id(client_of, pat, sent_item):
    page = client_of(pat).get(item_url(sent_item)).content.decode()
    assert "vendor_name" in page
    assert 'value="QUARRYS001"' in page


def test_accepting_on_the_page_exports_the_company(client_of, pat, sent_item, connection):
    client = client_of(pat)
    values = {"digest": sent_item.digest, "vendor_id": "quarry1", "vendor_type": ""}
    refused = client.post(item_url(sent_item, "item_accept"), values)
    assert "This field is required" in refused.content.decode()

    values["vendor_type"] = connection.choices.first().code
    client.post(item_url(sent_item, "item_accept"), values)
    engine.drain(connection.pk)

    company = Company.objects.get()
    assert company.origin_code == "QUARRY1"
    assert "Synced" in client.get(item_url(sent_item)).content.decode()


def test_a_wrong_value_does_not_make_a_later_revision_one_that_was_looked_at(
    client_of, pat, sent_item, connection
):
    client, kind = client_of(pat), connection.choices.first().code
    values = {"digest": "0" * 64, "vendor_id": "QUARRY1", "vendor_type": ""}
    again = client.post(item_url(sent_item, "item_accept"), values).content.decode()
    assert f'name="digest" value="{"0" * 64}"' in again
    refused = client.post(item_url(sent_item, "item_accept"), values | {"vendor_type": kind})
    assert "It is not the revision you looked at." in refused.content.decode()
    assert f'name="digest" value="{sent_item.digest}"' in refused.content.decode()


def test_a_taken_id_is_said_at_its_field_and_nothing_typed_is_lost(
    client_of, pat, sent_item, connection, account, ada, access_of
):
    other = CompanyFactory.create(account=account, name="Granite Yard")
    send("vendor", [other.pk], access=access_of(ada))
    client = client_of(pat)
    kind = connection.choices.first().code
    for item in (sent_item, Item.objects.get(record_id=other.pk)):
        values = {"digest": item.digest, "vendor_id": "SAME1", "vendor_type": kind}
        answer = client.post(item_url(item, "item_accept"), values)
    page = answer.content.decode()
    assert "SAME1 is taken by Quarry &amp; Sons, LLC, accepted by Pat Approver" in page
    assert 'value="SAME1"' in page


def test_without_the_flag_lists_can_be_read_and_nothing_decided(
    client_of, sam, account, sent_item, list_url
):
    membership = sam.memberships.get()
    membership.erp_integrations = 2
    membership.save()
    client = client_of(sam)
    assert "You can view, not decide" in client.get(list_url).content.decode()
    answer = client.post(item_url(sent_item, "item_accept"), {"digest": sent_item.digest})
    assert answer.status_code == 403
    sent_item.refresh_from_db()
    assert sent_item.state == State.READY


def test_many_are_accepted_with_a_proposed_id_each(
    client_of, pat, account, ada, access_of, connection, list_url
):
    companies = [CompanyFactory.create(account=account, name="Stone Works") for _ in range(5)]
    send("vendor", [company.pk for company in companies], access=access_of(ada))
    client = client_of(pat)
    url = reverse("erp:accept_many", args=[account.pk, "companies"])
    asked = client.post(url, {"all": "1", "query": "status=ready"})
    assert asked.content.decode().count("STONEWO00") == 5

    kind = connection.choices.first().code
    ids = list(Item.objects.values_list("pk", flat=True))
    done = client.post(url, {"ids": ids, "confirm": "1", "vendor_type": kind}, follow=True)
    assert "5 companies accepted" in done.content.decode()
    engine.drain(connection.pk)
    codes = Company.objects.order_by("pk").values_list("origin_code", flat=True)
    assert list(codes) == [f"STONEWO00{n}" for n in range(1, 6)]


def test_all_of_a_list_that_was_empty_when_the_page_was_opened_is_nothing(
    client_of, pat, account, sent_item
):
    url = reverse("erp:accept_many", args=[account.pk, "companies"])
    given = {"all": "1", "query": "status=ready", "upto": "0", "confirm": "1"}
    page = client_of(pat).post(url, given, follow=True).content.decode()
    assert "none of the rows is in this list any more" in page
    sent_item.refresh_from_db()
    assert sent_item.state == State.READY


def test_failed_items_are_retried_also_below_one_that_needs_an_answer(
    client_of, pat, account, ada, access_of, connection
):
    companies = [CompanyFactory.create(account=account, name=name) for name in ("Rock", "Ore")]
    items = steps.send_all(companies, access_of(ada))
    assert steps.decide(items, access_of(pat)).done == 2
    asking, failed = Item.objects.order_by("pk")
    Item.objects.filter(pk=asking.pk).update(state=State.NEEDS_ANSWER)
    Item.objects.filter(pk=failed.pk).update(state=State.FAILED)
    kind = connection.choices.first().code
    given = {"ids": [asking.pk, failed.pk], "confirm": "1", "vendor_type": kind}
    url = reverse("erp:accept_many", args=[account.pk, "companies"])
    page = client_of(pat).post(url, given, follow=True).content.decode()
    assert "Already decided by Pat" in page
    assert list(Item.objects.order_by("pk").values_list("state", flat=True)) == [
        State.NEEDS_ANSWER,
        State.QUEUED,
    ]


def test_many_are_accepted_each_with_its_own_fields_and_what_tells_it_apart(
    client_of, pat, account, ada, access_of, connection
):
    trade = TradeFactory.create(account=account, name="Masonry")
    first = CompanyFactory.create(
        account=account, name="Stone", city="Easton", entity_type="ein", entity_id="12-3456789"
    )
    first.trades.add(trade)
    second, third = (CompanyFactory.create(account=account, name=name) for name in ("Rock", "Ore"))
    items = steps.send_all([first, second, third], access_of(ada))
    client, url = client_of(pat), reverse("erp:accept_many", args=[account.pk, "companies"])
    asked = client.post(url, {"ids": [item.pk for item in items], "query": "q=o"})
    page = " ".join(asked.content.decode().split())
    assert "Easton" in page
    assert "12-3456789" in page
    assert "Masonry" in page
    kinds = list(connection.choices.filter(kind="vendor_type").values_list("code", flat=True))
    given = {"confirm": "1", "ids": [item.pk for item in items]}
    given |= {f"digest-{item.pk}": item.digest for item in items}
    given |= {f"value-{items[0].pk}-vendor_type": kinds[0]}
    given |= {f"value-{item.pk}-vendor_id": f"OWN{item.pk}" for item in items}
    lacking = client.post(url, given).content.decode()
    assert "2 rows have none of their own." in lacking
    assert f'value="OWN{items[0].pk}"' in lacking
    assert not Item.objects.exclude(state=State.READY).exists()
    done = client.post(url, {**given, "vendor_type": kinds[1]}, follow=True)
    assert "3 companies accepted" in done.content.decode()
    stored = [item.acceptance for item in Item.objects.order_by("pk")]
    assert [values["vendor_type"] for values in stored] == [kinds[0], kinds[1], kinds[1]]
    assert [values["vendor_id"] for values in stored] == [f"OWN{item.pk}" for item in items]


def test_what_was_handed_back_is_listed_once_and_only_while_it_stands_so(
    client_of, pat, ada, account, access_of, connection, company, list_url
):
    client, sender = client_of(pat), access_of(ada)

    def returned() -> list[str]:
        page = client.get(list_url, {"status": "returned"})
        tab = next(tab for tab in page.context["tabs"] if tab.label == "Rejected & retrieved")
        assert tab.count == str(len(page.context["rows"]))
        return [row["item"].decision_note for row in page.context["rows"]]

    for reason in ("No W-9.", "Still no W-9."):
        (item,) = steps.send_all([company], sender)
        assert returned() == []
        client.post(item_url(item, "item_reject"), {"reject-reason": reason})
        assert returned() == [reason]
    (item,) = steps.send_all([company], sender)
    accepted_and_exported(item, client, connection)
    assert returned() == []


def test_rejecting_needs_a_reason_which_the_sender_reads(client_of, pat, sent_item):
    client = client_of(pat)
    client.post(item_url(sent_item, "item_reject"), {"reject-reason": ""})
    sent_item.refresh_from_db()
    assert sent_item.state == State.READY
    client.post(item_url(sent_item, "item_reject"), {"reject-reason": "Ask for the W-9 first."})
    sent_item.refresh_from_db()
    assert (sent_item.state, sent_item.decision_note) == (
        State.REJECTED,
        "Ask for the W-9 first.",
    )


def test_a_sent_click_lists_every_refusal_with_its_number(
    client_of, ada, account, access_of, connection
):
    long = CompanyFactory.create(account=account, name="A" * 42)
    done = send("vendor", [long.pk], access=access_of(ada))
    url = reverse("erp:request", args=[account.pk, done.request_id])
    page = client_of(ada).get(url).content.decode()
    assert "1 company refused" in page
    assert "Name must be 30 characters or fewer; it has 42." in page


@pytest.mark.parametrize("status", ["ready", "exporting", "failed", "synced", "returned", "odd"])
def test_every_list_has_an_empty_state(client_of, pat, account, list_url, status):
    page = client_of(pat).get(list_url, {"status": status})
    assert page.status_code == 200
    assert 'class="empty"' in page.content.decode()


def test_the_connection_page_says_what_the_erp_takes(client_of, ada, account, connection):
    page = client_of(ada).get(reverse("erp:connection", args=[account.pk])).content.decode()
    assert "at most 30 characters" in page
    assert "Working" in page


def accepted_and_exported(item, client, connection, vendor_id="QUARRY1"):
    kind = connection.choices.first().code
    values = {"digest": item.digest, "vendor_id": vendor_id, "vendor_type": kind}
    client.post(item_url(item, "item_accept"), values)
    engine.drain(connection.pk)


def company_page(client, company):
    return client.get(
        reverse("directory:account_company", args=[company.account_id, company.pk])
    ).content.decode()


def test_who_configures_can_connect_another_erp(client_of, ada, account, connection):
    looks = UserFactory.create()
    MembershipFactory.create(user=looks, account=account, erp_integrations=Level.READ_ONLY)
    page = reverse("erp:connection", args=[account.pk])
    leads = f'href="{reverse("erp:connection_create", args=[account.pk])}"'
    assert leads in client_of(ada).get(page).text
    assert leads not in client_of(looks).get(page).text


def test_the_sender_reads_on_the_record_who_rejected_it_and_why(
    client_of, ada, pat, sent_item, company
):
    reason = {"reject-reason": "Ask for the W-9 first."}
    client_of(pat).post(item_url(sent_item, "item_reject"), reason)
    page = company_page(client_of(ada), company)
    assert "Rejected by Pat Approver" in page
    assert "Ask for the W-9 first." in page
    assert "Re-send to ERP" in page


def test_an_edit_after_the_sync_shows_as_drift(client_of, ada, pat, sent_item, company, connection):
    accepted_and_exported(sent_item, client_of(pat), connection)
    assert "Changed since it was synced" not in company_page(client_of(ada), company)
    Company.objects.filter(pk=company.pk).update(city="Easton")
    page = company_page(client_of(ada), company)
    assert "Changed since it was synced: City" in page


def test_unlinking_needs_a_reason_and_frees_the_company(
    client_of, ada, pat, sent_item, company, connection
):
    accepted_and_exported(sent_item, client_of(pat), connection)
    client = client_of(ada)
    client.post(item_url(sent_item, "item_unlink"), {"unlink-reason": ""})
    company.refresh_from_db()
    assert company.origin_code == "QUARRY1"
    client.post(item_url(sent_item, "item_unlink"), {"unlink-reason": "Wrong vendor."})
    company.refresh_from_db()
    assert (company.origin_id, company.erp_state) == ("", "")


def test_a_failure_says_what_happened_and_can_be_retried_with_another_id(
    client_of, ada, pat, sent_item, company, connection, account, access_of
):
    client = client_of(pat)
    accepted_and_exported(sent_item, client, connection)
    ErpRecord.objects.all().delete()
    Link.objects.all().delete()
    other = CompanyFactory.create(account=account, name="Granite Yard")
    send("vendor", [other.pk], access=access_of(ada))
    item = Item.objects.get(record_id=other.pk)
    accepted_and_exported(item, client, connection)
    page = client.get(item_url(item)).content.decode()
    assert "QUARRY1 is already in the ERP: Quarry &amp; Sons, LLC. Nothing was written." in page
    assert '<td data-label="Looked first">In the ERP</td>' in page
    assert '<td data-label="Outcome">Not applied</td>' in page
    assert "Retry" in page
    assert "Link instead" in page
    accepted_and_exported(item, client, connection, vendor_id="GRANITE1")
    other.refresh_from_db()
    assert other.origin_code == "GRANITE1"


def test_a_project_sees_only_what_it_sent(
    client_of, ada, account, project, access_of, connection, company
):
    ProjectCompany.objects.create(project=project, company=company)
    other = CompanyFactory.create(account=account, name="Granite Yard")
    send("vendor", [company.pk], access=access_of(ada, project))
    send("vendor", [other.pk], access=access_of(ada))
    url = reverse("erp:project_companies", args=[account.pk, project.pk])
    page = client_of(ada).get(url).content.decode()
    assert "Quarry" in page
    assert "Granite Yard" not in page


def test_a_project_says_why_nothing_can_be_sent_yet(client_of, ada, account, project):
    url = reverse("access:project_settings", args=[account.pk, project.pk])
    assert "No ERP is connected to this account yet." in client_of(ada).get(url).content.decode()


@pytest.mark.parametrize("status", ["ready", "exporting", "failed", "synced", "returned"])
def test_a_list_costs_the_same_number_of_queries_for_any_number_of_rows(
    client_of, pat, ada, account, connection, list_url, status
):
    state = sorted(states_of_tab(status))[0]
    client = client_of(pat)

    def queries_with(rows):
        given = {"erp_id": "1", "intent": uuid.uuid4(), "decided_by": ada, "state": state}
        if state == State.READY:
            given["intent"] = None
        for _ in range(rows):
            ItemFactory.create(account=account, connection=connection, sent_by=ada, **given)
        with CaptureQueriesContext(db) as asked:
            assert client.get(list_url, {"status": status}).status_code == 200
        return len(asked)

    client.get(list_url)
    assert queries_with(2) == queries_with(20)


def test_the_page_of_many_costs_the_same_for_any_number_of_rows(
    client_of, pat, ada, account, connection
):
    client = client_of(pat)
    url = reverse("erp:accept_many", args=[account.pk, "companies"])

    def queries_with(rows):
        for _ in range(rows):
            ItemFactory.create(account=account, connection=connection, sent_by=ada)
        with CaptureQueriesContext(db) as asked:
            page = client.post(url, {"all": "1", "query": "status=ready"})
        assert page.content.decode().count("COMPANY") >= rows
        return len(asked)

    client.get(url)
    assert queries_with(3) == queries_with(30)


def test_a_refused_row_of_a_project_leads_to_the_company_in_that_project(
    client_of, account, project, access_of, connection
):
    user = UserFactory.create(name="Petra Project")
    membership = MembershipFactory.create(user=user, account=account)
    ProjectMembershipFactory.create(membership=membership, project=project, directory=Level.ADMIN)
    long = CompanyFactory.create(account=account, name="A" * 42)
    ProjectCompany.objects.create(project=project, company=long)
    done = send("vendor", [long.pk], access=access_of(user, project))
    client = client_of(user)
    url = reverse("erp:request", args=[account.pk, done.request_id])
    page = client.get(url, follow=True).content.decode()
    record = reverse("directory:project_company", args=[account.pk, project.pk, long.pk])
    assert record in page
    assert client.get(record).status_code == 200


def test_pages_stay_readable_when_the_adapter_is_gone(
    client_of, ada, pat, account, connection, sent_item, list_url, settings
):
    settings.ERPBRIDGE_ADAPTERS = []
    client = client_of(pat)
    assert client.get(list_url).status_code == 200
    assert "adapter of this connection is not installed" in (
        client.get(item_url(sent_item)).content.decode()
    )
    many = reverse("erp:accept_many", args=[account.pk, "companies"])
    answer = client.post(many, {"ids": [sent_item.pk]}, follow=True)
    assert "no usable ERP connection" in answer.content.decode()
    assert "The ERP connection cannot be used" in (
        client_of(ada).get(reverse("erp:connection", args=[account.pk])).content.decode()
    )


def test_a_refused_acceptance_leads_to_the_item(client_of, pat, account, connection, sent_item):
    url = reverse("erp:accept_many", args=[account.pk, "companies"])
    given = {"confirm": "1", "vendor_type": connection.choices.first().code, "ids": sent_item.pk}
    given |= {f"digest-{sent_item.pk}": "0" * 64, f"value-{sent_item.pk}-vendor_id": "QUARRY1"}
    page = client_of(pat).post(url, given, follow=True).content.decode()
    assert "It is not the revision you looked at." in page
    assert item_url(sent_item) in page


def test_a_failed_item_is_proposed_another_id_once_its_own_is_taken(
    client_of, pat, ada, account, connection, sent_item, access_of
):
    client = client_of(pat)
    folder = adapter_loading.adapter_of(connection).io.folder
    set_fault(folder, connection.config["ledger"], "refuse", times=1)
    accepted_and_exported(sent_item, client, connection)
    assert 'value="QUARRY1"' in client.get(item_url(sent_item)).content.decode()

    other = CompanyFactory.create(account=account, name="Granite Yard")
    send("vendor", [other.pk], access=access_of(ada))
    accepted_and_exported(Item.objects.get(record_id=other.pk), client, connection)
    assert 'value="QUARRYS001"' in client.get(item_url(sent_item)).content.decode()


def test_a_reason_may_not_turn_the_text_around_it(client_of, pat, sent_item):
    given = {"reject-reason": "Fine \u202egnihton htiw gnorw si"}
    page = client_of(pat).post(item_url(sent_item, "item_reject"), given).content.decode()
    assert "Remove the invisible characters that change the direction of writing." in page
    sent_item.refresh_from_db()
    assert sent_item.state == State.READY
