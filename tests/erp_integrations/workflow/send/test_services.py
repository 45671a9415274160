"""Send and retrieve: what is refused and why, and which of two clicks is carried out."""

from __future__ import annotations

import pytest

from directory.companies import services as directory
from directory.companies.errors import EditRefused
from directory.models import Company
from erp_integrations.models import Item, Link, Request
from erp_integrations.models.states import State
from erp_integrations.sendable import badge, badge_filter, button, lock, retrieve, send
from erp_integrations.workflow import transitions
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, ProjectFactory
from tests.generator import firms

TOO_LONG = {
    "name": 30,
    "trade_name": 60,
    "address": 60,
    "city": 30,
    "state_code": 3,
    "zip": 10,
    "business_phone": 30,
    "mobile_phone": 30,
    "fax_number": 30,
    "website": 100,
    "license_number": 30,
}


@pytest.mark.parametrize("field", TOO_LONG)
def test_value_longer_than_the_erp_takes_is_refused_with_value_and_limit(
    connection, account, ada, access_of, field
):
    most = TOO_LONG[field]
    fits = CompanyFactory.create(account=account, **{field: "x" * most})
    wrong = CompanyFactory.create(account=account, **{field: "x" * (most + 1)})
    done = send("vendor", [fits.pk, wrong.pk], access=access_of(ada))
    assert done.done == 1
    (refusal,) = done.refused
    (problem,) = refusal.problems
    assert refusal.record_id == wrong.pk
    assert (problem.field, problem.rule) == (field, "max_length")
    assert (problem.current, problem.limit) == (str(most + 1), str(most))


def test_every_reason_is_given_at_once(connection, account, ada, access_of):
    wrong = CompanyFactory.create(
        account=account,
        name="N" * 31,
        city="C" * 31,
        entity_type="ein",
        entity_id="12-34",
        is_active=False,
    )
    done = send("vendor", [wrong.pk], access=access_of(ada))
    problems = {(problem.field, problem.rule) for problem in done.refused[0].problems}
    assert problems == {
        ("name", "max_length"),
        ("city", "max_length"),
        ("entity_id", "format"),
        ("is_active", "active"),
    }


@pytest.mark.parametrize(
    ("kind", "field", "words"),
    [
        ("", "entity_type", "Entity ID 51 824 753 556 has no entity type"),
        ("abn", "entity_id", "ABN 51 824 753 556 would not arrive"),
        ("other", "entity_id", "Tax ID 51 824 753 556 would not arrive"),
    ],
)
def test_a_tax_id_that_would_not_arrive_is_said_before_sending(
    connection, account, ada, access_of, kind, field, words
):
    firm = CompanyFactory.create(
        account=account, entity_type=kind, entity_id="51 824 753 556", country_code="AU"
    )
    (refusal,) = send("vendor", [firm.pk], access=access_of(ada)).refused
    (problem,) = refusal.problems
    assert problem.field == field
    assert words in problem.message


def test_good_rows_of_a_click_go_although_others_are_refused(connection, account, ada, access_of):
    good = CompanyFactory.create_batch(3, account=account)
    bad = CompanyFactory.create_batch(2, account=account, name="B" * 31)
    done = send("vendor", [company.pk for company in [*good, *bad]], access=access_of(ada))
    assert (done.done, len(done.refused)) == (3, 2)
    click = Request.objects.get(pk=done.request_id)
    assert (click.verb, click.done, len(click.refused)) == ("send", 3, 2)
    assert click.refused[0]["problems"][0]["limit"] == "30"
    assert click.sent_items.count() == 3


def test_button_shows_the_reasons_that_the_click_would_give(connection, account, ada, access_of):
    wrong = CompanyFactory.create(account=account, name="N" * 31)
    access = access_of(ada)
    send_button = button("vendor", access, wrong)
    assert not send_button.enabled
    assert send_button.reasons == send("vendor", [wrong.pk], access=access).refused[0].problems


def test_second_sender_is_told_who_sent_it_first(
    connection, sent_item, company, ada, pat, access_of
):
    done = send("vendor", [company.pk], access=access_of(ada))
    assert done.done == 0
    assert "Already sent by Ada Admin" in steps.reasons(done)[0]
    assert Item.objects.count() == 1


def test_stale_page_cannot_send(connection, company, ada, access_of):
    directory.edit(company, values={"name": "Quarry & Daughters"}, seen=1, by=ada)
    done = send("vendor", [company.pk], access=access_of(ada), seen={company.pk: 1})
    assert done.done == 0
    assert "was changed since this page was opened" in steps.reasons(done)[0]
    assert send("vendor", [company.pk], access=access_of(ada), seen={company.pk: 2}).done == 1


def test_sent_company_is_locked_and_says_who_locked_it(connection, company, sent_item, ada):
    company.refresh_from_db()
    sent_lock = lock("vendor", company)
    assert sent_lock.sent_by == "Ada Admin"
    assert badge(company).label == "Waiting for accounting"
    with pytest.raises(EditRefused):
        directory.edit(company, values={"name": "Other"}, seen=company.revision, by=ada)
    company.refresh_from_db()
    assert company.name == "Quarry & Sons, LLC"


def test_item_keeps_what_was_sent(connection, company, sent_item):
    Company.objects.filter(pk=company.pk).update(name="Changed behind the back")
    sent_item.refresh_from_db()
    assert sent_item.payload["name"] == "Quarry & Sons, LLC"


def test_retrieved_company_can_be_edited_and_sent_again(
    connection, company, sent_item, ada, access_of
):
    done = retrieve("vendor", [company.pk], access=access_of(ada))
    assert (done.done, done.refused) == (1, ())
    company.refresh_from_db()
    assert badge(company).key == "retrieved"
    directory.edit(company, values={"city": "Elkton"}, seen=company.revision, by=ada)
    assert button("vendor", access_of(ada), company).label == "Re-send to ERP"
    (again,) = steps.send_all([company], access_of(ada))
    assert again.payload["city"] == "Elkton"


def test_a_second_retrieve_says_that_it_was_retrieved_already(
    connection, company, sent_item, ada, access_of
):
    retrieve("vendor", [company.pk], access=access_of(ada))
    done = retrieve("vendor", [company.pk], access=access_of(ada))
    assert (done.done, steps.reasons(done)) == (0, ["It was retrieved already."])


def test_accepted_item_cannot_be_retrieved_and_says_who_decided(
    connection, company, accepted_item, ada, access_of
):
    done = retrieve("vendor", [company.pk], access=access_of(ada))
    assert done.done == 0
    assert steps.reasons(done) == ["It can no longer be retrieved: Exporting by Pat Approver."]


def test_what_was_never_sent_cannot_be_retrieved(connection, company, ada, access_of):
    done = retrieve("vendor", [company.pk], access=access_of(ada))
    assert "was not sent" in steps.reasons(done)[0]


def test_companies_of_another_account_are_neither_sent_nor_named(
    connection, other_account, ada, access_of
):
    foreign = CompanyFactory.create(account=other_account)
    for click in (send, retrieve):
        done = click("vendor", [foreign.pk, 10**30, -1, 0], access=access_of(ada))
        assert (done.done, done.refused) == (0, ())
    assert not Item.objects.exists()


def test_project_without_erp_sends_nothing(connection, account, ada, access_of):
    project = ProjectFactory.create(account=account, use_with_erp=False)
    company = CompanyFactory.create(account=account)
    directory.add_to_project([company.pk], project=project, by=ada)
    done = send("vendor", [company.pk], access=access_of(ada, project))
    assert done.done == 0
    assert "is not used with the ERP" in steps.reasons(done)[0]


def test_nothing_is_sent_from_an_inactive_project(connection, account, ada, access_of):
    project = ProjectFactory.create(account=account, is_active=False)
    company = CompanyFactory.create(account=account)
    directory.add_to_project([company.pk], project=project, by=ada)
    done = send("vendor", [company.pk], access=access_of(ada, project))
    assert steps.reasons(done) == [
        f"Project {project} is inactive. Its Admin can make it active in its settings."
    ]


def test_unchanged_synced_company_is_not_sent_again(connection, synced_company, ada, access_of):
    done = send("vendor", [synced_company.pk], access=access_of(ada))
    assert "nothing has changed since Simulator took it" in steps.reasons(done)[0]


def test_company_is_not_unlinked_while_an_item_of_it_is_open(
    connection, synced_company, ada, access_of
):
    item = steps.update_item(synced_company, access_of(ada), "Quarry, Inc.")
    link = Link.objects.get()
    assert steps.unlink(link, by=ada)
    transitions.move("retrieve", Item.objects.filter(pk=item.pk), by=ada)
    assert not steps.unlink(link, by=ada)
    assert steps.unlink(link, by=ada)
    synced_company.refresh_from_db()
    assert (synced_company.origin_id, synced_company.erp_state) == ("", "")
    assert Item.objects.filter(state=State.UNLINKED).count() == 1
    assert lock("vendor", synced_company) is None


def test_synced_company_whose_update_was_rejected_stays_green_and_says_so(
    connection, synced_company, ada, access_of
):
    item = steps.update_item(synced_company, access_of(ada), "Quarry, Inc.")
    transitions.move("reject", Item.objects.filter(pk=item.pk), by=ada)
    synced_company.refresh_from_db()
    update_badge = badge(synced_company)
    assert (update_badge.key, update_badge.label, update_badge.color) == (
        "rejected",
        "Synced, update rejected",
        "green",
    )
    assert Company.objects.filter(badge_filter("rejected")).get() == synced_company


def test_six_hundred_firms_are_sent_in_one_click_and_each_refusal_says_why(
    connection, account, project, ada, pat, access_of
):
    """As with a state's register: the long names are refused, the rest arrives once each."""
    register = firms(600)
    rows = [
        Company(name=firm["name"], city=firm["city"], zip=firm["zip"], address=firm["address"])
        for firm in register
    ]
    stored = directory.create_many(rows, account=account, project=project, by=ada)
    too_long = {company.pk for company in stored if len(company.name) > 30}
    assert 100 < len(too_long) < 300

    sent = send("vendor", [company.pk for company in stored], access=access_of(ada, project))

    assert {refusal.record_id for refusal in sent.refused} == too_long
    assert all(p.rule == "max_length" for refusal in sent.refused for p in refusal.problems)
    assert sent.done == 600 - len(too_long)
    done = steps.decide(Item.objects.order_by("pk"), access_of(pat))
    assert (done.done, done.refused) == (sent.done, ())
    # A turn of the worker lasts twenty seconds; a slow machine may need a second one.
    while Item.objects.filter(state=State.QUEUED).exists():
        steps.export(connection)
    ledger = steps.ledger_of(connection)
    assert ledger.count() == len(ledger.effects()) == sent.done
    assert {effect.intent for effect in ledger.effects()} == {
        str(intent) for intent in Item.objects.values_list("intent", flat=True)
    }
