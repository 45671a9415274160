"""Re-send of a list leaves out what was rejected with a reason and not changed since."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp import send as send_to_erp
from erp_integrations.models import Item
from erp_integrations.workflow.accept import services as accept_services
from tests.admin_wbs import steps


@pytest.fixture
def rejected(erp_list, ada, pat, access_of):
    """Three codes that were sent; 01 and 02 came back with a reason."""
    made = steps.tree(erp_list, ada, "01 General", "02 Site", "03 Concrete")
    steps.send(erp_list, access_of(ada))
    back = Item.objects.filter(label__in=["01 General", "02 Site"])
    accept_services.reject(
        back, entity="cost_code", reason="Not in our books", access=access_of(pat)
    )
    return {name: type(code).objects.get(pk=code.pk) for name, code in made.items()}


def resend(erp_list, access, **how):
    erp_list.refresh_from_db()
    return send_to_erp.send(erp_list, access=access, seen=erp_list.revision, **how)


def test_what_was_rejected_and_not_changed_since_stays_until_it_is_ticked(
    erp_list, rejected, ada, access_of
):
    button = send_to_erp.button(erp_list, access_of(ada))
    assert (button.count, button.left_out, button.enabled) == (0, 2, False)
    assert "2 rejected with a reason and not changed since" in button.reasons[-1].message
    assert resend(erp_list, access_of(ada)).done == 0
    ticked = rejected["01"].pk
    assert resend(erp_list, access_of(ada), ids=[ticked], note="Pat knows").done == 1
    assert Item.objects.latest("pk").note == "Pat knows"


def test_what_was_changed_since_goes_with_the_rest(client_of, erp_list, rejected, ada, access_of):
    code_services.edit(
        rejected["02"],
        values={"code": "02", "description": "Site Work"},
        seen=rejected["02"].revision,
        by=ada,
    )
    code_services.add(erp_list, code="04", description="Masonry", by=ada)
    button = send_to_erp.button(erp_list, access_of(ada))
    assert (button.count, button.left_out, button.enabled) == (2, 1, True)
    page = client_of(ada).get(reverse("admin_wbs:list", args=[erp_list.account_id, erp_list.pk]))
    assert "Note for accounting with Re-send" in page.text
    assert resend(erp_list, access_of(ada)).done == 2
    assert set(Item.objects.open().values_list("label", flat=True)) == {
        "02 Site Work",
        "03 Concrete",
        "04 Masonry",
    }


def test_the_page_of_the_list_says_what_is_left_out_and_takes_a_note_for_what_is_ticked(
    client_of, erp_list, rejected, ada, account
):
    client = client_of(ada)
    page = client.get(reverse("admin_wbs:list", args=[account.pk, erp_list.pk])).text
    assert "2 rejected codes are left out" in page
    erp_list.refresh_from_db()
    ticked = {
        "action": "send",
        "ids": [rejected["01"].pk],
        "list_seen": erp_list.revision,
        "note": "It is right as it is.",
    }
    url = reverse("admin_wbs:many", args=[account.pk, erp_list.pk])
    assert (
        "the limit is 1,000" in client.post(url, {**ticked, "note": "x" * 1_001}, follow=True).text
    )
    client.post(url, ticked)
    assert Item.objects.latest("pk").note == "It is right as it is."
