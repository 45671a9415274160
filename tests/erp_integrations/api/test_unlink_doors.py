"""Unlinking, on every page and call: records below a record in the ERP keep it linked, and it
needs the right that the record's own page requires. A refused unlink changes no table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erp_integrations.models import Item, Link
from erp_integrations.models.states import State
from erp_integrations.workflow.links.record_columns import Origin
from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from tests.admin_wbs import steps as wbs
from tests.erp_integrations import steps
from tests.every_call.test_refusals import tables
from tests.factories import MembershipFactory, UserFactory

REASON = "Wrong ledger."
Door = Callable[[Any, Client, CostCode], Any]
# The rights of a program that decides everything about exports and is not an account admin.
ACCOUNTING = {
    "levels": Levels(Level.READ_ONLY, Level.ADMIN, Level.ADMIN),
    "can_push_to_accounting": True,
}


def of_item(code: CostCode) -> Item:
    return Item.objects.get(record_id=code.pk, state=State.SYNCED)


def item_page(_api: Any, client: Client, code: CostCode) -> Any:
    where = [code.account_id, of_item(code).public_id]
    return client.post(reverse("erp:item_unlink", args=where), {"unlink-reason": REASON})


def code_page(_api: Any, client: Client, code: CostCode) -> Any:
    form = {"reason": REASON, "seen": CodeList.objects.get(pk=code.list_id).revision}
    return client.post(reverse("admin_wbs:unlink", args=[code.account_id, code.pk]), form)


def item_action(api: Any, _client: Client, code: CostCode) -> Any:
    path = f"companies/{api.company}/erp_queue/{of_item(code).pk}/actions/unlink"
    return api.post(path, {"reason": REASON})


def patched(empty: str | None) -> Door:
    def patch(api: Any, _client: Client, code: CostCode) -> Any:
        fields = {"standard_cost_code": {"origin_id": empty}}
        body = {"standard_cost_code_list_id": code.list_id, **fields}
        return api.patch(f"standard_cost_codes/{code.pk}", body)

    return patch


def synced(empty: str | None) -> Door:
    def sync(api: Any, _client: Client, code: CostCode) -> Any:
        rows = {"updates": [{"id": code.pk, "origin_id": empty}]}
        body = {"standard_cost_code_list_id": code.list_id, **rows}
        return api.patch("standard_cost_codes/sync", body)

    return sync


DOORS: dict[str, Door] = {
    "the item's page": item_page,
    "the code's page": code_page,
    "the item over REST": item_action,
    "an empty origin_id": patched(""),
    "a null origin_id": patched(None),
    "an empty origin_id in a sync": synced(""),
    "a null origin_id in a sync": synced(None),
}
every_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())


@pytest.fixture
def codes(account, ada, pat) -> dict[str, CostCode]:
    """01, exported, with two codes under it that are not in the ERP yet."""
    connection = steps.connect(account, by=ada)
    code_list = CodeList.objects.get(connection_id=connection.pk)
    made = wbs.tree(code_list, ada, "01 General", "01-100 Survey", "01-200 Permits")
    senders, approvers = (policy.load(user, account) for user in (ada, pat))
    assert wbs.send(code_list, senders, made["01"]).done == 1
    assert wbs.accept(wbs.waiting(code_list), approvers).done == 1
    steps.export(connection)
    return {code: CostCode.objects.get(pk=cost_code.pk) for code, cost_code in made.items()}


def wait(codes: dict[str, CostCode], user: Any) -> None:
    done = wbs.send(codes["01-100"].list, policy.load(user, codes["01"].account), codes["01-100"])
    assert done.done == 1


def link(codes: dict[str, CostCode], user: Any) -> None:
    access = policy.load(user, codes["01"].account)
    assert not sendable.link("cost_code", {codes["01-100"].pk: Origin(id="C-7")}, access=access)


def words(answer: Any) -> str:
    return str(answer.content.decode()).replace("&#x27;", "'")


@every_door
@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (wait, "1 is waiting for accounting or being exported (01-100 Survey)"),
        (link, "1 is linked to the ERP (01-100 Survey)"),
    ],
    ids=["waiting", "linked"],
)
def test_a_child_keeps_its_parent_linked(api, client_of, ada, codes, door, child, reason):
    client = client_of(ada)
    child(codes, ada)
    before = tables()
    answer = door(api, client, codes["01"])
    assert tables() == before
    if door is not code_page:
        assert reason in words(answer)
    elif child is wait:
        assert "1 of it and the codes under it wait" in words(answer)
    else:
        assert "1 linked code is under it" in words(answer)


@every_door
def test_who_may_not_unlink_on_the_page_may_not_by_another_door(
    make_service, client_of, account, codes, door
):
    user = UserFactory.create()
    MembershipFactory.create(
        user=user,
        account=account,
        directory=Level.READ_ONLY,
        admin=Level.ADMIN,
        erp_integrations=Level.ADMIN,
        can_push_to_accounting=True,
    )
    api, client = make_service("Accounting", **ACCOUNTING), client_of(user)
    before = tables()
    answer = door(api, client, codes["01"])
    assert tables() == before
    assert answer.status_code == 403 or "Needs Admin on the account" in words(answer)


@every_door
def test_without_children_in_the_erp_every_door_unlinks(api, client_of, ada, codes, door):
    answer = door(api, client_of(ada), codes["01"])
    assert answer.status_code in (200, 302), words(answer)
    assert not Link.objects.active().exists()
    assert CostCode.objects.get(pk=codes["01"].pk).origin_id == ""


def test_an_id_changed_over_rest_ends_a_link_and_needs_the_right_too(make_service, codes):
    api = make_service("Accounting", **ACCOUNTING)
    before = tables()
    answer = patched("OTHER")(api, Client(), codes["01"])
    assert tables() == before
    assert "Needs Admin on the account" in words(answer)


def test_a_refusal_counts_the_children_names_some_and_says_what_to_do(api, account, ada, codes):
    code_list, access = codes["01"].list, policy.load(ada, account)
    more = wbs.tree(code_list, ada, *(f"01-{number} Part" for number in (300, 400, 500)))
    ids = [codes["01-100"].pk, codes["01-200"].pk, *(cost_code.pk for cost_code in more.values())]
    wanted = {pk: Origin(id=f"C-{pk}") for pk in ids[1:]}
    assert not sendable.link("cost_code", wanted, access=access)
    wait(codes, ada)
    assert (
        "It stays linked. Of the cost codes directly under it, 1 is waiting for accounting or "
        "being exported (01-100 Survey) and 4 are linked to the ERP (01-200 Permits, 01-300 Part, "
        "01-400 Part and 1 more). First retrieve or settle what waits and unlink what is linked."
    ) in words(patched(None)(api, Client(), codes["01"]))


def test_a_child_that_stays_linked_keeps_its_parent_in_the_same_call(api, account, ada, codes):
    link(codes, ada)
    deepest = wbs.tree(codes["01"].list, ada, "01-100-1 Stakes")["01-100-1"]
    assert wbs.send(codes["01"].list, policy.load(ada, account), deepest).done == 1
    before = tables()
    rows = [{"id": codes[code].pk, "origin_id": None} for code in ("01", "01-100")]
    body = {"standard_cost_code_list_id": codes["01"].list_id, "updates": rows}
    answer = api.patch("standard_cost_codes/sync", body).json()
    assert tables() == before
    assert len(answer["errors"]) == 2
