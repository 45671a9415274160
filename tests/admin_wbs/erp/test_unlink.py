"""Unlinking and deleting synced codes: an account admin's repair, checked and written down."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp import send as send_to_erp
from admin_wbs.erp import unlink as erp_unlink
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CostCode
from admin_wbs.projects import cost_codes
from erp_integrations import sendable
from erp_integrations.models import Item, Link
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from erpbridge.audit.models import Event
from tests.admin_wbs.books import enter, erp_list, fetch_and_keep
from tests.admin_wbs.cost_codes.test_services import tree

pytestmark = pytest.mark.django_db


@pytest.fixture
def synced(account, connection, ada):
    """01 with two codes under it, and 02, all linked to what the ERP holds."""
    rows = ("01 General", "01-100 Survey", "01-200 Permits", "02 Site")
    made = tree(erp_list(account), ada, *rows)
    enter(connection, *rows)
    page = fetch_and_keep(account)
    wanted = {made[record.erp_code].pk: record.erp_id for record in page.records}
    assert len(sendable.link_existing(account.pk, "cost_code", wanted, by=ada)) == 4
    return {code: CostCode.objects.get(pk=code_row.pk) for code, code_row in made.items()}


def unlink(code, by, **more):
    given = {"why": "Wrong ledger.", "with_below": False, "delete": False, **more}
    given.setdefault("seen", list_services.lock(code.list_id).revision)
    return erp_unlink.unlink(code, by=by, **given)


def test_an_unlinked_code_that_is_sent_again_is_linked_at_accept(
    client_of, synced, account, ada, pat, access_of
):
    before = synced["02"].origin_id
    unlink(synced["02"], ada)
    code_list = erp_list(account)
    done = send_to_erp.send(
        code_list, access=access_of(ada), seen=code_list.revision, ids=[synced["02"].pk]
    )
    assert done.done == 1
    item = Item.objects.get(record_id=synced["02"].pk)
    where = {"account_id": account.pk, "public_id": item.public_id}
    client = client_of(pat)
    page = client.get(reverse("erp:item", kwargs=where))
    assert "Link instead to 02" in page.text
    client.post(reverse("erp:item_link", kwargs=where), {"digest": item.digest, "erp_id": before})
    code = CostCode.objects.get(pk=synced["02"].pk)
    assert (code.origin_id, code.drifted, sendable.badge(code).key) == (before, False, "synced")


def test_an_unlinked_code_can_be_sent_again_and_its_reason_is_kept(synced, ada):
    assert unlink(synced["02"], ada) == 1
    code = CostCode.objects.get(pk=synced["02"].pk)
    assert (code.origin_id, sendable.badge(code).key) == ("", "none")
    event = Event.objects.get(verb="unlink")
    assert (event.note, event.actor, event.subject_id) == ("Wrong ledger.", ada, code.pk)
    assert Link.objects.filter(record_id=code.pk, ended_at=None).count() == 0


def test_a_code_is_not_unlinked_without_the_linked_codes_under_it(synced, ada):
    with pytest.raises(CodeRefused, match="2 linked codes are under it"):
        unlink(synced["01"], ada)
    assert unlink(synced["01"], ada, with_below=True) == 3
    assert CostCode.objects.exclude(origin_id="").count() == 1


def test_an_unlinked_code_that_nothing_uses_is_deleted(synced, ada):
    assert unlink(synced["01"], ada, with_below=True, delete=True) == 3
    assert [str(code) for code in CostCode.objects.all()] == ["02 Site"]


def test_a_code_on_a_project_is_unlinked_and_not_deleted(synced, project, account, ada):
    cost_codes.add(erp_list(account), [synced["02"].pk], project=project, by=ada)
    with pytest.raises(CodeRefused, match="on project 1042"):
        unlink(synced["02"], ada, delete=True)
    assert CostCode.objects.get(pk=synced["02"].pk).origin_id
    assert unlink(synced["02"], ada) == 1


def test_nothing_is_unlinked_while_a_code_of_the_family_is_on_its_way(
    synced, account, access_of, ada
):
    child = synced["01-100"]
    code_services.edit(child, values={"description": "Survey work"}, seen=child.revision, by=ada)
    assert sendable.send("cost_code", [child.pk], access=access_of(ada)).done == 1
    with pytest.raises(CodeRefused, match="wait for accounting"):
        unlink(synced["01"], ada, with_below=True)
    assert Item.objects.get().state == "ready"
    assert CostCode.objects.filter(origin_id="").count() == 0


def test_who_confirms_a_stale_page_is_told(synced, account, ada):
    seen = erp_list(account).revision
    code_services.add(erp_list(account), code="03", description="New", by=ada)
    with pytest.raises(Stale):
        unlink(synced["02"], ada, seen=seen)


def test_a_code_is_unlinked_once(synced, account, ada):
    seen = erp_list(account).revision
    unlink(synced["02"], ada, seen=seen)
    with pytest.raises(CodeRefused):
        unlink(synced["02"], ada, seen=seen)
    with pytest.raises(CodeRefused, match="not linked"):
        unlink(synced["02"], ada)
    assert Event.objects.filter(verb="unlink").count() == 1


def test_the_codes_of_an_erp_that_owns_them_can_be_unlinked_and_deleted(synced, connection, ada):
    connection.config = {**connection.config, "code_owner": "erp"}
    connection.save()
    assert unlink(synced["02"], ada, delete=True) == 1
    assert not CostCode.objects.filter(pk=synced["02"].pk).exists()


def test_of_records_only_free_ones_are_linked_to_what_is_free(synced, account, ada, connection):
    enter(connection, "05 Late")
    fetch_and_keep(account)
    row = next(
        record
        for record in sendable.erp_records(account.pk, "cost_code")
        if record.erp_code == "05"
    )
    new = code_services.add(erp_list(account), code="05", description="Late", by=ada)
    taken = {synced["02"].pk: row.erp_id, new.pk: synced["01"].origin_id}
    assert sendable.link_existing(account.pk, "cost_code", taken, by=ada) == []
    assert sendable.link_existing(account.pk, "cost_code", {new.pk: row.erp_id}, by=ada) == [new.pk]


# --- the page -------------------------------------------------------------------------------


@pytest.fixture
def address(account):
    return lambda code: reverse("admin_wbs:unlink", args=[account.pk, code.pk])


def test_the_page_shows_what_uses_the_code_and_asks_for_a_reason(
    synced, project, account, client_of, ada, address
):
    cost_codes.add(erp_list(account), [synced["01-100"].pk], project=project, by=ada)
    client = client_of(ada)
    page = client.get(address(synced["01"])).content.decode()
    assert "1042 Pier 7 Warehouse" in page
    assert "01-200 Permits" in page
    assert "Unlink the linked codes under it too" in page
    assert "Delete from the list afterwards" not in page
    seen = erp_list(account).revision
    answer = client.post(address(synced["01"]), {"seen": seen, "reason": " "})
    assert "This field is required" in answer.content.decode()
    answer = client.post(address(synced["01"]), {"seen": seen, "reason": "Wrong."})
    assert "2 linked codes are under it" in answer.content.decode()
    given = {"seen": seen, "reason": "Wrong.", "with_below": "on"}
    answer = client.post(address(synced["01"]), given, follow=True)
    assert "3 codes were unlinked." in answer.content.decode()


def test_only_account_admins_unlink(synced, account, client_of, sam, address):
    Membership.objects.filter(user=sam).update(admin=Level.ADMIN)
    client = client_of(sam)
    code = synced["02"]
    page = client.get(reverse("admin_wbs:code", args=[account.pk, code.pk])).content.decode()
    assert "Unlink from ERP" not in page
    assert client.get(address(code)).status_code == 403
    assert client.post(address(code), {"reason": "x", "seen": 1}).status_code == 403


def test_the_button_is_on_the_page_of_a_synced_code(synced, account, client_of, ada, address):
    client = client_of(ada)
    response = client.get(reverse("admin_wbs:code", args=[account.pk, synced["02"].pk]))
    assert address(synced["02"]) in response.content.decode()
