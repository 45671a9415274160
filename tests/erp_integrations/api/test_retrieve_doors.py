"""A retrieval needs the right that its record type requires, on every page and call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from admin_wbs.models import CodeList
from erp_integrations.models import Item
from erp_integrations.models.states import State
from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from tests.admin_wbs import steps as wbs
from tests.erp_integrations import steps
from tests.every_call.test_refusals import tables
from tests.factories import CompanyFactory, MembershipFactory, UserFactory

Door = Callable[[Any, Client, Item], Any]


def post(name: str, *, of_record: bool = True, **form: Any) -> Door:
    """A form of a page; ``ids`` of it are those of the record."""

    def door(_api: Any, client: Client, item: Item) -> Any:
        place = item.record_id if of_record else CodeList.objects.get(account=item.account_id).pk
        args = [item.account_id] if name.endswith("bulk") else [item.account_id, place]
        return client.post(reverse(name, args=args), {"ids": item.record_id, **form})

    return door


def call(path: str) -> Door:
    """A call of a program."""

    def door(api: Any, _client: Client, item: Item) -> Any:
        code_list = CodeList.objects.get(account=item.account_id)
        body = {"updates": [{"id": item.record_id}]}
        at = path.format(record=item.record_id, list=code_list.pk)
        return api.post(f"companies/{api.company}/{at}/actions/retrieve_from_erp", body)

    return door


DOORS: dict[str, tuple[str, Door]] = {
    "a company's page": ("vendor", post("directory:account_company_send", verb="retrieve")),
    "ticked companies": ("vendor", post("directory:account_companies_bulk", action="retrieve")),
    "a company over REST": ("vendor", call("vendors/{record}")),
    "companies over REST": ("vendor", call("vendors")),
    "a list's page": (
        "cost_code",
        post("admin_wbs:list_send", of_record=False, verb="retrieve"),
    ),
    "ticked codes": ("cost_code", post("admin_wbs:many", of_record=False, action="retrieve")),
    "a code over REST": ("cost_code", call("standard_cost_codes/{record}")),
    "a list over REST": ("cost_code", call("standard_cost_code_lists/{list}")),
}
every_door = pytest.mark.parametrize(("entity", "door"), DOORS.values(), ids=DOORS.keys())


@pytest.fixture
def waiting(account, ada) -> dict[str, Item]:
    """A company and a cost code that Ada has sent."""
    connection = steps.connect(account, by=ada)
    codes = CodeList.objects.get(connection_id=connection.pk)
    wbs.tree(codes, ada, "01 General")
    access = policy.load(ada, account)
    assert wbs.send(codes, access).done == 1
    steps.send_all([CompanyFactory.create(account=account)], access)
    return {item.entity: item for item in Item.objects.all()}


@every_door
def test_who_may_only_look_retrieves_nothing(
    waiting, make_service, client_of, account, entity, door
):
    looks = Level.READ_ONLY
    user = UserFactory.create()
    rights = {"directory": looks, "admin": looks, "erp_integrations": looks}
    MembershipFactory.create(user=user, account=account, **rights)
    api = make_service("Observer", levels=Levels(looks, looks, looks))
    client = client_of(user)
    before = tables()
    assert door(api, client, waiting[entity]).status_code == 403
    assert tables() == before


@every_door
def test_who_may_does(waiting, api, client_of, ada, entity, door):
    assert door(api, client_of(ada), waiting[entity]).status_code in (200, 302)
    waiting[entity].refresh_from_db()
    assert waiting[entity].state == State.RETRIEVED
