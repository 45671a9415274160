"""Companies as a record type that can be sent; the entity name is ``vendor``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from django.urls import reverse

from directory.models import Company
from directory.models.querysets import CompanyQuerySet
from erp_integrations import sendable
from erp_integrations.sendable import Draft, FurtherPage, Problem, Sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access

# What an adapter may map. A change of any of these counts as drift of a linked company; logo,
# people and trades stay here. ``is_active`` is for ``problems``.
PAYLOAD_FIELDS = (
    "name",
    "abbreviated_name",
    "trade_name",
    "entity_type",
    "entity_id",
    "business_phone",
    "mobile_phone",
    "fax_number",
    "email_address",
    "website",
    "address",
    "city",
    "state_code",
    "zip",
    "country_code",
    "license_number",
    "labor_union",
    "union_member",
    "non_union_prevailing_wage",
    "prequalified",
    "authorized_bidder",
    "notes",
    "is_active",
)


class VendorType:
    """What the engine needs to know about companies."""

    entity = "vendor"
    label = "Company"
    label_plural = "Companies"
    slug = "companies"
    model: type[Sendable] = Company
    unit: Literal["record", "list"] = "record"
    view_action = Permission.COMPANIES_VIEW
    send_action = Permission.COMPANIES_SEND
    retrieve_action = Permission.COMPANIES_RETRIEVE
    unlink_action = Permission.LINKS_UNLINK

    def drafts(self, account_id: int, ids: Sequence[int]) -> list[Draft]:
        """The current state of the companies, in one query."""
        companies = Company.objects.filter(account=account_id, pk__in=ids).order_by("pk")
        return [
            Draft(
                record_id=row.pop("pk"),
                revision=row.pop("revision"),
                label=row["name"],
                payload=row,
            )
            for row in companies.values("pk", "revision", *PAYLOAD_FIELDS)
        ]

    def problems(self, drafts: Sequence[Draft]) -> dict[int, list[Problem]]:
        """Refuse inactive companies, and tax IDs without a type."""
        inactive = Problem(
            field="is_active",
            rule="active",
            message="The company is inactive. Reactivate it before sending.",
            current="inactive",
            limit="active",
        )
        by_company: dict[int, list[Problem]] = {}
        for draft in drafts:
            problems = [] if draft.payload["is_active"] else [inactive]
            problems += _kind_missing(draft)
            if problems:
                by_company[draft.record_id] = problems
        return by_company

    def children(self, ids: Sequence[int]) -> CompanyQuerySet:
        """None: companies have no children."""
        # The parent of a company is known to the API only and is no part of the payload.
        return Company.objects.none()

    def told_apart_by(self, account_id: int, ids: Sequence[int]) -> dict[int, Mapping[str, str]]:
        """City, tax ID and trades, to tell companies of the same name apart."""
        companies = Company.objects.filter(account=account_id, pk__in=ids).prefetch_related(
            "trades"
        )
        return {company.pk: _distinguishing(company) for company in companies}

    def visible(self, access: Access) -> CompanyQuerySet:
        """The companies that the person can see in the scope."""
        return Company.objects.visible_to(access)

    def url(self, account_id: int, record_id: int, project_id: int | None = None) -> str:
        """URL of the company's page in the Directory of the project or account."""
        if project_id is not None:
            return reverse("directory:project_company", args=[account_id, project_id, record_id])
        return reverse("directory:account_company", args=[account_id, record_id])

    def list_url(self, account_id: int, project_id: int | None) -> str:
        """URL of the Directory of the project or account."""
        if project_id is not None:
            return reverse("directory:project_companies", args=[account_id, project_id])
        return reverse("directory:account_companies", args=[account_id])

    def further_pages(self, access: Access) -> list[FurtherPage]:
        """None."""
        return []


def _kind_missing(draft: Draft) -> list[Problem]:
    number = draft.payload["entity_id"]
    if not number or draft.payload["entity_type"]:
        return []
    # By its type an adapter knows whether the ERP can store the number (adapters/tax_ids.py).
    message = f"Entity ID {number} has no entity type. Choose what kind of number it is."
    return [Problem("entity_type", "present", message, current="", limit="")]


def _distinguishing(company: Company) -> dict[str, str]:
    town = [part for part in (company.city, company.state_code) if part]
    tax_id = [part for part in (company.get_entity_type_display(), company.entity_id) if part]
    return {
        "City": ", ".join(town),
        "Tax ID": " ".join(tax_id) if company.entity_id else "",
        "Trade": ", ".join(sorted(trade.name for trade in company.trades.all())),
    }


def register() -> None:
    """Register companies as a record type that can be sent."""
    sendable.register(VendorType())
