"""Serialize vendors for each ``view``, in a few queries per page.

See docs/design/procore-rest-resources.md, "Vendors".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Count, Model, QuerySet

from directory.company_fields import countries
from directory.models import CLASSIFICATIONS, Company, ProjectCompany
from directory.models.querysets import CompanyQuerySet
from erp_integrations import sendable
from erpbridge.access.models import Membership
from erpbridge.rest.pagination import Shape

TEXTS = (
    "abbreviated_name",
    "address",
    "business_phone",
    "city",
    "country_code",
    "email_address",
    "fax_number",
    "labor_union",
    "license_number",
    "mobile_phone",
    "notes",
    "origin_code",
    "origin_id",
    "state_code",
    "trade_name",
    "website",
    "zip",
)
PLAIN = (
    "id",
    "name",
    "authorized_bidder",
    "is_active",
    "non_union_prevailing_wage",
    "prequalified",
    "union_member",
    "created_at",
    "updated_at",
)
COLUMNS = (
    *TEXTS,
    *PLAIN,
    "entity_type",
    "entity_id",
    "origin_data",
    "primary_contact_id",
    "is_own_company",
    "classifications",
    "standard_cost_code_ids",
    "parent_id",
    "parent__name",
    "contract_signer_id",
)
# Fields of Procore's responses that erpbridge does not have.
ABSENT = {
    "attachments": (),
    "business_id": None,
    "is_connected": False,
    "logo": None,
    "vendor_group": None,
}
ERP_FIELDS = ("origin_code", "origin_data", "origin_id", "synced_to_erp")
Rows = dict[int, dict[str, object]]
# What QuerySet.values() returns of a company.
Row = Mapping[str, Any]


def compact(pks: Sequence[int]) -> Mapping[int, Mapping[str, object]]:
    """Id and name."""
    return {row["id"]: row for row in _companies(pks).values("id", "name")}


def ids_only(pks: Sequence[int]) -> Mapping[int, Mapping[str, object]]:
    """The id only."""
    return {row["id"]: row for row in _companies(pks).values("id")}


def listed(pks: Sequence[int]) -> Rows:
    """The fields for a list to choose from."""
    columns = ("id", "name", "abbreviated_name", "is_active")
    return {row["id"]: row for row in _companies(pks).values(*columns)}


def normal(pks: Sequence[int]) -> Rows:
    """The usual fields."""
    rows = list(_companies(pks).values(*COLUMNS))
    contacts = _contacts(row["primary_contact_id"] for row in rows)
    people = _counts(Company.people.through.objects.filter(company__among=pks))
    return {row["id"]: _normal(row, contacts, people) for row in rows}


def erp(pks: Sequence[int]) -> Rows:
    """The usual fields and the ERP's custom fields."""
    more: dict[str, object] = {"origin_custom_fields": [], "erp_custom_fields": []}
    return {pk: row | more for pk, row in normal(pks).items()}


def extended(pks: Sequence[int]) -> Rows:
    """All fields."""
    rows = list(_companies(pks).values(*COLUMNS))
    contacts = _contacts(row["primary_contact_id"] for row in rows)
    people = _counts(Company.people.through.objects.filter(company__among=pks))
    more = _More(pks)
    return {row["id"]: _normal(row, contacts, people) | more.of(row) for row in rows}


def directory(pks: Sequence[int]) -> Rows:
    """For an address book: no ERP fields, but names of places and contacts."""
    rows = list(_companies(pks).values(*COLUMNS))
    people = _counts(Company.people.through.objects.filter(company__among=pks))
    invoices: defaultdict[int, list[int]] = defaultdict(list)
    through = Company.invoice_contacts.through.objects.filter(company__among=pks)
    for company, member in through.values_list("company_id", "membership_id"):
        invoices[company].append(member)
    single = [row[name] for row in rows for name in ("primary_contact_id", "contract_signer_id")]
    contacts = _contacts([*single, *(pk for members in invoices.values() for pk in members)])
    more = _More(pks)
    vendors = {}
    for row in rows:
        vendor = _normal(row, contacts, people) | more.of(row)
        # Procore's view has none of them: docs/design/procore-rest-resources.md, "Vendors".
        for name in ERP_FIELDS:
            del vendor[name]
        country = row["country_code"]
        vendor |= {
            "business": None,
            "contract_signer": contacts.get(row["contract_signer_id"]),
            "country_name": countries.countries().get(country),
            "state_name": countries.states(country).get(row["state_code"]),
            "invoice_contacts": [contacts[pk] for pk in invoices[row["id"]] if pk in contacts],
        }
        vendors[row["id"]] = vendor
    return vendors


def summary(pks: Sequence[int]) -> Rows:
    """Numbers of users, bids and projects."""
    columns = ("id", "name", "origin_id", "is_own_company")
    rows = list(_companies(pks).values_list(*columns))
    active = Company.people.through.objects.filter(membership__in=Membership.objects.active())
    people = _counts(active.filter(company__among=pks))
    projects = _counts(ProjectCompany.objects.filter(company__among=pks))
    return {
        pk: {
            "id": pk,
            "name": name,
            "active_users_count": people.get(pk, 0),
            "bids_count": 0,
            "open_bids_count": 0,
            "projects_count": projects.get(pk, 0),
            "business_id": None,
            "company_vendor": is_own_company,
            "is_connected": False,
            "synced_to_erp": bool(origin),
        }
        for pk, name, origin, is_own_company in rows
    }


# The two Directories have different views in Procore's API, so each refuses the other's.
OF_COMPANY: Mapping[str, Shape] = {
    "compact": compact,
    "normal": normal,
    "erp": erp,
    "extended": extended,
    "directory": directory,
    "summary": summary,
}
OF_PROJECT: Mapping[str, Shape] = {
    "extended": extended,
    "ids_only": ids_only,
    "list": listed,
    "name": compact,
    "minimal": compact,
    "normal": normal,
    "compact": compact,
}


def register_of(row: Row) -> dict[str, object] | None:
    """The business register entry of a vendor; None without a number."""
    if not row["entity_id"]:
        return None
    return {
        "id": row["id"],
        "type": row["entity_type"] or None,
        "identifier": row["entity_id"],
        # erpbridge does not ask the register whether the number is right.
        "verified_at": None,
        "verification_status": "unverified",
    }


def _companies(pks: Sequence[int]) -> CompanyQuerySet:
    return Company.objects.filter(pk__among=pks)


def _normal(
    row: Row, contacts: Mapping[int, object], people: Mapping[int, int]
) -> dict[str, object]:
    vendor = {name: row[name] for name in PLAIN}
    for name in TEXTS:
        vendor[name] = row[name] or None
    vendor.update(ABSENT)
    vendor["business_register"] = register_of(row)
    vendor["company"] = row["name"]
    vendor["contact_count"] = people.get(row["id"], 0)
    vendor["origin_data"] = sendable.text_of(row["origin_data"]) or None
    vendor["primary_contact"] = contacts.get(row["primary_contact_id"])
    vendor["synced_to_erp"] = bool(row["origin_id"])
    return vendor


class _More:
    """Fields that the extended view adds to the normal one, read once per page."""

    def __init__(self, pks: Sequence[int]) -> None:
        self.trades: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
        through = Company.trades.through.objects.filter(company__among=pks).order_by("trade__name")
        names = ("company_id", "trade_id", "trade__name", "trade__is_active", "trade__updated_at")
        for company, pk, name, active, updated in through.values_list(*names):
            trade = {"id": pk, "name": name, "active": active, "updated_at": updated}
            self.trades[company].append(trade)
        self.projects: defaultdict[int, list[int]] = defaultdict(list)
        placed = ProjectCompany.objects.filter(company__among=pks).order_by("project_id")
        for company, project in placed.values_list("company_id", "project_id"):
            self.projects[company].append(project)
        self.bidders: defaultdict[int, list[dict[str, int]]] = defaultdict(list)
        bidding = Company.bid_contacts.through.objects.filter(company__among=pks)
        for company, user in bidding.values_list("company_id", "membership__user_id"):
            self.bidders[company].append({"id": user})
        self.children = _counts(Company.objects.filter(parent__among=pks), "parent_id")

    def of(self, row: Row) -> dict[str, object]:
        """The additional fields of one vendor."""
        pk, classifications = row["id"], set(row["classifications"])
        parent = row["parent_id"]
        return {
            "bidding": {name: name in classifications for name in CLASSIFICATIONS},
            "bidding_distribution": self.bidders.get(pk, []),
            "children_count": self.children.get(pk, 0),
            "company_vendor": row["is_own_company"],
            "legal_name": row["name"],
            "parent": {"id": parent, "name": row["parent__name"]} if parent else None,
            "project_ids": self.projects.get(pk, []),
            "standard_cost_codes": [{"id": code_id} for code_id in row["standard_cost_code_ids"]],
            "trades": self.trades.get(pk, []),
        }


def _counts(rows: QuerySet[Model], name: str = "company_id") -> dict[int, int]:
    # Without an order, by which the rows would be grouped too.
    return dict(rows.order_by().values_list(name).annotate(Count("pk")))


def _contacts(pks: Iterable[int | None]) -> dict[int, dict[str, object]]:
    """People as contacts, by membership id; erpbridge does not store their phone numbers."""
    member_ids = {pk for pk in pks if pk is not None}
    if not member_ids:
        return {}
    members = Membership.objects.filter(pk__in=member_ids).select_related("user")
    return {member.pk: _contact(member) for member in members}


def _contact(member: Membership) -> dict[str, object]:
    # A name is stored whole. One of a single word is a last name.
    first, _space, last = member.user.name.rpartition(" ")
    return {
        # Clients of the API know a person by the id of the login, not by that of the membership.
        "id": member.user_id,
        "first_name": first,
        "last_name": last,
        "business_phone": None,
        "business_phone_extension": None,
        "fax_number": None,
        "mobile_phone": None,
        "email_address": member.user.email,
        "created_at": member.user.created_at,
        # When a login was changed is not stored.
        "updated_at": member.user.created_at,
    }
