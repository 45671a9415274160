"""A rejected record that comes again: what was said, what changed since, the sender's note."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from directory.companies import services as company_services
from erp_integrations.models import Item
from erp_integrations.sendable import send
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.audit.models import Event
from tests.erp_integrations import steps


@pytest.fixture
def rejected(sent_item, pat, access_of):
    """The company, rejected by Pat."""
    items = Item.objects.filter(pk=sent_item.pk)
    accept_services.reject(
        items, entity="vendor", reason="Ask for the W-9 first.", access=access_of(pat)
    )
    sent_item.refresh_from_db()
    return sent_item


def item_page(client, item):
    return client.get(reverse("erp:item", args=[item.account_id, item.public_id]))


def again(company, access, **how):
    assert send("vendor", [company.pk], access=access, **how).done == 1
    return Item.objects.latest("pk")


def test_the_approver_reads_what_was_said_and_that_nothing_has_changed(
    client_of, pat, ada, access_of, company, rejected
):
    item = again(company, access_of(ada))
    page = item_page(client_of(pat), item).text
    assert "Pat Approver rejected it on" in page
    assert "Ask for the W-9 first." in page
    assert "Nothing has changed since." in page
    assert "Rejected before" not in item_page(client_of(pat), rejected).text


def test_the_approver_reads_what_was_changed_field_by_field(
    client_of, pat, ada, access_of, company, rejected
):
    company.refresh_from_db()
    values = {"city": "Easton", "name": "Quarry & Daughters"}
    company_services.edit(company, values=values, seen=company.revision, by=ada)
    page = item_page(client_of(pat), again(company, access_of(ada)))
    changes = {
        change["label"]: (change["old"], change["new"])
        for change in page.context["rejection"].changes
    }
    assert changes == {
        "Name": ("Quarry & Sons, LLC", "Quarry & Daughters"),
        "City": ("", "Easton"),
    }


def test_a_note_with_re_send_is_shown_to_the_approver_and_kept_in_the_history(
    client_of, pat, ada, company, account, rejected
):
    client = client_of(ada)
    url = reverse("directory:account_company", args=[account.pk, company.pk])
    assert "Re-send with a note for accounting" in client.get(url).text
    company.refresh_from_db()
    sent = {"verb": "send", "seen": company.revision, "note": "The W-9 is attached. <b>"}
    client.post(reverse("directory:account_company_send", args=[account.pk, company.pk]), sent)
    item = Item.objects.latest("pk")
    page = item_page(client_of(pat), item).text
    assert "The W-9 is attached. &lt;b&gt;" in page
    assert Event.objects.filter(verb="send").latest("pk").note == "The W-9 is attached. <b>"


def test_a_note_that_is_too_long_is_refused_with_both_numbers_and_sends_nothing(
    ada, access_of, company, rejected
):
    with pytest.raises(ValidationError, match=r"has 1,001 characters; the limit is 1,000"):
        send("vendor", [company.pk], access=access_of(ada), note="x" * 1_001)
    assert Item.objects.count() == 1


def test_what_was_said_before_the_record_was_in_the_erp_is_over(
    client_of, pat, ada, access_of, connection, company, rejected
):
    (item,) = steps.send_all([company], access_of(ada))
    assert steps.decide([item], access_of(pat), vendor_id="QUARRY01").done == 1
    steps.export(connection)
    company.refresh_from_db()
    update = steps.update_item(company, access_of(ada), "Quarry & Daughters")
    assert item_page(client_of(pat), update).context["rejection"] is None
