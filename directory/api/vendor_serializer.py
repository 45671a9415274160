"""Serialize vendors for each ``view``, in a few queries per page.

See docs/design/procore-rest-resources.md, "Vendors".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import orjson
from django.db.models import Count, Model, QuerySet

from directory.company_fields import countries
from directory.models import CLASSIFICATIONS, Company, ProjectCompany
from erp_integrations import sendable
from erpbridge.access.models import Membership
from erpbridge.db.among import among
from erpbridge.db.json_rows import (
    Computed,
    ComputedIfSet,
    Constant,
    Field,
    FromMapping,
    JsonRows,
    OrNull,
    json_text,
)
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
# Fields of Procore's responses that erpbridge does not have.
ABSENT = {
    "attachments": (),
    "business_id": None,
    "is_connected": False,
    "logo": None,
    "vendor_group": None,
}
ERP_FIELDS = ("origin_code", "origin_data", "origin_id", "synced_to_erp")
CONTACT = ("user_id", "user__name", "user__email", "user__created_at")
Rows = Mapping[int, Mapping[str, object]]


def _contact(user_id: int, name: str, email: str, created_at: datetime) -> dict[str, object]:
    """A person as a contact; erpbridge does not store their phone numbers."""
    # A name is stored whole. One of a single word is a last name.
    first, _space, last = name.rpartition(" ")
    return {
        # Clients of the API know a person by the id of the login, not by that of the membership.
        "id": user_id,
        "first_name": first,
        "last_name": last,
        "business_phone": None,
        "business_phone_extension": None,
        "fax_number": None,
        "mobile_phone": None,
        "email_address": email,
        "created_at": created_at,
        # When a login was changed is not stored.
        "updated_at": created_at,
    }


def register_of(number: str, kind: str, pk: int) -> dict[str, object] | None:
    """The business register entry of a vendor; None without a number."""
    if not number:
        return None
    return {
        "id": pk,
        "type": kind or None,
        "identifier": number,
        # erpbridge does not ask the register whether the number is right.
        "verified_at": None,
        "verification_status": "unverified",
    }


# The flags of a few thousand vendors have few combinations.
@lru_cache(maxsize=1_000)
def _bidding(classifications: str) -> orjson.Fragment:
    """All flags, as JSON, of the stored list of those that are on."""
    on = orjson.loads(classifications)
    return orjson.Fragment(orjson.dumps({name: name in on for name in CLASSIFICATIONS}))


def _codes(ids: str) -> list[dict[str, int]]:
    return [{"id": pk} for pk in orjson.loads(ids)]


def _parent(pk: int, name: str) -> dict[str, object]:
    return {"id": pk, "name": name}


def _contact_at(path: str) -> ComputedIfSet:
    return ComputedIfSet(_contact, *(f"{path}__{column}" for column in CONTACT))


NORMAL: dict[str, Field] = {
    **{name: name for name in PLAIN},
    **{name: OrNull(name) for name in TEXTS},
    **{name: Constant(value) for name, value in ABSENT.items()},
    "business_register": ComputedIfSet(register_of, "entity_id", "entity_type", "pk"),
    "company": "name",
    "contact_count": FromMapping("people", default=0),
    "origin_data": OrNull(sendable.text_at("origin_data")),
    "primary_contact": _contact_at("primary_contact"),
    "synced_to_erp": Computed(bool, "origin_id"),
}
MORE: dict[str, Field] = {
    "bidding": Computed(_bidding, json_text("classifications")),
    "bidding_distribution": FromMapping("bidders", default=()),
    "children_count": FromMapping("children", default=0),
    "company_vendor": "is_own_company",
    "legal_name": "name",
    "parent": ComputedIfSet(_parent, "parent_id", "parent__name"),
    "project_ids": FromMapping("projects", default=()),
    "standard_cost_codes": Computed(_codes, json_text("standard_cost_code_ids")),
    "trades": FromMapping("trades", default=()),
}
ADDRESS_BOOK: dict[str, Field] = {
    "business": Constant(None),
    "contract_signer": _contact_at("contract_signer"),
    "country_name": Computed(lambda code: countries.countries().get(code), "country_code"),
    "state_name": Computed(
        lambda country, state: countries.states(country).get(state), "country_code", "state_code"
    ),
    "invoice_contacts": FromMapping("invoice_contacts", default=()),
}
SUMMARY: dict[str, Field] = {
    "id": "id",
    "name": "name",
    "active_users_count": FromMapping("people", default=0),
    "bids_count": Constant(0),
    "open_bids_count": Constant(0),
    "projects_count": FromMapping("projects", default=0),
    "business_id": Constant(None),
    "company_vendor": "is_own_company",
    "is_connected": Constant(False),
    "synced_to_erp": Computed(bool, "origin_id"),
}
compact = JsonRows(Company, {"id": "id", "name": "name"})
ids_only = JsonRows(Company, {"id": "id"})
listed = JsonRows(Company, {name: name for name in ("id", "name", "abbreviated_name", "is_active")})
_normal = JsonRows(Company, NORMAL)
_erp = JsonRows(
    Company, NORMAL | {"origin_custom_fields": Constant(()), "erp_custom_fields": Constant(())}
)
_extended = JsonRows(Company, NORMAL | MORE)
_directory = JsonRows(
    Company,
    # Procore's view has no ERP fields: docs/design/procore-rest-resources.md, "Vendors".
    {name: field for name, field in (NORMAL | MORE).items() if name not in ERP_FIELDS}
    | ADDRESS_BOOK,
)
_summary = JsonRows(Company, SUMMARY)


def normal(pks: Sequence[int]) -> Rows:
    """The usual fields."""
    return _normal(pks, people=_people(pks))


def erp(pks: Sequence[int]) -> Rows:
    """The usual fields and the ERP's custom fields."""
    return _erp(pks, people=_people(pks))


def extended(pks: Sequence[int]) -> Rows:
    """All fields."""
    return _extended(pks, people=_people(pks), **_more(pks))


def directory(pks: Sequence[int]) -> Rows:
    """For an address book: no ERP fields, but names of places and contacts."""
    through = Company.invoice_contacts.through.objects.filter(among("company_id", pks))
    columns = (f"membership__{column}" for column in CONTACT)
    invoice_contacts: defaultdict[int, list[object]] = defaultdict(list)
    for company, *contact in through.values_list("company_id", *columns):
        invoice_contacts[company].append(_contact(*contact))
    return _directory(pks, people=_people(pks), invoice_contacts=invoice_contacts, **_more(pks))


def summary(pks: Sequence[int]) -> Rows:
    """Numbers of users, bids and projects."""
    active = Company.people.through.objects.filter(membership__in=Membership.objects.active())
    people = _counts(active.filter(among("company_id", pks)))
    projects = _counts(ProjectCompany.objects.filter(among("company_id", pks)))
    return _summary(pks, people=people, projects=projects)


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


def _people(pks: Sequence[int]) -> dict[int, int]:
    return _counts(Company.people.through.objects.filter(among("company_id", pks)))


def _more(pks: Sequence[int]) -> dict[str, Mapping[int, object]]:
    """What the extended view shows of other tables, by vendor."""
    trades: defaultdict[int, list[object]] = defaultdict(list)
    through = Company.trades.through.objects.filter(among("company_id", pks))
    names = ("company_id", "trade_id", "trade__name", "trade__is_active", "trade__updated_at")
    for company, pk, name, active, updated in through.order_by("trade__name").values_list(*names):
        trades[company].append({"id": pk, "name": name, "active": active, "updated_at": updated})
    projects: defaultdict[int, list[int]] = defaultdict(list)
    placed = ProjectCompany.objects.filter(among("company_id", pks)).order_by("project_id")
    for company, project in placed.values_list("company_id", "project_id"):
        projects[company].append(project)
    bidders: defaultdict[int, list[object]] = defaultdict(list)
    bidding = Company.bid_contacts.through.objects.filter(among("company_id", pks))
    for company, user in bidding.values_list("company_id", "membership__user_id"):
        bidders[company].append({"id": user})
    children = _counts(Company.objects.filter(among("parent_id", pks)), "parent_id")
    return {"trades": trades, "projects": projects, "bidders": bidders, "children": children}


def _counts(rows: QuerySet[Model], name: str = "company_id") -> dict[int, int]:
    # Without an order, by which the rows would be grouped too.
    return dict(rows.order_by().values_list(name).annotate(Count("pk")))
