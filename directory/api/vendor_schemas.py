"""Response schemas of the vendor views."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from directory.api.trades import TradeRow


class Register(TypedDict):
    """The entry of a vendor in a business register."""

    id: int
    type: str | None
    identifier: str
    verified_at: None
    verification_status: str


class Contact(TypedDict):
    """A person who is a contact of a vendor."""

    id: int
    first_name: str
    last_name: str
    business_phone: None
    business_phone_extension: None
    fax_number: None
    mobile_phone: None
    email_address: str
    created_at: datetime
    updated_at: datetime


class Id(TypedDict):
    """The id of a record."""

    id: int


class Named(TypedDict):
    """The id and name of a record."""

    id: int
    name: str


class VendorListed(Named):
    """A vendor in a list to choose from."""

    abbreviated_name: str
    is_active: bool


class VendorAddress(Named):
    """The fields that all longer views of a vendor have."""

    abbreviated_name: str | None
    address: str | None
    attachments: list[object]
    authorized_bidder: bool
    business_id: None
    business_phone: str | None
    business_register: Register | None
    city: str | None
    company: str
    contact_count: int
    country_code: str | None
    created_at: datetime
    email_address: str | None
    fax_number: str | None
    is_active: bool
    is_connected: bool
    labor_union: str | None
    license_number: str | None
    logo: None
    mobile_phone: str | None
    non_union_prevailing_wage: bool
    notes: str | None
    prequalified: bool
    primary_contact: Contact | None
    state_code: str | None
    trade_name: str | None
    union_member: bool
    updated_at: datetime
    vendor_group: None
    website: str | None
    zip: str | None


class VendorNormal(VendorAddress):
    """A vendor with the usual fields."""

    origin_code: str | None
    origin_data: str | None
    origin_id: str | None
    synced_to_erp: bool


class VendorErp(VendorNormal):
    """A vendor with the usual fields and the ERP's custom fields."""

    origin_custom_fields: list[dict[str, object]]
    erp_custom_fields: list[dict[str, object]]


class _More(TypedDict):
    bidding: dict[str, bool]
    bidding_distribution: list[Id]
    children_count: int
    company_vendor: bool
    legal_name: str
    parent: Named | None
    project_ids: list[int]
    standard_cost_codes: list[Id]
    trades: list[TradeRow]


class Vendor(VendorNormal, _More):
    """A vendor with all fields."""


class VendorInDirectory(VendorAddress, _More):
    """A vendor for an address book, without ERP fields."""

    business: None
    contract_signer: Contact | None
    country_name: str | None
    state_name: str | None
    invoice_contacts: list[Contact]


class VendorSummary(Named):
    """A vendor with numbers of users, bids and projects."""

    active_users_count: int
    bids_count: int
    open_bids_count: int
    projects_count: int
    business_id: None
    company_vendor: bool
    is_connected: bool
    synced_to_erp: bool


ROW_TYPES = {
    "extended": Vendor,
    "directory": VendorInDirectory,
    "erp": VendorErp,
    "normal": VendorNormal,
    "summary": VendorSummary,
    "list": VendorListed,
    "compact": Named,
    "name": Named,
    "minimal": Named,
    "ids_only": Id,
}
