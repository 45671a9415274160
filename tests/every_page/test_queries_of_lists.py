"""How many queries each page with a list asks: the same for few rows as for many, and no more.

``pytest -s`` prints the numbers. A page that needs another query says so in ``QUERIES``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode, Segment, SubJob
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from directory.models import ProjectCompany
from erp_integrations.models import Item
from erp_integrations.models.states import State
from erpbridge.access.models import Account, Project, User
from tests.erp_integrations import steps
from tests.factories import (
    ApplicationFactory,
    CodeListFactory,
    CompanyFactory,
    CostCodeFactory,
    ItemFactory,
    MembershipFactory,
    ProjectFactory,
    RequestFactory,
    TradeFactory,
)
from tests.rest.fixtures import all_segments

__all__ = ["all_segments"]

# Together they fit on one page: a list of several pages has one query more, which counts its rows.
FEW, MANY = 1, 7
# A state of items -> the tab that lists it.
STATES: Mapping[str, str] = {
    State.READY: "ready",
    State.QUEUED: "exporting",
    State.FAILED: "failed",
    State.REJECTED: "returned",
}
QUERIES: Mapping[str, int] = {
    "access:people": 10,
    "access:projects": 9,
    "admin_wbs:list": 21,
    "admin_wbs:list search": 22,
    "admin_wbs:list expanded": 22,
    "admin_wbs:lists": 9,
    "admin_wbs:matrix": 14,
    "admin_wbs:project_codes": 15,
    "admin_wbs:segment": 9,
    "admin_wbs:sub_jobs": 13,
    "directory:account_companies": 10,
    "directory:project_companies": 14,
    "erp:items companies ready": 15,
    "erp:items companies exporting": 15,
    "erp:items companies failed": 15,
    "erp:items companies returned": 14,
    "erp:items companies synced": 14,
    "erp:items cost-codes ready": 17,
    "erp:items cost-codes exporting": 16,
    "erp:items cost-codes failed": 17,
    "erp:items cost-codes returned": 15,
    "erp:items cost-codes synced": 15,
    "erp:request": 10,
    "oauth:applications": 8,
}


class Rows:
    """An account with a connection, to which rows of every list can be added."""

    def __init__(self, account: Account, project: Project, ada: User) -> None:
        self.account, self.project, self.ada = account, project, ada
        self.connection = steps.connect(account, by=ada)
        code_list = list_services.erp_list(account.pk)
        assert code_list is not None
        self.erp_list: CodeList = code_list
        self.phase = segment_services.add(account, name="Phase", tiered=True, by=ada)
        sub_jobs = Segment.objects.get(account=account, kind=Segment.Kind.SUB_JOB)
        segment_services.enable(sub_jobs, on=True, by=ada)
        self.click = RequestFactory.create(account=account, by=ada)

    def add(self, number: int) -> None:
        """That many rows to each list, in every state that a row can be in."""
        for _ in range(number):
            self._add_companies()
            self._add_codes()
            self._add_of_account()

    def _add_companies(self) -> None:
        trade = TradeFactory.create(account=self.account)
        for state in STATES:
            company = CompanyFactory.create(account=self.account, erp_state=state)
            company.trades.add(trade)
            ProjectCompany.objects.create(project=self.project, company=company)
            self._add_item("vendor", company.pk, state)

    def _add_codes(self) -> None:
        top = CostCodeFactory.create(list=self.erp_list)
        CostCodeFactory.create(list=self.erp_list, parent=top)
        for state in STATES:
            code = CostCodeFactory.create(list=self.erp_list, erp_state=state)
            self._add_item("cost_code", code.pk, state)
            self.project.cost_codes.create(cost_code=code)
        CodeListFactory.create(account=self.account)

    def _add_item(self, entity: str, record_id: int, state: str) -> Item:
        decided = {} if state == State.READY else {"intent": uuid.uuid4(), "decided_by": self.ada}
        return ItemFactory.create(
            account=self.account,
            connection=self.connection,
            entity=entity,
            record_id=record_id,
            sent_by=self.ada,
            sent_in=self.click,
            state=state,
            **decided,
        )

    def _add_of_account(self) -> None:
        MembershipFactory.create(account=self.account)
        ProjectFactory.create(account=self.account)
        ApplicationFactory.create(account=self.account)
        code = f"P{CostCode.objects.count()}"
        segment_items.add(self.phase, code=code, description="Shell", by=self.ada)
        SubJob.objects.create(project=self.project, code=code, name=f"Garage {code}")

    def pages(self) -> Mapping[str, str]:
        """Every page with a list, by name."""
        of_account = {"account_id": self.account.pk}
        of_project = of_account | {"project_id": self.project.pk}
        of_list = of_account | {"list_id": self.erp_list.pk}
        items = {
            f"erp:items {kind} {tab}": reverse("erp:items", kwargs=of_account | {"kind": kind})
            + f"?status={tab}"
            for kind in ("companies", "cost-codes")
            for tab in (*STATES.values(), "synced")
        }
        code_list = reverse("admin_wbs:list", kwargs=of_list)
        return {
            "access:people": reverse("access:people", kwargs=of_account),
            "access:projects": reverse("access:projects", kwargs=of_account),
            "admin_wbs:list": code_list,
            "admin_wbs:list search": f"{code_list}?q=Work",
            "admin_wbs:list expanded": f"{code_list}?open=all",
            "admin_wbs:lists": reverse("admin_wbs:lists", kwargs=of_account),
            "admin_wbs:matrix": reverse("admin_wbs:matrix", kwargs=of_list),
            "admin_wbs:project_codes": reverse("admin_wbs:project_codes", kwargs=of_project),
            "admin_wbs:segment": reverse(
                "admin_wbs:segment", kwargs=of_account | {"segment_id": self.phase.pk}
            ),
            "admin_wbs:sub_jobs": reverse("admin_wbs:sub_jobs", kwargs=of_project),
            "directory:account_companies": reverse(
                "directory:account_companies", kwargs=of_account
            ),
            "directory:project_companies": reverse(
                "directory:project_companies", kwargs=of_project
            ),
            **items,
            "erp:request": reverse(
                "erp:request", kwargs=of_account | {"request_id": self.click.pk}
            ),
            "oauth:applications": reverse("oauth:applications", kwargs=of_account),
        }


@pytest.fixture
def rows(all_segments: None, account: Account, project: Project, ada: User) -> Rows:
    return Rows(account, project, ada)


def counted(client: Client, rows: Rows, more: int) -> dict[str, int]:
    """Queries of each page once the lists have that many more rows."""
    rows.add(more)
    return {name: asked(client, address) for name, address in rows.pages().items()}


def asked(client: Client, address: str) -> int:
    # Opened before, as the first time may keep something for the next.
    client.get(address)
    with CaptureQueriesContext(database) as queries:
        assert client.get(address).status_code == 200, address
    return len(queries)


def test_lists_ask_as_often_for_many_rows_as_for_few(rows, ada, client_of):
    client = client_of(ada)
    few, many = (counted(client, rows, more) for more in (FEW, MANY))
    print(*(f"{number:3} {name}" for name, number in many.items()), sep="\n")
    assert many == few
    assert many == dict(QUERIES)
