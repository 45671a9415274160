"""Rows of one account with every column filled, no value used twice, and fixed ids.

What the API shows of them is in ``shown.json``: a field that shows another column than it should,
or nothing, differs there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model

from admin_wbs.models import (
    CodeCostType,
    CodeList,
    CostCode,
    CostType,
    ProjectCostCode,
    ProjectSegment,
    Segment,
    SegmentItem,
    SubJob,
    WbsCode,
    WbsCodeItem,
)
from directory.models import CLASSIFICATIONS, Company, Department, Insurance, ProjectCompany
from erp_integrations.models import Attempt, Choice, Connection, ErpRecord, Item, Link, Request
from erp_integrations.models.match_keys import name_key
from erp_integrations.models.states import State
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Project, User
from erpbridge.audit.models import Event
from tests.factories import (
    AccountFactory,
    CodeListFactory,
    CompanyFactory,
    ConnectionFactory,
    CostCodeFactory,
    ItemFactory,
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    RequestFactory,
    TradeFactory,
    UserFactory,
)

# Each kind of row has a range of its own, far above the numbers of any sequence.
ACCOUNT, PROJECT, PERSON, MEMBER = 9_100_000, 9_200_000, 9_300_000, 9_400_000
VENDOR, TRADE, DEPARTMENT, POLICY = 9_500_000, 9_510_000, 9_520_000, 9_530_000
LIST, CODE, TYPE, SUB_JOB = 9_600_000, 9_610_000, 9_620_000, 9_630_000
SEGMENT, SEGMENT_ITEM, PROJECT_CODE, BUDGET_CODE = 9_640_000, 9_650_000, 9_660_000, 9_670_000
CONNECTION, ITEM, ATTEMPT = 9_700_000, 9_710_000, 9_720_000
FIRST = datetime(2026, 3, 1, 6, tzinfo=UTC)


class Moments:
    """Times that are all different."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> datetime:
        self.count += 1
        return FIRST + timedelta(days=self.count, minutes=self.count)

    def day(self) -> date:
        return self.next().date()

    def put(self, row: Model, *columns: str) -> None:
        """Overwrite times that the database has set."""
        type(row)._base_manager.filter(pk=row.pk).update(
            **{column: self.next() for column in columns}
        )


class Known:
    """The rows; those that tests refer to are attributes."""

    def __init__(self) -> None:
        self.moments = Moments()
        self.account: Account = AccountFactory.create(pk=ACCOUNT, name="Harbor Construction")
        self.moments.put(self.account, "created_at")
        # Before the projects: the first project gives an account without segments the usual ones.
        self.segments = self._segments()
        self._cost_types()
        self.project, self.other_project = self._projects()
        self.ada, self.pat, self.sam, *_others = self._people()
        self.head, self.vendor, self.inactive = self._vendors()
        self._policies()
        self._codes()
        self._structure()
        self._queue()

    def _segments(self) -> list[Segment]:
        rows: list[dict[str, Any]] = [
            {"kind": "cost_code", "name": "Cost Code", "tiered": True, "position": 2},
            {"kind": "cost_type", "name": "Cost Type", "tiered": False, "position": 1},
            {"kind": "sub_job", "name": "Sub Job", "tiered": False},
            {
                "kind": "custom",
                "name": "Zone",
                "tiered": True,
                "position": 3,
                "project_items": True,
            },
            {"kind": "custom", "name": "Phase", "tiered": False, "project_deletes": True},
        ]
        made = [
            Segment.objects.create(pk=SEGMENT + place, account=self.account, **values)
            for place, values in enumerate(rows)
        ]
        for segment in made:
            self.moments.put(segment, "created_at")
        return made

    def _cost_types(self) -> None:
        names = (("L", "Labor", "labor"), ("E", "Rental", "equipment"))
        for place, (code, label, base) in enumerate(names):
            kind = CostType.objects.create(
                pk=TYPE + place,
                account=self.account,
                code=code,
                label=label,
                base_type=base,
                origin_id=f"T-{place}" * (1 - place),
                origin_data=f"kind {place}" * (1 - place),
            )
            self.moments.put(kind, "created_at")

    def _projects(self) -> tuple[Project, Project]:
        first: Project = ProjectFactory.create(
            pk=PROJECT,
            account=self.account,
            number="1042",
            name="Pier 7 Warehouse",
            address="7 Pier Road",
            city="Astoria",
            state_code="OR",
            zip="97103",
            country_code="US",
            phone="503-555-0107",
            description="A warehouse on piles.",
            start_date=self.moments.day(),
            completion_date=self.moments.day(),
            origin_id="J-1042",
            origin_code="PIER7",
            origin_data="phase one",
            use_with_erp=True,
        )
        second: Project = ProjectFactory.create(
            pk=PROJECT + 1,
            account=self.account,
            number="",
            name="Quarry School",
            is_active=False,
            use_with_erp=False,
        )
        for project in (first, second):
            self.moments.put(project, "created_at", "updated_at")
        return first, second

    def _people(self) -> list[User]:
        rows: list[tuple[str, dict[str, Any]]] = [
            ("Ada Maria Admin", {"account_admin": True, "can_push_to_accounting": True}),
            ("Pat Approver", {"erp_integrations": Level.STANDARD, "admin": Level.READ_ONLY}),
            (
                "Sam Standard",
                {
                    "directory": Level.STANDARD,
                    "create_edit_companies": True,
                    "job_title": "Estimator",
                    "origin_id": "U-3",
                    "origin_data": "from payroll",
                },
            ),
            ("Lena", {"is_active": False, "directory": Level.READ_ONLY}),
            ("Gus Gone", {"user__is_active": False}),
        ]
        users = []
        for place, (name, values) in enumerate(rows):
            first = name.split()[0].lower()
            alive = values.pop("user__is_active", True)
            user = UserFactory.create(
                pk=PERSON + place, name=name, email=f"{first}@example.com", is_active=alive
            )
            member = MembershipFactory.create(
                pk=MEMBER + place, user=user, account=self.account, **values
            )
            self.moments.put(user, "created_at")
            self.moments.put(member, "updated_at")
            users.append(user)
        ProjectMembershipFactory.create(
            membership_id=MEMBER + 2,
            project=self.project,
            directory=Level.READ_ONLY,
            admin=Level.ADMIN,
            erp_integrations=Level.STANDARD,
        )
        return users

    def _vendors(self) -> tuple[Company, Company, Company]:
        head = CompanyFactory.create(pk=VENDOR, account=self.account, name="Blue Heron Holding")
        texts = {
            name: f"{name.replace('_', ' ')} 1"
            for name in (
                *("trade_name", "business_phone", "mobile_phone", "fax_number", "website"),
                *("address", "city", "license_number", "labor_union", "notes"),
            )
        }
        vendor = CompanyFactory.create(
            pk=VENDOR + 1,
            account=self.account,
            name="Blue Heron Concrete",
            abbreviated_name="BHC",
            entity_type="ein",
            entity_id="12-3456789",
            email_address="office@example.com",
            state_code="OR",
            zip="97301",
            country_code="US",
            union_member=True,
            prequalified=True,
            is_own_company=True,
            classifications=sorted(CLASSIFICATIONS)[:2],
            parent=head,
            standard_cost_code_ids=[CODE, CODE + 1],
            primary_contact_id=MEMBER + 2,
            contract_signer_id=MEMBER,
            origin_id="V-1",
            origin_code="BLUE",
            origin_data={"text": "told by the ERP"},
            **texts,
        )
        inactive = CompanyFactory.create(
            pk=VENDOR + 2,
            account=self.account,
            name="Gone Glass",
            is_active=False,
            authorized_bidder=True,
            non_union_prevailing_wage=True,
        )
        for company in (head, vendor, inactive):
            self.moments.put(company, "created_at", "updated_at")
        for place, name in enumerate(("Masonry", "Carpentry")):
            trade = TradeFactory.create(
                pk=TRADE + place, account=self.account, name=name, is_active=place == 0
            )
            self.moments.put(trade, "updated_at")
            vendor.trades.add(trade)
        vendor.people.add(MEMBER + 1, MEMBER + 2, MEMBER + 3)
        vendor.bid_contacts.add(MEMBER + 1)
        vendor.invoice_contacts.add(MEMBER + 1, MEMBER + 2)
        for project in (self.other_project, self.project):
            ProjectCompany.objects.create(project=project, company=vendor)
        ProjectCompany.objects.create(project=self.project, company=head)
        for place, name in enumerate(("Estimating", "Accounting")):
            Department.objects.create(pk=DEPARTMENT + place, account=self.account, name=name)
        return head, vendor, inactive

    def _policies(self) -> None:
        texts = {
            name: f"{name.replace('_', ' ')} 2"
            for name in (
                *("name", "policy_number", "insurance_type", "insurance_provider", "limit"),
                *("status", "notes", "origin_id", "origin_data"),
            )
        }
        full = Insurance.objects.create(
            pk=POLICY,
            company=self.vendor,
            exempt=True,
            effective_date=self.moments.day(),
            expiration_date=self.moments.day(),
            **texts,
        )
        bare = Insurance.objects.create(
            pk=POLICY + 1,
            company=self.vendor,
            enable_expired_insurance_notifications=True,
            expiration_date=FIRST.date(),
        )
        for policy in (full, bare):
            self.moments.put(policy, "created_at", "updated_at")

    def _codes(self) -> None:
        self.list: CodeList = CodeListFactory.create(
            pk=LIST, account=self.account, name="Residential", for_new_projects=False
        )
        self.erp_list: CodeList = CodeListFactory.create(
            pk=LIST + 1, account=self.account, name="ERP Codes", awaits_erp=True
        )
        self.top: CostCode = CostCodeFactory.create(
            pk=CODE, list=self.list, code="02", description="Site"
        )
        self.middle: CostCode = CostCodeFactory.create(
            pk=CODE + 1, list=self.list, parent=self.top, code="220", description="Earth"
        )
        self.code: CostCode = CostCodeFactory.create(
            pk=CODE + 2,
            list=self.list,
            parent=self.middle,
            code="5",
            description="Walls",
            is_active=False,
            origin_id="C-5",
            origin_code="WALL",
            origin_data={"text": "said by the ERP"},
        )
        further = CostCodeFactory.create(
            pk=CODE + 3, list=self.erp_list, code="09", description="Finishes"
        )
        for cost_code in (self.top, self.middle, self.code, further):
            self.moments.put(cost_code, "created_at", "updated_at")
        for place in (1, 0):
            CodeCostType.objects.create(code=self.code, cost_type_id=TYPE + place)
        for place, code in enumerate((self.top, self.code)):
            here = ProjectCostCode.objects.create(
                pk=PROJECT_CODE + place, project=self.project, cost_code=code
            )
            self.moments.put(here, "added_at")
        elsewhere = ProjectCostCode.objects.create(
            pk=PROJECT_CODE + 2, project=self.project, cost_code=self.middle
        )
        # Added before the last change of its code; the others were added after it.
        ProjectCostCode.objects.filter(pk=elsewhere.pk).update(added_at=FIRST)
        job = SubJob.objects.create(
            pk=SUB_JOB,
            project=self.project,
            code="S1",
            name="South Tower",
            origin_id="S-1",
            origin_data="tower",
        )
        bare = SubJob.objects.create(
            pk=SUB_JOB + 1, project=self.project, code="N1", name="North Tower", is_active=False
        )
        for row in (job, bare):
            self.moments.put(row, "created_at", "updated_at")

    def _structure(self) -> None:
        ProjectSegment.objects.filter(project=self.project).delete()
        for place, segment in enumerate(self.segments[:4]):
            ProjectSegment.objects.create(project=self.project, segment=segment, position=4 - place)
        zone = self.segments[3]
        above: SegmentItem | None = None
        for place, (code, name) in enumerate((("A", "North Wing"), ("1", "Hall"), ("x", "Gate"))):
            item = SegmentItem(pk=SEGMENT_ITEM + place, segment=zone, description=name)
            item.parent = above
            item.is_active = place != 1
            item.place(code, above)
            item.save()
            self.moments.put(item, "created_at", "updated_at")
            above = item
        columns: list[list[dict[str, Any]]] = [
            [
                {"segment": zone, "item_id": SEGMENT_ITEM + 1},
                {"segment": self.segments[0], "cost_code_id": PROJECT_CODE + 1},
                {"segment": self.segments[1], "cost_type_id": TYPE + 1},
                {"segment": self.segments[2], "sub_job_id": SUB_JOB},
            ],
            [
                {"segment": zone, "item_id": SEGMENT_ITEM},
                {"segment": self.segments[0], "cost_code_id": PROJECT_CODE},
            ],
        ]
        for place, items in enumerate(columns):
            code = WbsCode.objects.create(
                pk=BUDGET_CODE + place,
                project=self.project,
                combination=f"{place}",
                description="Walls of the tower" * (1 - place),
                is_active=place == 0,
            )
            self.moments.put(code, "created_at", "updated_at")
            for item_columns in items:
                WbsCodeItem.objects.create(wbs_code=code, **item_columns)

    def _queue(self) -> None:
        self.connection: Connection = ConnectionFactory.create(
            pk=CONNECTION, account=self.account, name="Ledger"
        )
        sent: Request = self._click(1, "send", by=self.sam, done=3)
        problems = [{"field": "zip", "rule": "required", "message": "ZIP is missing."}]
        problems += [{"field": "", "rule": "own", "message": "It is your own."}]
        refused = [{"record_id": VENDOR + 2, "label": "Gone Glass", "problems": problems}]
        accepted = self._click(2, "accept", by=self.pat, done=2, refused=refused)
        payload = {"name": "Blue Heron Concrete", "city": "Salem", "is_active": True}
        common = {"account": self.account, "connection": self.connection, "sent_in": sent}
        decided = {"decided_by": self.pat, "decision_note": "Looks right.", "request": accepted}
        rows: list[dict[str, Any]] = [
            {
                "state": State.REJECTED,
                "record_id": VENDOR,
                "decided_by": self.pat,
                "decision_note": "No W-9 on file.",
                "payload": {"name": "Blue Heron", "city": "Bend", "is_active": True},
            },
            {"state": State.READY, "record_id": VENDOR, "note": "Please hurry."},
            {
                "state": State.FAILED,
                "record_id": VENDOR + 2,
                "project": self.project,
                "error_class": "refused",
                "error_field": "zip",
                "error_text": "The ERP wants a ZIP code.",
                "error_advice": "Give one.",
                "acceptance": {"vendor_code": "GONE"},
                **decided,
            },
            {
                "state": State.SYNCED,
                "record_id": VENDOR + 1,
                "operation": "update",
                "erp_id": "V-1",
                "erp_code": "BLUE",
                "waits_for": VENDOR,
                **decided,
            },
        ]
        for place, own in enumerate(rows):
            values = {"payload": payload, "operation": "create", **common, **own}
            item: Item = ItemFactory.create(
                pk=ITEM + place,
                public_id=UUID(int=ITEM + place),
                label=f"Firm {place}",
                revision=3 + place,
                digest=f"{place + 1}" * 64,
                sent_by=self.sam,
                intent=UUID(int=place) if values["state"] != State.READY else None,
                **values,
            )
            self.moments.put(item, "sent_at", *(["decided_at"] * ("decided_by" in values)))
        self.moments.put(item, "settled_at")
        for place in range(2):
            attempt = Attempt.objects.create(
                pk=ATTEMPT + place,
                item_id=ITEM + 2,
                fence=place + 1,
                worker="w",
                opened_reading=FIRST,
                outcome=("uncertain", "not_applied")[place],
                error_class="outage" * place,
                erp_id="V-9" * place,
                answer_excerpt="503 Service Unavailable" * place,
            )
            self.moments.put(attempt, "opened_at", *(["answered_at"] * place))
        Link.objects.create(
            connection=self.connection,
            entity="vendor",
            record_id=VENDOR + 1,
            erp_id="V-1",
            item_id=ITEM + 3,
            synced_payload=payload,
        )
        ErpRecord.objects.create(
            connection=self.connection,
            entity="vendor",
            erp_id="V-7",
            erp_code="GONE",
            label="Gone Glass Inc",
            name_key=name_key("Blue Heron Concrete"),
            data={"name": "Blue Heron Concrete", "city": "Bend"},
        )
        Choice.objects.create(
            connection=self.connection, kind="vendor_type", code="SUB", label="Subcontractor"
        )
        for verb in ("send", "reject"):
            Event.objects.create(
                account=self.account,
                at=self.moments.next(),
                actor=(self.sam, self.pat)[verb == "reject"],
                entity="vendor",
                subject_id=VENDOR,
                label="Firm 1",
                verb=verb,
                note="No W-9 on file." * (verb == "reject"),
                data={"item": str(UUID(int=ITEM + 1))},
            )
        Company.objects.filter(pk=VENDOR + 1).update(erp_state=State.SYNCED, drifted=True)
        Company.objects.filter(pk=VENDOR + 2).update(erp_state=State.FAILED, revision=5)
        Company.objects.filter(pk=VENDOR).update(erp_state=State.READY)

    def _click(self, number: int, verb: str, **values: Any) -> Request:
        click: Request = RequestFactory.create(
            pk=UUID(int=9_000 + number), account=self.account, verb=verb, **values
        )
        self.moments.put(click, "at")
        return click
