"""Vendors of a company, and of a project (docs/design/procore-rest-resources.md, "Vendors")."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from django.core.exceptions import ValidationError
from django.db.models import Count, F, Model, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce
from django.http import Http404
from rest_framework.request import Request

from directory.api.vendor_schemas import ROW_TYPES
from directory.api.vendor_serializer import OF_COMPANY, OF_PROJECT
from directory.api.vendor_writes import ORIGIN_READERS, READERS, Writes
from directory.companies import services as company_services
from directory.company_fields import required_fields
from directory.models import Company, ProjectCompany
from directory.models.querysets import CompanyQuerySet
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.rest import sync
from erpbridge.rest.errors import Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import filtering, ids, moments, numbers, search, texts
from erpbridge.rest.requests.rows import MOST_ROWS
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Synced, answers, takes, takes_rows
from erpbridge.rest.sync import SyncRow
from erpbridge.rest.views import Listed, Resource, Shown

PROJECTS = (
    # Without an order, by which the rows would be grouped too.
    ProjectCompany.objects.filter(company=OuterRef("pk"))
    .order_by()
    .values("company")
    .annotate(count=Count("pk"))
    .values("count")
)


@filtering("Trades: one or more ids, separated by commas.")
def _of_trades(vendors: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    through = Company.trades.through.objects.filter(trade__in=numbers(values))
    return vendors.filter(pk__in=through.values("company"))


@filtering("Standard cost codes: one or more ids, separated by commas.")
def _of_codes(vendors: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    """Search with a regex: databases have no common way to look into a JSON list."""
    # A dash stands for an empty list, and is in no list of ids.
    words = "|".join(str(pk) for pk in numbers(values)) or "-"
    vendors = vendors.annotate(code_words=Cast("standard_cost_code_ids", TextField()))
    # Not a plain search for the digits: 12 must not match 112 or 120.
    return vendors.filter(code_words__regex=rf"(^|[^0-9])({words})([^0-9]|$)")


BODY = READERS | ORIGIN_READERS
LISTING = Listing(
    filters={
        "id": ids("pk"),
        "origin_id": texts("origin_id"),
        "origin_code": texts("origin_code"),
        "abbreviated_name": texts("abbreviated_name"),
        "search": search(CompanyQuerySet.search),
        "created_at": moments("created_at"),
        "updated_at": moments("updated_at"),
        "trade_id": _of_trades,
        "standard_cost_code_id": _of_codes,
        "parent_id": ids("parent"),
    },
    sorts={
        "id": "pk",
        "name": "sort_name",
        "created_at": "created_at",
        "updated_at": "updated_at",
        "origin_code": "origin_code",
        # A head office sorts among its branches; NULL would sort differently on the two databases.
        "main_office_name": Coalesce(F("parent__sort_name"), F("sort_name")),
        "project_and_bid_counts": Coalesce(Subquery(PROJECTS), 0),
    },
)


class VendorView(Resource[Company]):
    """Vendors that the caller can see, in the Directory of the company or of the project."""

    reads = Permission.COMPANIES_VIEW
    listing = LISTING
    default_view = "extended"
    row_types = ROW_TYPES

    def visible(self) -> CompanyQuerySet:
        """The vendors; inactive ones only for callers who may see them."""
        return Company.objects.visible_to(self.access)

    def shapes(self) -> Mapping[str, Shape]:
        """The views; a project's Directory has other views than the company's."""
        return OF_PROJECT if self.access.project else OF_COMPANY

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Lock the connections (the call may also link the vendor), then the vendor."""
        yield sendable.connections_of(self.access.account.pk)
        yield from super().holds()

    def write(self, fields: Mapping[str, object], pk: int | None = None) -> int:
        """Create a vendor, or change the one with this ``pk``.

        :raises Invalid: (422) with the errors by field.
        """
        self.require(Permission.COMPANIES_EDIT)
        return sync.store_one(self.writes(), SyncRow(fields, pk=pk))

    def prepare(self) -> None:
        """Check ``run_configurable_validations`` in every call."""
        super().prepare()
        self._validates()

    def writes(self) -> Writes:
        """Check the account's required fields only if the call asks for that."""
        names = required_fields.of(self.access.account) if self._validates() else ()
        return Writes(self.access, names)

    def _validates(self) -> bool:
        """Whether to check the account's required fields. :raises Malformed:"""
        value: object = self.request.query_params.get("run_configurable_validations")
        if value is None:
            value = scope.body_of(self.request).get("run_configurable_validations")
        try:
            return value is not None and bool(bodies.flag(value))
        except ValidationError as error:
            raise Malformed({"run_configurable_validations": list(error.messages)}) from error


class Vendors(VendorView, Listed[Company]):
    """The active vendors."""

    def visible(self) -> CompanyQuerySet:
        """Without inactive vendors, which have their own list."""
        return super().visible().filter(is_active=True)

    @takes(BODY, wrapped="vendor", required=["name"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a vendor. With a project, the vendor is also added to its Directory."""
        return self.created(self.wrapped("vendor"))

    def created(self, fields: Mapping[str, object]) -> JsonAnswer:
        """Create the vendor and return it with all fields."""
        shape = self.shape()
        pk = self.write(fields)
        return JsonAnswer(shape([pk])[pk], 201)


class OneVendor(VendorView, Shown[Company]):
    """A vendor, active or not."""

    @takes(BODY, wrapped="vendor")
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change a vendor; fields that are not sent stay as they are."""
        self.record(pk)
        shape = self.shape()
        self.write(self.wrapped("vendor"), pk)
        return JsonAnswer(shape([pk])[pk])


class InactiveVendors(VendorView, Listed[Company]):
    """The inactive vendors."""

    def visible(self) -> CompanyQuerySet:
        """The inactive vendors; empty for callers who may not see them."""
        return super().visible().filter(is_active=False)


class OneInactiveVendor(InactiveVendors):
    """An inactive vendor. PATCH reactivates it."""

    # Without the GET of the list that this derives from.
    http_method_names = ["patch", "options"]

    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Reactivate a vendor."""
        self.record(pk)
        self.require(Permission.COMPANIES_EDIT)
        self.require(Permission.COMPANIES_REACTIVATE)
        sync.store_one(Writes(self.access), SyncRow({"is_active": True}, pk=pk))
        return self.show(pk)


class SyncVendors(VendorView):
    """Create and update up to 1,000 vendors in one call."""

    @takes_rows(BODY, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create and update vendors. A row with errors does not stop the others."""
        self.require(Permission.COMPANIES_EDIT)
        updates = scope.body_of(request).get("updates")
        return sync.answer(updates, self.writes(), self.shape())


class AddVendor(VendorView):
    """Add a vendor of the company to the project's Directory."""

    def compares(self, variables: Collection[str]) -> bool:
        """The vendor is not in the Directory yet, so ``If-Match`` does not apply."""
        return False

    @answers(One, 201)
    def post(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Add a vendor to the project; also returns a vendor that was there already."""
        self.require(Permission.COMPANIES_EDIT)
        project = self.access.project
        # Not from ``visible()``, which holds only what is on the project already.
        vendor = Company.objects.filter(account=self.access.account, pk=pk, is_active=True)
        if project is None or not vendor.exists():
            raise Http404
        company_services.add_to_project([pk], project=project, by=self.access.user)
        return self.show(pk, 201)


class RemoveVendor(VendorView):
    """Remove a vendor from the project's Directory. The company keeps it."""

    @answers(None, 204)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Remove a vendor from the project. The response has no body."""
        vendor = self.record(pk)
        self.require(Permission.COMPANIES_EDIT)
        if self.access.project is not None:
            project = self.access.project
            company_services.remove_from_project([vendor.pk], project=project, by=self.access.user)
        return JsonAnswer(None, 204)
