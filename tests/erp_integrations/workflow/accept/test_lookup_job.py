"""A person says that it is in the ERP; a background job looks it up there and links it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from erp_integrations.models import Item
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import lookup_job
from erpbridge.access import policy
from erpbridge.jobs.models import Job
from erpbridge.refusals import Refused
from tests.erp_integrations import steps
from tests.erp_integrations.export.test_export import put


@pytest.fixture
def asking(connection, accepted_item) -> Item:
    """An item for which a person has to say whether it is in the ERP."""
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)
    Item.objects.update(state=State.NEEDS_ANSWER, check_after=None)
    accepted_item.refresh_from_db()
    return accepted_item


def answer(client, item: Item, erp_id: str) -> str:
    """The page of the item after the answer that it is there."""
    given = {"answer": "there", "answer-erp_id": erp_id, "answer-why": "I saw it."}
    url = reverse("erp:item_answer", args=[item.account_id, item.public_id])
    return client.post(url, given, follow=True).text


def page(client, item: Item) -> str:
    return client.get(reverse("erp:item", args=[item.account_id, item.public_id])).text


def test_the_page_shows_that_it_is_looked_up_and_then_that_it_is_linked(
    client_of, pat, connection, asking, company
):
    vendor = put(connection, "Q")
    client = client_of(pat)
    page_text = answer(client, asking, "QUARRY01")
    assert f"Look up QUARRY01 in {connection.name}" in page_text
    assert "It is in the ERP: link" not in page_text, (
        "no second answer while the first is looked up"
    )
    steps.run_jobs()
    asking.refresh_from_db()
    company.refresh_from_db()
    assert (asking.state, company.origin_id) == (State.SYNCED, str(vendor.id))
    assert "Look up QUARRY01" not in page(client, asking)


def test_what_the_erp_does_not_have_is_said_where_it_was_answered(client_of, pat, asking):
    client = client_of(pat)
    answer(client, asking, "NOSUCH")
    steps.run_jobs()
    page_text = page(client, asking)
    assert "The ERP has no single record &#x27;NOSUCH&#x27;." in page_text
    assert 'value="NOSUCH"' in page_text, "the typed ID is kept"
    asking.refresh_from_db()
    assert asking.state == State.NEEDS_ANSWER


def test_a_problem_is_no_longer_shown_once_the_item_was_exported_again(client_of, pat, asking):
    answer(client_of(pat), asking, "NOSUCH")
    steps.run_jobs()
    Item.objects.update(fence=asking.fence + 1)
    asking.refresh_from_db()
    assert lookup_job.latest(asking) is None


def test_an_item_that_somebody_moved_meanwhile_stays_as_it_is(client_of, pat, connection, asking):
    put(connection, "Q")
    answer(client_of(pat), asking, "QUARRY01")
    Item.objects.update(state=State.REJECTED)
    steps.run_jobs()
    asking.refresh_from_db()
    assert asking.state == State.REJECTED
    assert "Somebody else, or the export, has changed its state." in Job.objects.get().problem


def test_an_id_is_looked_up_only_for_an_item_that_needs_an_answer(pat, accepted_item):
    access = policy.load(pat, accepted_item.account)
    with pytest.raises(Refused, match="has changed its state"):
        lookup_job.link_named(accepted_item, key="QUARRY01", access=access)
    assert not Job.objects.exists()
