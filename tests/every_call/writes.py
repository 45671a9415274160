"""A valid call of every writing operation of the description.

:class:`Scene` makes the rows of the calls once; ``CALLS`` has for each operation the row of its
address and the body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from admin_wbs.cost_codes import list_services
from admin_wbs.models import (
    CostType,
    ProjectCostCode,
    Segment,
    SegmentItem,
    SubJob,
    WbsCode,
)
from admin_wbs.projects import budget_codes, cost_codes
from admin_wbs.projects import structure as project_structure
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from directory.models import Company, Department, Insurance
from erp_integrations import sendable
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership, User
from erpbridge.access.policy import load
from erpbridge.rest.schema.openapi import describe
from tests.erp_integrations import steps
from tests.factories import (
    CodeListFactory,
    CompanyFactory,
    CostCodeFactory,
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    TradeFactory,
)

METHODS = ("post", "put", "patch", "delete")
SCOPE = re.compile(r"/rest/v[0-9.]+/(companies/\{company_id\}/|projects/\{project_id\}/)?")
# Addresses with their project in the body or the query.
NAMES_PROJECT = ("cost_codes", "sub_jobs")
WBS = "work_breakdown_structure"


@dataclass(frozen=True)
class Operation:
    """One writing operation; ``name`` is its address without version and scope."""

    method: str
    template: str
    name: str
    of_project: bool

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


@dataclass(frozen=True)
class Call:
    """The last id of the address, and the body."""

    pk: int = 0
    body: Any = None
    query: str = ""
    path: Mapping[str, int] = field(default_factory=dict)


def operations() -> list[Operation]:
    """Every writing operation under ``/rest``."""

    def walk() -> Iterator[Operation]:
        for template, methods in describe()["paths"].items():
            scope = SCOPE.match(template)
            if scope is None:
                continue
            name, of_project = template[scope.end() :], "{project_id}" in template
            for method in METHODS:
                if method in methods:
                    yield Operation(method.upper(), template, name, of_project)

    return sorted(walk(), key=str)


def distinct() -> list[Operation]:
    """Each operation under its first address; the others have the same handler."""
    by_address: dict[tuple[str, str, bool], Operation] = {}
    for operation in operations():
        by_address.setdefault((operation.method, operation.name, operation.of_project), operation)
    return list(by_address.values())


def parameters() -> dict[Operation, list[str]]:
    """The query parameters of each writing operation in the description."""
    paths = describe()["paths"]
    return {
        operation: [
            given["name"]
            for given in paths[operation.template][operation.method.lower()]["parameters"]
            if given["in"] == "query"
        ]
        for operation in operations()
    }


def conditional() -> set[Operation]:
    """The writing operations that take If-Match according to the description."""
    paths = describe()["paths"]
    return {
        operation
        for operation in operations()
        for given in paths[operation.template][operation.method.lower()]["parameters"]
        if given["name"] == "If-Match"
    }


class Scene:
    """One account with rows in every state that some operation needs."""

    def __init__(self, account: Account, ada: User) -> None:
        self.account, self.ada = account, ada
        self.connection = steps.connect(account, by=ada)
        self.project = ProjectFactory.create(account=account, number="7", name="Pier 7")
        self.plain = ProjectFactory.create(
            account=account, number="8", name="Pier 8", use_with_erp=False
        )
        access = load(ada, account, self.project)
        assert access is not None
        self.access = access
        self._make_directory()
        self._make_people()
        self._make_codes()
        self._make_structure()
        self._make_items()

    def _make_directory(self) -> None:
        firms = [self._company(f"Firm {name}") for name in ("A", "B", "C")]
        self.vendor, self.other_vendor, self.registered = firms
        Company.objects.filter(pk=self.other_vendor.pk).update(origin_id="TAKEN")
        Company.objects.filter(pk=self.registered.pk).update(entity_type="ein", entity_id="12-3")
        self.inactive_vendor = self._company("Gone Glass", is_active=False)
        self.elsewhere = CompanyFactory.create(account=self.account, name="Company Only")
        self.trade = TradeFactory.create(account=self.account, name="Masonry")
        self.department = Department.objects.create(account=self.account, name="North")
        self.other_department = Department.objects.create(account=self.account, name="South")
        self.insurance = Insurance.objects.create(company=self.vendor, name="Policy")
        Insurance.objects.create(company=self.vendor, name="Other", origin_id="TAKEN")

    def _company(self, name: str, **values: Any) -> Company:
        company: Company = CompanyFactory.create(account=self.account, name=name, **values)
        self.project.project_companies.create(company=company)
        return company

    def _make_people(self) -> None:
        self.member = self._person("Nora North", origin_id="")
        self.other_member = self._person("Omar Other", origin_id="TAKEN")
        self.left = self._person("Lena Left", is_active=False)
        self.not_on_project = self._member("Pia Plain")

    def _member(self, name: str, **values: Any) -> Membership:
        member: Membership = MembershipFactory.create(
            account=self.account,
            user__name=name,
            user__email=f"{name.lower().replace(' ', '.')}@{self.account.pk}.example.com",
            directory=Level.READ_ONLY,
            **values,
        )
        return member

    def _person(self, name: str, **values: Any) -> Membership:
        member = self._member(name, **values)
        ProjectMembershipFactory.create(
            membership=member, project=self.project, directory=Level.READ_ONLY
        )
        return member

    def _make_codes(self) -> None:
        default_structure.ensure(self.account.pk)
        erp_list = list_services.erp_list(self.account.pk)
        assert erp_list is not None
        self.erp_list = erp_list
        self.unsent, self.sent, self.unused = (
            CostCodeFactory.create(list=erp_list, code=code) for code in ("01", "02", "03")
        )
        done = sendable.send(list_services.CODE, [self.sent.pk], access=self._of_account())
        assert done.done == 1, done
        self.list = CodeListFactory.create(account=self.account, name="Residential")
        self.other_list = CodeListFactory.create(account=self.account, name="Commercial")
        self.code, self.other_code, self.further = (
            CostCodeFactory.create(list=self.list, code=code, origin_id=origin)
            for code, origin in (("10", ""), ("20", "TAKEN"), ("30", ""))
        )
        for project in (self.project, self.plain):
            cost_codes.add_only(
                self.list, [self.code.pk, self.other_code.pk], project=project, by=self.ada
            )

    def _of_account(self) -> Any:
        return load(self.ada, self.account)

    def _make_structure(self) -> None:
        kinds = Segment.objects.filter(account=self.account)
        self.code_segment = kinds.get(kind=Segment.Kind.COST_CODE)
        self.type_segment = kinds.get(kind=Segment.Kind.COST_TYPE)
        segment_services.enable(kinds.get(kind=Segment.Kind.SUB_JOB), on=True, by=self.ada)
        self.phase, self.zone, self.area = (
            segment_services.add(
                self.account, name=name, tiered=False, project_items=True, by=self.ada
            )
            for name in ("Phase", "Zone", "Area")
        )
        project_structure.add(self.project, self.area, by=self.ada)
        self.item, self.other_item = (self._item(code) for code in ("P1", "P2"))
        self.cost_type, self.other_type = CostType.objects.filter(
            account=self.account, code__in=("L", "E")
        ).order_by("-code")
        CostType.objects.filter(pk=self.other_type.pk).update(origin_id="TAKEN")
        self.sub_job = SubJob.objects.create(project=self.plain, code="S", name="South")
        SubJob.objects.create(project=self.plain, code="T", name="Tower", origin_id="TAKEN")
        here = ProjectCostCode.objects.filter(project=self.project)
        self.here = here.get(cost_code=self.code)
        self.there = here.get(cost_code=self.other_code)
        self.plain_here = ProjectCostCode.objects.get(project=self.plain, cost_code=self.code)
        self.pairs = [
            {"segment_id": self.code_segment.pk, "segment_item_id": self.here.pk},
            {"segment_id": self.type_segment.pk, "segment_item_id": self.cost_type.pk},
        ]
        row = budget_codes.WbsCodeRow([tuple(pair.values()) for pair in self.pairs], "Walls")
        budget_codes.store(self.project, [row], by=self.ada)
        self.budget_code = WbsCode.objects.get(pk=row.pk)

    def _item(self, code: str) -> SegmentItem:
        item = SegmentItem(segment=self.phase, description=f"Phase {code}")
        item.place(code, None)
        item.save()
        return item

    def _make_items(self) -> None:
        """An acceptance item in each state, sent from the project by Ada."""
        names = ("Ready", "Waiting", "Twin", "Failed", "Unknown", "Queued", "Synced")
        firms = [self._company(f"{name} Inc") for name in names]
        made = steps.send_all(firms, self.access)
        self.ready, self.waiting, self.twin, *others = made
        self.failed, self.unknown, self.queued, self.synced = others
        self.in_erp = self.connection.erp_records.create(entity="vendor", erp_id="V-TWIN")
        self.pat = MembershipFactory.create(account=self.account, approver=True).user
        approver = load(self.pat, self.account)
        assert approver is not None
        assert steps.decide([self.synced], approver).refused == ()
        steps.export(self.connection)
        assert steps.decide([self.failed, self.unknown, self.queued], approver).refused == ()
        Item.objects.filter(pk=self.failed.pk).update(state=State.FAILED)
        Item.objects.filter(pk=self.unknown.pk).update(state=State.NEEDS_ANSWER)
        for item in made:
            item.refresh_from_db()
        assert self.synced.state == State.SYNCED
        self.vendor_type = a_type(self.connection)
        self._name_an_id("V-NAMED")

    def _name_an_id(self, erp_id: str) -> None:
        """A program has given a company's ERP ID, and an update of the company waits."""
        firm, origin = self._company("Named Inc"), sendable.Origin(id=erp_id)
        assert sendable.link("vendor", {firm.pk: origin}, access=self._of_account()) == {}
        self.named, self.named_id = steps.update_item(firm, self.access, "Renamed Inc"), erp_id

    def call(self, operation: Operation) -> Call:
        """The call of the operation: its row and its body."""
        key = f"{operation.method} {operation.name}"
        return CALLS[key](self, operation.of_project)

    def address(self, operation: Operation, call: Call) -> str:
        """The address, its variables filled in."""
        path = operation.template
        project = self.plain if operation.name.startswith(NAMES_PROJECT) else self.project
        known = {"company_id": self.account.pk, "project_id": project.pk, "id": call.pk}
        for name, value in (known | dict(call.path)).items():
            path = path.replace(f"{{{name}}}", str(value))
        return f"{path}?{call.query}" if call.query else path


def a_type(connection: Connection) -> str:
    return str(connection.choices.filter(kind="vendor_type").order_by("code")[0].code)


def user(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "last_name": f"New {number}",
        "email_address": f"new{number}@example.com",
        "job_title": "Estimator",
        **more,
    }


def in_list(scene: Scene, **values: Any) -> dict[str, Any]:
    return {"standard_cost_code_list_id": scene.list.pk, **values}


def in_project(scene: Scene, **values: Any) -> dict[str, Any]:
    return {"project_id": scene.plain.pk, **values}


def order(scene: Scene, of_project: bool) -> dict[str, Any]:
    rows = (
        default_structure.of_project(scene.project)
        if of_project
        else list(Segment.objects.structure(scene.account.pk))
    )
    turned = enumerate(reversed(rows))
    return {"updated_order": [{"segment_id": segment.pk, "position": at} for at, segment in turned]}


ITEMS = f"{WBS}/segments/{{segment_id}}/segment_items"
CALLS: dict[str, Callable[[Scene, bool], Call]] = {
    # --- the queue
    "POST erp_queue/actions/accept": lambda s, _p: Call(
        body={
            "acceptance": {"vendor_type": s.vendor_type},
            "updates": [{"id": s.ready.pk, "digest": s.ready.digest}],
        }
    ),
    "POST erp_queue/actions/reject": lambda s, _p: Call(
        body={"reason": "No W-9 on file.", "updates": [{"id": s.ready.pk}]}
    ),
    "POST erp_queue/actions/retry": lambda s, _p: Call(
        body={"updates": [{"id": s.failed.pk, "digest": s.failed.digest}]}
    ),
    "PATCH erp_queue/{id}": lambda s, _p: Call(
        s.ready.pk, {"acceptance": {"vendor_type": s.vendor_type}}
    ),
    "POST erp_queue/{id}/actions/accept": lambda s, _p: Call(
        s.ready.pk, {"digest": s.ready.digest, "acceptance": {"vendor_type": s.vendor_type}}
    ),
    "POST erp_queue/{id}/actions/answer": lambda s, _p: Call(
        s.unknown.pk, {"answer": "not_there", "reason": "I looked."}
    ),
    "POST erp_queue/{id}/actions/link_instead": lambda s, _p: Call(
        s.twin.pk, {"digest": s.twin.digest, "origin_id": s.in_erp.erp_id}
    ),
    "POST erp_queue/{id}/actions/reject": lambda s, _p: Call(s.waiting.pk, {"reason": "No W-9."}),
    "POST erp_queue/{id}/actions/retry": lambda s, _p: Call(
        s.failed.pk, {"digest": s.failed.digest}
    ),
    "POST erp_queue/{id}/actions/unlink": lambda s, _p: Call(s.synced.pk, {"reason": "Wrong."}),
    "POST erp_queue/{id}/actions/use_anyway": lambda s, _p: Call(
        s.named.pk, {"origin_ids": [s.named_id], "reason": "They changed their name."}
    ),
    "POST erp_queue/{id}/actions/withdraw": lambda s, _p: Call(s.queued.pk, {"reason": "Wait."}),
    # --- clicks
    "POST standard_cost_code_lists/{id}/actions/retrieve_from_erp": lambda s, _p: Call(
        s.erp_list.pk, {}
    ),
    "POST standard_cost_code_lists/{id}/actions/send_to_erp": lambda s, _p: Call(s.erp_list.pk, {}),
    "POST standard_cost_codes/{id}/actions/retrieve_from_erp": lambda s, _p: Call(s.sent.pk),
    "POST standard_cost_codes/{id}/actions/send_to_erp": lambda s, _p: Call(s.unsent.pk, {}),
    "POST vendors/actions/retrieve_from_erp": lambda s, _p: Call(
        body={"updates": [{"id": s.waiting.record_id}]}
    ),
    "POST vendors/actions/send_to_erp": lambda s, _p: Call(body={"updates": [{"id": s.vendor.pk}]}),
    "POST vendors/{id}/actions/retrieve_from_erp": lambda s, _p: Call(s.waiting.record_id),
    "POST vendors/{id}/actions/send_to_erp": lambda s, _p: Call(s.vendor.pk, {}),
    # --- the Directory
    "POST trades": lambda s, _p: Call(body={"trade": {"name": "Glazing", "active": True}}),
    "POST departments": lambda s, _p: Call(body={"department": {"name": "East"}}),
    "PATCH departments/{id}": lambda s, _p: Call(s.department.pk, {"department": {"name": "West"}}),
    "DELETE departments/{id}": lambda s, _p: Call(s.department.pk),
    "POST vendors": lambda s, _p: Call(
        body={"vendor": {"name": "New Firm", "city": "Bend", "origin_id": "E-1"}}
    ),
    "PATCH vendors/{id}": lambda s, _p: Call(
        s.vendor.pk, {"vendor": {"city": "Bend", "origin_id": "E-2"}}
    ),
    "PATCH vendors/sync": lambda s, _p: Call(
        body={"updates": [{"name": "New Firm", "city": "Bend", "origin_id": "E-1"}]}
    ),
    "PATCH vendors/inactive/{id}": lambda s, _p: Call(s.inactive_vendor.pk),
    "POST vendors/{id}/actions/add": lambda s, _p: Call(s.elsewhere.pk),
    "DELETE vendors/{id}/actions/remove": lambda s, _p: Call(s.vendor.pk),
    "POST vendors/{id}/business_register": lambda s, _p: Call(
        s.vendor.pk, {"business_register": {"type": "ein", "identifier": "52-7654321"}}
    ),
    "PATCH vendors/{id}/business_register": lambda s, _p: Call(
        s.registered.pk, {"business_register": {"identifier": "52-7654321"}}
    ),
    "POST vendors/{vendor_id}/insurances": lambda s, _p: Call(
        body={"insurance": {"name": "Liability", "limit": "1000"}},
        path={"vendor_id": s.vendor.pk},
    ),
    "PATCH vendors/{vendor_id}/insurances/sync": lambda s, _p: Call(
        body={"updates": [{"name": "Liability", "limit": "1000", "origin_id": "I-1"}]},
        path={"vendor_id": s.vendor.pk},
    ),
    "PATCH vendors/{vendor_id}/insurances/{id}": lambda s, _p: Call(
        s.insurance.pk, {"insurance": {"limit": "2000"}}, path={"vendor_id": s.vendor.pk}
    ),
    "DELETE vendors/{vendor_id}/insurances/{id}": lambda s, _p: Call(
        s.insurance.pk, path={"vendor_id": s.vendor.pk}
    ),
    # --- people and projects
    "POST users": lambda s, _p: Call(body={"user": user(origin_id="P-1")}),
    "PATCH users/{id}": lambda s, _p: Call(
        s.member.user_id, {"user": {"job_title": "Buyer", "origin_id": "P-2"}}
    ),
    "PATCH users/sync": lambda s, _p: Call(body={"updates": [user(origin_id="P-1")]}),
    "PATCH users/inactive/{id}": lambda s, _p: Call(s.left.user_id),
    "POST users/{id}/actions/add": lambda s, _p: Call(s.not_on_project.user_id, {}),
    "DELETE users/{id}/actions/remove": lambda s, _p: Call(s.member.user_id),
    "POST projects": lambda s, _p: Call(
        body={"project": {"name": "Pier 9", "project_number": "9", "origin_id": "J-1"}}
    ),
    "PATCH projects/{project_id}": lambda s, _p: Call(
        body={"project": {"city": "Bend", "origin_id": "J-2"}}
    ),
    "PATCH projects/sync": lambda s, _p: Call(
        body={"updates": [{"name": "Pier 9", "project_number": "9", "origin_id": "J-1"}]}
    ),
    # --- cost codes, cost types, sub jobs
    "POST cost_codes": lambda s, _p: Call(
        body=in_project(s, cost_code={"standard_cost_code_id": s.further.pk})
    ),
    "PATCH cost_codes/sync": lambda s, _p: Call(
        body=in_project(s, updates=[{"standard_cost_code_id": s.further.pk}])
    ),
    "PATCH cost_codes/{id}": lambda s, _p: Call(
        s.plain_here.pk, in_project(s, cost_code={"name": s.code.description})
    ),
    "POST cost_codes/copy_from_standard_list": lambda s, _p: Call(body=in_project(s, **in_list(s))),
    "POST cost_codes/copy_subset_from_standard_list": lambda s, _p: Call(
        body=in_project(s, **in_list(s, standard_cost_code_ids=[s.further.pk]))
    ),
    "POST line_item_types": lambda s, _p: Call(
        body={"line_item_type": {"name": "Rental", "csv_import_code": "R", "origin_id": "T-1"}}
    ),
    "PATCH line_item_types/sync": lambda s, _p: Call(
        body={"updates": [{"name": "Rental", "csv_import_code": "R", "origin_id": "T-1"}]}
    ),
    "PATCH line_item_types/{id}": lambda s, _p: Call(
        s.cost_type.pk, {"line_item_type": {"name": "Work", "origin_id": "T-2"}}
    ),
    "POST standard_cost_code_lists": lambda s, _p: Call(
        body={"standard_cost_code_list": {"name": "Civil"}}
    ),
    "PATCH standard_cost_code_lists/{id}": lambda s, _p: Call(
        s.list.pk, {"standard_cost_code_list": {"name": "Housing"}}
    ),
    "POST standard_cost_codes": lambda s, _p: Call(
        body=in_list(s, standard_cost_code={"code": "40", "name": "Roofs", "origin_id": "C-1"})
    ),
    "PATCH standard_cost_codes/sync": lambda s, _p: Call(
        body=in_list(s, updates=[{"code": "40", "name": "Roofs", "origin_id": "C-1"}])
    ),
    "PATCH standard_cost_codes/{id}": lambda s, _p: Call(
        s.code.pk, in_list(s, standard_cost_code={"name": "Walls", "origin_id": "C-2"})
    ),
    "DELETE standard_cost_codes/{id}": lambda s, _p: Call(
        s.unused.pk, query=f"standard_cost_code_list_id={s.erp_list.pk}"
    ),
    "POST sub_jobs": lambda s, _p: Call(
        body=in_project(s, sub_job={"code": "N", "name": "North", "origin_id": "S-1"})
    ),
    "PATCH sub_jobs/sync": lambda s, _p: Call(
        body=in_project(s, updates=[{"code": "N", "name": "North", "origin_id": "S-1"}])
    ),
    "PATCH sub_jobs/{id}": lambda s, _p: Call(
        s.sub_job.pk, in_project(s, sub_job={"name": "South Tower"})
    ),
    "DELETE sub_jobs/{id}": lambda s, _p: Call(s.sub_job.pk, query=f"project_id={s.plain.pk}"),
    # --- the structure
    f"PUT {WBS}/patterns/update_segment_order": lambda s, p: Call(body=order(s, p)),
    f"PUT {WBS}/patterns/add_segment": lambda s, _p: Call(body={"segment_id": s.phase.pk}),
    f"PUT {WBS}/patterns/remove_segment": lambda s, _p: Call(body={"segment_id": s.area.pk}),
    f"POST {WBS}/segments": lambda s, _p: Call(body={"name": "Floor", "structure": "flat"}),
    f"PATCH {WBS}/segments/{{id}}": lambda s, _p: Call(s.phase.pk, {"name": "Stage"}),
    f"DELETE {WBS}/segments/{{id}}": lambda s, _p: Call(s.zone.pk),
    f"POST {ITEMS}": lambda s, _p: Call(
        body={"code": "P3", "name": "Third"}, path={"segment_id": s.phase.pk}
    ),
    f"DELETE {ITEMS}/bulk_destroy": lambda s, _p: Call(
        body={"ids": [s.item.pk]}, path={"segment_id": s.phase.pk}
    ),
    f"PATCH {ITEMS}/update_all": lambda s, _p: Call(
        body={"ids": [s.item.pk], "attributes": {"status": "inactive"}},
        path={"segment_id": s.phase.pk},
    ),
    f"PATCH {ITEMS}/{{id}}": lambda s, _p: Call(
        s.item.pk, {"name": "First"}, path={"segment_id": s.phase.pk}
    ),
    f"DELETE {ITEMS}/{{id}}": lambda s, _p: Call(s.item.pk, path={"segment_id": s.phase.pk}),
    f"POST {WBS}/wbs_codes": lambda s, _p: Call(body={"segment_items": further_pairs(s)}),
    f"PATCH {WBS}/wbs_codes/bulk_create": lambda s, _p: Call(
        body={"bulk": [{"segment_items": further_pairs(s)}]}
    ),
    f"PATCH {WBS}/wbs_codes/update_all": lambda s, _p: Call(
        body={"ids": [s.budget_code.pk], "attributes": {"status": "inactive"}}
    ),
    f"PATCH {WBS}/wbs_codes/{{id}}": lambda s, _p: Call(s.budget_code.pk, {"description": "Roof"}),
}


def further_pairs(scene: Scene) -> list[dict[str, int]]:
    """The items of a budget code that does not exist yet."""
    code, kind = scene.pairs
    return [code | {"segment_item_id": scene.there.pk}, kind]
