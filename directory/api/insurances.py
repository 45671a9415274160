"""Insurance policies of a vendor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TypedDict

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request

from directory.models import Company, Insurance
from erpbridge.access.permissions import Permission
from erpbridge.audit.services import Note, note
from erpbridge.db.json_rows import JsonRows, OrNull
from erpbridge.refusals import TAKEN
from erpbridge.rest import sync
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.bodies import Reader
from erpbridge.rest.requests.filters import ids, moments, texts
from erpbridge.rest.requests.rows import MOST_ROWS
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Synced, answers, takes, takes_rows
from erpbridge.rest.sync import Records, SyncRow
from erpbridge.rest.views import Listed, Resource, Shown

TEXTS = (
    "name",
    "policy_number",
    "insurance_type",
    "insurance_provider",
    "limit",
    "status",
    "notes",
)
FLAGS = ("exempt", "enable_expired_insurance_notifications")
DAYS = ("effective_date", "expiration_date")
READERS: dict[str, Reader[object]] = {
    **{name: bodies.text(Insurance, name) for name in TEXTS},
    **dict.fromkeys(FLAGS, bodies.flag),
    **dict.fromkeys(DAYS, bodies.day),
    "origin_id": bodies.identifier(200),
    "origin_data": bodies.long_text(10_000),
}
# Columns are empty where Procore answers null: docs/design/procore-rest-resources.md, "Vendors".
insurances = JsonRows(
    Insurance,
    {
        "id": "pk",
        **{name: OrNull(name) for name in TEXTS},
        **{name: name for name in (*FLAGS, *DAYS)},
        "origin_id": OrNull("origin_id"),
        "origin_data": OrNull("origin_data"),
        "created_at": "created_at",
        "updated_at": "updated_at",
        "vendor_id": "company_id",
    },
)


class Policy(TypedDict):
    """An insurance policy."""

    id: int
    vendor_id: int
    name: str | None
    policy_number: str | None
    insurance_type: str | None
    insurance_provider: str | None
    limit: str | None
    status: str | None
    notes: str | None
    exempt: bool
    enable_expired_insurance_notifications: bool
    effective_date: date | None
    expiration_date: date | None
    origin_id: str | None
    origin_data: str | None
    created_at: datetime
    updated_at: datetime


class InsuranceView(Resource[Insurance], Records):
    """Insurance policies of the vendor in the path."""

    reads = Permission.COMPANIES_VIEW
    default_view = "extended"
    row_types = {"extended": Policy, "normal": Policy}
    vendor: Company
    listing = Listing(
        filters={
            "id": ids("pk"),
            "origin_id": texts("origin_id"),
            "updated_at": moments("updated_at"),
        },
        sorts={"id": "pk", "expiration_date": "expiration_date"},
    )

    def enter(self, request: Request) -> int:
        """Look up the vendor. :raises Http404: if the caller cannot see it."""
        account = super().enter(request)
        companies = Company.objects.visible_to(self.access)
        vendor = companies.filter(pk=self.kwargs["vendor_id"]).first()
        if vendor is None:
            raise Http404
        self.vendor = vendor
        return account

    def visible(self) -> QuerySet[Insurance]:
        """The policies of the vendor."""
        return Insurance.objects.filter(company=self.vendor)

    def shapes(self) -> Mapping[str, Shape]:
        """All views are the same."""
        return {"normal": insurances, "extended": insurances}

    def write(self, pk: int | None = None) -> int:
        """Create a policy, or change the one with this ``pk``.

        :raises Invalid: (422) with the errors by field.
        """
        self.require(Permission.COMPANIES_EDIT)
        return sync.store_one(self, SyncRow(self.wrapped("insurance"), pk=pk))

    @transaction.atomic
    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and update policies one by one; a vendor has only a few."""
        policies = self.visible().select_for_update().order_by("pk")
        stored = {policy.pk: policy for policy in policies}
        for row in rows:
            values, errors = bodies.read(row.given, READERS)
            row.refuse(errors)
            if row.errors:
                continue
            # No record has the id 0.
            policy = stored.get(row.pk or 0) or Insurance(company=self.vendor)
            verb = "insurance changed" if policy.pk else "insurance added"
            for name, value in values.items():
                setattr(policy, name, value)
            # The default of the database applies to new rows only.
            policy.updated_at = timezone.now()
            try:
                # A savepoint: a taken origin id must not end the transaction of the other rows.
                with transaction.atomic():
                    policy.save()
            except IntegrityError:
                row.refuse({"origin_id": [TAKEN]})
                continue
            row.pk = policy.pk
            self._note_event(policy, verb)

    def _note_event(self, policy: Insurance, verb: str) -> None:
        """Write an audit event in the vendor's history."""
        data = {"insurance": str(policy)}
        event = Note("vendor", self.vendor.pk, self.vendor.name, verb, data=data)
        note(self.access.account.pk, [event], by=self.access.user)


class Insurances(InsuranceView, Listed[Insurance]):
    """The insurance policies of the vendor."""

    @takes(READERS, wrapped="insurance")
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create an insurance policy."""
        return self.show(self.write(), 201)


class OneInsurance(InsuranceView, Shown[Insurance]):
    """An insurance policy of the vendor."""

    @takes(READERS, wrapped="insurance")
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change an insurance policy; fields that are not sent stay as they are."""
        return self.show(self.write(self.record(pk).pk))

    @answers(None, 204)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Delete an insurance policy. The response has no body."""
        policy = self.record(pk)
        self.require(Permission.COMPANIES_EDIT)
        self._note_event(policy, "insurance deleted")
        policy.delete()
        return JsonAnswer(None, 204)


class SyncInsurances(InsuranceView):
    """Create and update up to 1,000 insurance policies in one call."""

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create and update policies. A row with errors does not stop the others."""
        self.require(Permission.COMPANIES_EDIT)
        return sync.answer(scope.body_of(request).get("updates"), self, self.shape())
