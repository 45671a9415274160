"""One row of everything that an address of the API can refer to, all of them marked."""

from __future__ import annotations

from typing import Any

from admin_wbs.models import (
    CostType,
    ProjectCostCode,
    ProjectSegment,
    Segment,
    SegmentItem,
    SubJob,
    WbsCode,
    WbsCodeItem,
)
from directory.models import Department, Insurance
from tests.factories import (
    CodeListFactory,
    CompanyFactory,
    CostCodeFactory,
    ItemFactory,
    MembershipFactory,
    ProjectMembershipFactory,
    RequestFactory,
    TradeFactory,
)

MARK = "Secret"
# The part of an address before an id -> the model of the row with this id.
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


def everything_of(account: Any, project: Any, sam: Any) -> dict[str, Any]:
    """Make a row of everything that an address can refer to, with ``MARK``; returns their ids."""
    firm = CompanyFactory.create(account=account, name=f"{MARK} Concrete")
    project.project_companies.create(company=firm)
    codes = CodeListFactory.create(account=account, name=f"{MARK} List")
    code = CostCodeFactory.create(list=codes, description=f"{MARK} Code")
    segment = Segment.objects.create(
        account=account, kind=Segment.Kind.CUSTOM, name=f"{MARK} Segment", tiered=False
    )
    item = SegmentItem(segment=segment, description=f"{MARK} Item")
    item.place("S", None)
    item.save()
    inactive = CompanyFactory.create(account=account, name=f"{MARK} Glass", is_active=False)
    user = MembershipFactory.create(account=account, user__name=f"{MARK} Person").user
    left = MembershipFactory.create(
        account=account, user__name=f"{MARK} Left", is_active=False
    ).user
    for member in (*user.memberships.all(), *left.memberships.all()):
        ProjectMembershipFactory.create(membership=member, project=project, directory=1)
    # A budget code uses only what is in its project's structure; see project_structures.remove.
    ProjectSegment.objects.create(project=project, segment=segment, position=9)
    budget_code = WbsCode.objects.create(project=project, combination="1:1", description=MARK)
    WbsCodeItem.objects.create(wbs_code=budget_code, segment=segment, item=item)
    return {
        "account": account.pk,
        "project": project.pk,
        "company": firm.pk,
        "inactive": inactive.pk,
        "user": user.pk,
        "inactive_user": left.pk,
        "code_list": codes.pk,
        "code": code.pk,
        "project_code": ProjectCostCode.objects.create(project=project, cost_code=code).pk,
        "cost_type": CostType.objects.create(account=account, code="X", label=MARK).pk,
        "sub_job": SubJob.objects.create(project=project, code="S", name=MARK).pk,
        "segment": segment.pk,
        "item": item.pk,
        "wbs_code": budget_code.pk,
        "trade": TradeFactory.create(account=account, name=f"{MARK} Trade").pk,
        "department": Department.objects.create(account=account, name=MARK).pk,
        "insurance": Insurance.objects.create(company=firm, name=MARK).pk,
        "queue_item": ItemFactory.create(account=account, sent_by=sam, label=f"{MARK} Concrete").pk,
        "click": RequestFactory.create(account=account, by=sam).pk,
    }
