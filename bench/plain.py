"""What a Django REST Framework project would have: a ModelSerializer over the same fields.

Served by this module's own URLs beside the product's, so that middleware, token, scope and limits
are the same; only what a resource of ours does is done the plain way.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.urls import URLPattern, URLResolver, include, path
from rest_framework import serializers
from rest_framework.request import Request

from directory.api.vendor_serializer import TEXTS, register_of
from directory.models import CLASSIFICATIONS, Company, Trade
from erp_integrations import sendable
from erpbridge.rest.requests import scope
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.views import ScopedView


class PlainTrade(serializers.ModelSerializer[Trade]):
    """A trade."""

    active = serializers.BooleanField(source="is_active")

    class Meta:
        model = Trade
        fields = ("id", "name", "active", "updated_at")


class PlainVendor(serializers.ModelSerializer[Company]):
    """A vendor with the fields of the view ``extended``."""

    trades = PlainTrade(many=True, read_only=True)
    bidding = serializers.SerializerMethodField()
    business_register = serializers.SerializerMethodField()
    children_count = serializers.IntegerField(read_only=True)
    contact_count = serializers.IntegerField(read_only=True)
    company_vendor = serializers.BooleanField(source="is_own_company", read_only=True)
    legal_name = serializers.CharField(source="name", read_only=True)
    company = serializers.CharField(source="name", read_only=True)
    origin_data = serializers.SerializerMethodField()
    parent = serializers.SerializerMethodField()
    project_ids = serializers.SerializerMethodField()
    synced_to_erp = serializers.SerializerMethodField()

    class Meta:
        model = Company
        fields = (
            *TEXTS,
            *("id", "name", "authorized_bidder", "is_active", "non_union_prevailing_wage"),
            *("prequalified", "union_member", "created_at", "updated_at", "trades", "bidding"),
            *("business_register", "children_count", "contact_count", "company_vendor"),
            *("legal_name", "company", "origin_data", "parent", "project_ids", "synced_to_erp"),
        )

    def get_bidding(self, row: Company) -> dict[str, bool]:
        """The thirteen flags."""
        return {name: name in row.classifications for name in CLASSIFICATIONS}

    def get_business_register(self, row: Company) -> Any:
        """The number of the register."""
        return register_of(row.entity_id, row.entity_type, row.pk)

    def get_origin_data(self, row: Company) -> str | None:
        """As text."""
        return sendable.text_of(row.origin_data) or None

    def get_parent(self, row: Company) -> dict[str, Any] | None:
        """The head office."""
        return {"id": row.parent.pk, "name": row.parent.name} if row.parent else None

    def get_project_ids(self, row: Company) -> list[int]:
        """The projects it is on."""
        return [project_company.project_id for project_company in row.project_companies.all()]

    def get_synced_to_erp(self, row: Company) -> bool:
        """Whether it has an ERP id."""
        return bool(row.origin_id)


class PlainVendors(ScopedView):
    """The list, and a sync that saves row by row, as a serializer does."""

    reads = "companies.view"

    def visible(self) -> QuerySet[Company]:
        """With everything that the serializer looks at, in a few queries."""
        rows = Company.objects.filter(account=self.access.account).select_related("parent")
        rows = rows.prefetch_related("trades", "project_companies")
        return rows.annotate(
            children_count=Count("children", distinct=True),
            contact_count=Count("people", distinct=True),
        )

    def get(self, request: Request, **path: Any) -> JsonAnswer:
        """The first rows."""
        rows = self.visible().order_by("pk")[: int(request.query_params["per_page"])]
        return JsonAnswer(PlainVendor(rows, many=True).data)

    @transaction.atomic
    def patch(self, request: Request, **path: Any) -> JsonAnswer:
        """Update each row."""
        updates = scope.body_of(request)["updates"]
        rows = self.visible().in_bulk([update["id"] for update in updates])
        saved_rows = []
        for update in updates:
            serializer = PlainVendor(rows[update["id"]], data=update, partial=True)
            serializer.is_valid(raise_exception=True)
            serializer.save()
            saved_rows.append(serializer.data)
        return JsonAnswer({"entities": saved_rows, "errors": []})


urlpatterns: list[URLPattern | URLResolver] = [
    path("rest/plain/vendors", PlainVendors.as_view()),
    path("", include("erpbridge.urls")),
]
