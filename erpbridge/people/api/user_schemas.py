"""Types of the views of a user, for the OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


class UserCompact(TypedDict):
    """A user with the fields that a selection list needs."""

    id: int
    name: str
    first_name: str
    last_name: str


class CompanyMe(UserCompact):
    """The caller as a user of a company. Procore's other fields are null."""

    login: str
    email_address: str
    job_title: str | None
    is_active: bool
    is_employee: bool
    erp_integrated_accountant: bool
    permission_levels: dict[str, str]
    origin_id: str | None
    origin_data: str | None
    created_at: datetime
    updated_at: datetime
    company_id: int


class UserNormal(CompanyMe):
    """A user of a company, with permission levels."""

    create_edit_companies: bool


class CompanyUser(UserNormal):
    """A user with all fields."""

    is_insurance_manager: bool
    add_to_new_projects: bool


ROW_TYPES = {
    "extended": CompanyUser,
    "normal": UserNormal,
    "compact": UserCompact,
    "ids_only": int,
}
