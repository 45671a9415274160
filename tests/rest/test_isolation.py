"""Nothing of an account is visible to a program of another, whatever it asks for."""

from __future__ import annotations

import pytest
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from admin_wbs.models import CostType, ProjectCostCode, Segment, SegmentItem, SubJob, WbsCode
from directory.models import Department, Insurance
from tests.factories import (
    CodeListFactory,
    CompanyFactory,
    CostCodeFactory,
    ItemFactory,
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    RequestFactory,
    TradeFactory,
)

# Answers about the caller, whoever that is.
OF_THE_CALLER = {"rest/v1.0/me", "rest/v1.0/companies"}
# What stands before the id of an address -> the model whose row the id names.
ROWS = {
    "vendors": "company",
    "vendors/inactive": "inactive",
    "users": "user",
    "users/inactive": "inactive_user",
    "trades": "trade",
    "departments": "department",
    "insurances": "insurance",
    "erp_queue": "queue_item",
    "standard_cost_code_lists": "code_list",
    "standard_cost_codes": "code",
    "cost_codes": "project_code",
    "line_item_types": "cost_type",
    "sub_jobs": "sub_job",
    "segments": "segment",
    "segment_items": "item",
    "wbs_codes": "wbs_code",
}
# Addresses that name their project in the query.
OF_PROJECTS = ("rest/v1.0/cost_codes", "rest/v1.0/sub_jobs")


def routes() -> list[str]:
    """Every address under /rest."""

    def walk(patterns: list, prefix: str = ""):
        for one in patterns:
            route = prefix + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, route)
            elif isinstance(one, URLPattern) and route.startswith("rest/"):
                yield route

    return sorted(set(walk(get_resolver().url_patterns)))


@pytest.fixture
def ours(account, project, sam) -> dict[str, object]:
    """Ids of rows of the cast's account."""
    firm = CompanyFactory.create(account=account, name="Secret Concrete")
    project.project_companies.create(company=firm)
    codes = CodeListFactory.create(account=account, name="Secret List")
    code = CostCodeFactory.create(list=codes, description="Secret Code")
    segment = Segment.objects.create(
        account=account, kind=Segment.Kind.CUSTOM, name="Secret Segment", tiered=False
    )
    item = SegmentItem(segment=segment, description="Secret Item")
    item.place("S", None)
    item.save()
    gone = CompanyFactory.create(account=account, name="Secret Glass", is_active=False)
    user = MembershipFactory.create(account=account, user__name="Secret Person").user
    left = MembershipFactory.create(account=account, user__name="Secret Left", is_active=False).user
    for member in (*user.memberships.all(), *left.memberships.all()):
        ProjectMembershipFactory.create(membership=member, project=project, directory=1)
    return {
        "account": account.pk,
        "project": project.pk,
        "company": firm.pk,
        "inactive": gone.pk,
        "user": user.pk,
        "inactive_user": left.pk,
        "code_list": codes.pk,
        "code": code.pk,
        "project_code": ProjectCostCode.objects.create(project=project, cost_code=code).pk,
        "cost_type": CostType.objects.create(account=account, code="X", label="Secret").pk,
        "sub_job": SubJob.objects.create(project=project, code="S", name="Secret").pk,
        "segment": segment.pk,
        "item": item.pk,
        "wbs_code": WbsCode.objects.create(
            project=project, combination="1:1", description="Secret"
        ).pk,
        "trade": TradeFactory.create(account=account, name="Secret Trade").pk,
        "department": Department.objects.create(account=account, name="Secret").pk,
        "insurance": Insurance.objects.create(company=firm, name="Secret").pk,
        "queue_item": ItemFactory.create(account=account, sent_by=sam, label="Secret Concrete").pk,
        "click": RequestFactory.create(account=account, by=sam).pk,
    }


def address(route: str, ours: dict[str, object]) -> str:
    route = route.replace("<int:company_id>", str(ours["account"]))
    route = route.replace("<int:project_id>", str(ours["project"]))
    route = route.replace("<int:vendor_id>", str(ours["company"]))
    route = route.replace("<uuid:request_id>", str(ours["click"]))
    route = route.replace("<int:segment_id>", str(ours["segment"]))
    if route.startswith(OF_PROJECTS):
        route += f"?project_id={ours['project']}"
    head, found, _tail = route.partition("/<int:pk>")
    if found:
        parts = head.split("/")
        row = ROWS.get("/".join(parts[-2:])) or ROWS[parts[-1]]
        route = route.replace("<int:pk>", str(ours[row]))
    assert "<" not in route, f"{route}: tell this test what the argument names"
    return f"/{route}"


@pytest.mark.parametrize("route", [one for one in routes() if one not in OF_THE_CALLER])
def test_a_stranger_finds_nothing_of_the_account(route, ours, stranger, account, other_account):
    path = address(route, ours)
    for company in (account.pk, other_account.pk, None):
        stranger.company = company
        for method in ("GET", "POST", "PATCH", "DELETE"):
            body = None if method == "GET" else {"vendor": {"name": "x"}, "user": {}, "updates": []}
            response = stranger(method, path, body)
            assert response.status_code < 500
            assert b"Secret" not in response.content
            if company == account.pk:
                assert response.status_code == 404
            elif "/<int" in route:
                assert response.status_code in (400, 404, 405)


def test_a_project_of_another_account_is_not_entered_through_ones_own(
    stranger, project, other_account
):
    ProjectFactory.create(account=other_account)
    assert stranger.get(f"projects/{project.pk}").status_code == 404
    assert stranger.get(f"projects/{project.pk}/vendors").status_code == 404
