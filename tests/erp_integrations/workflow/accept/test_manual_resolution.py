"""A record that the ERP has already is shown before Accept, and can be linked to instead."""

from __future__ import annotations

import pytest
from django.urls import reverse

from directory.models import Company
from erp_integrations.adapters.base import Found
from erp_integrations.connections import refresh
from erp_integrations.connections.adapter_loading import usable_manifest
from erp_integrations.models import Item, Link
from erp_integrations.models.match_keys import keys_of
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import manual_resolution, matches
from erpbridge.refusals import Refused
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, MembershipFactory, UserFactory

HELD = {"name": "Quarry and Sons", "city": "Salem", "business_phone": "(503) 555-0148"}


def hold(connection, erp_id="V-1", code="QUARRY1", **data):
    """What a refresh would find in the ERP."""
    erp_record = Found(erp_id, code, "1", {**HELD, **data})
    refresh.keep_records(connection, "vendor", {erp_id: erp_record})


def url(item, name):
    return reverse(f"erp:{name}", args=[item.account_id, item.public_id])


def accept(client, item, vendor_id):
    values = {"digest": item.digest, "vendor_id": vendor_id, "vendor_type": "SUB"}
    return client.post(url(item, "item_accept"), values)


def link(client, item, erp_id="V-1", **values):
    return client.post(
        url(item, "item_link"), {"digest": item.digest, "erp_id": erp_id, **values}, follow=True
    )


def test_an_id_that_the_erp_holds_offers_link_instead_with_both_sides(
    client_of, pat, connection, sent_item, company
):
    hold(connection)
    client = client_of(pat)
    assert "may hold it already" not in client.get(url(sent_item, "item")).text
    page = accept(client, sent_item, "quarry1")
    assert "QUARRY1 is taken by Quarry and Sons in the ERP. Link instead" in page.text
    (match,) = page.context["matches"]
    assert match.same == ("Vendor ID",)
    sides = {field.label: (field.in_erp, field.sent) for field in match.fields}
    assert sides["Name"] == ("Quarry and Sons", "Quarry & Sons, LLC")
    assert sides["City"] == ("Salem", "")
    assert {field.label for field in match.fields if field.differs} == {
        "Name",
        "City",
        "Business phone",
    }

    assert "is linked. Nothing was written to the ERP." in link(client, sent_item).text
    company.refresh_from_db()
    sent_item.refresh_from_db()
    assert (company.origin_id, company.origin_code, company.drifted) == ("V-1", "QUARRY1", True)
    assert (sent_item.state, sent_item.decided_by) == (State.SYNCED, pat)
    assert steps.ledger_of(connection).effects() == []
    steps.export(connection)
    assert Item.objects.get().state == State.SYNCED


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ({"name": "QUARRY AND SONS"}, {}, ("Name",)),
        ({"business_phone": "+1 503.555.0148"}, {}, ("Business phone",)),
        (
            {"entity_id": "12-3456789", "entity_type": "ein"},
            {"entity_id": "123456789"},
            ("Tax ID",),
        ),
        (
            {"name": "Quarry and sons", "business_phone": "5035550148"},
            {},
            ("Name", "Business phone"),
        ),
        ({"city": "Salem"}, {}, None),
        ({"business_phone": "0148"}, {"business_phone": "0148"}, None),
    ],
    ids=["name", "phone", "tax-id", "two", "city-alone", "too-short-to-be-a-number"],
)
def test_equal_name_tax_id_or_phone_is_said_before_accept(
    client_of, pat, account, ada, access_of, connection, ours, theirs, same
):
    hold(connection, code="OTHER1", **theirs)
    company = CompanyFactory.create(account=account, **{"name": "Stone Works", **ours})
    (item,) = steps.send_all([company], access_of(ada))
    page = client_of(pat).get(url(item, "item"))
    labels = {
        field.label for match in page.context["matches"] for field in match.fields if field.differs
    }
    assert not labels & set(same or ())
    assert [match.same for match in page.context["matches"]] == ([same] if same else [])
    assert ("Link instead to OTHER1" in page.text) == bool(same)


def test_linking_to_what_is_the_same_on_both_sides_shows_no_drift(
    client_of, pat, account, ada, access_of, connection
):
    hold(connection)
    company = CompanyFactory.create(account=account, **HELD)
    (item,) = steps.send_all([company], access_of(ada))
    link(client_of(pat), item)
    company.refresh_from_db()
    assert (company.origin_code, company.drifted) == ("QUARRY1", False)


def test_a_record_of_the_erp_that_is_linked_is_named_and_not_offered(
    client_of, pat, account, ada, access_of, connection, synced_company
):
    other = CompanyFactory.create(account=account, name=synced_company.name)
    (item,) = steps.send_all([other], access_of(ada))
    hold(connection, synced_company.origin_id, "QUARRY01", name=synced_company.name)
    client = client_of(pat)
    page = client.get(url(item, "item"))
    assert "It is linked to Quarry &amp; Sons, LLC already." in page.text
    assert "Link instead to" not in page.text
    answer = link(client, item, synced_company.origin_id)
    assert "QUARRY01 is linked to another record already." in answer.text
    item.refresh_from_db()
    assert item.state == State.READY


def test_linking_instead_asks_what_accepting_asks(
    client_of, pat, ada, account, access_of, connection, sent_item
):
    hold(connection)
    for who, seen, erp_id, why in [
        (ada, sent_item.digest, "V-1", "You sent it yourself"),
        (pat, "old", "V-1", "It is not the revision you looked at"),
        (pat, sent_item.digest, "V-9", "The ERP had no record 'V-9'"),
    ]:
        with pytest.raises(Refused, match=why):
            manual_resolution.link_instead(
                sent_item, erp_id=erp_id, seen=seen, access=access_of(who)
            )
    reader = UserFactory.create(name="Rita Reader")
    MembershipFactory.create(user=reader, account=account, erp_integrations=2)
    assert link(client_of(reader), sent_item).status_code == 403
    assert not Link.objects.exists()
    sent_item.refresh_from_db()
    assert sent_item.state == State.READY


def test_an_unlinked_record_that_is_sent_again_can_be_linked_to_what_the_erp_kept(
    client_of, pat, ada, access_of, connection, synced_company
):
    before = synced_company.origin_id
    assert not steps.unlink(Link.objects.active().get(), by=ada)
    (again,) = steps.send_all([synced_company], access_of(ada))
    client = client_of(pat)
    assert "Link instead to QUARRY01" in client.get(url(again, "item")).text
    link(client, again, before)
    company = Company.objects.get(pk=synced_company.pk)
    assert (company.origin_id, company.origin_code, company.drifted) == (before, "QUARRY01", False)


def test_a_failed_item_is_linked_to_what_the_erp_holds_without_asking_it(
    client_of, pat, connection, accepted_item, company
):
    Item.objects.filter(pk=accepted_item.pk).update(state=State.FAILED, error_class="duplicate")
    hold(connection, code="QUARRY01")
    steps.break_erp(connection, "timeout_before", times=9)
    link(client_of(pat), accepted_item)
    company.refresh_from_db()
    assert company.origin_code == "QUARRY01"


def test_a_page_of_an_item_finds_what_the_erp_holds_by_three_queries(
    connection, sent_item, django_assert_max_num_queries
):
    for number in range(20):
        hold(connection, f"V-{number}", f"Q{number}", name=sent_item.label)
    manifest = usable_manifest(connection, "vendor")
    with django_assert_max_num_queries(3):
        assert len(matches.matches(sent_item, manifest, {})) == matches.MOST_SHOWN


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("O\u2019Malleran  Pipe, Inc.", "o'malleran pipe inc", True),
        ("\u00c9lectricit\u00e9", "e\u0301lectricite\u0301", True),
        ("Stra\u00dfe_59 \u00bd", "STRASSE 59 1/2", True),
        ("Electricite", "\u00c9lectricit\u00e9", False),
        ("\u0930\u093e\u092e", "\u0930\u0940\u092e", False),  # the vowels are marks
    ],
    ids=["apostrophe", "composed", "compatible", "accents-count", "vowel-marks-count"],
)
def test_names_are_compared_by_the_one_rule_of_text_without_what_is_between_words(
    ours, theirs, same
):
    assert (keys_of({"name": ours}) == keys_of({"name": theirs})) == same


def test_what_cannot_be_seen_in_a_value_does_not_make_it_another():
    assert keys_of({"name": "O\u2019Malleran  Pipe"}) == keys_of({"name": "o'malleran pipe"})
    assert keys_of({"name": None, "business_phone": "x"})["phone_key"] == ""
