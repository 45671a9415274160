"""Types of the views of a project, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypedDict


class ProjectId(TypedDict):
    """The id of a project."""

    id: int


class ProjectCompact(TypedDict):
    """A project with the fields that a selection list needs."""

    id: int
    name: str
    display_name: str
    project_number: str | None


class OfCompany(TypedDict):
    """The company of a project."""

    id: int
    name: str


class _Normal(ProjectCompact):
    """A project. Fields of Procore that do not exist here are null."""

    active: bool
    is_demo: bool
    created_at: datetime
    updated_at: datetime
    company: OfCompany
    custom_fields: dict[str, object]
    city: str | None
    state_code: str | None
    zip: str | None
    country_code: str | None
    phone: str | None
    start_date: date | None
    completion_date: date | None
    origin_id: str | None
    origin_code: str | None
    origin_data: str | None


class ProjectNormal(_Normal):
    """A project with the fields of a list."""

    address: str | None


class _Full(TypedDict):
    is_erp_integrated: bool
    departments: list[object]
    description: str | None


class Project(ProjectNormal, _Full):
    """A project with all fields."""


class Place(TypedDict):
    """The address of a project."""

    street: str | None
    city: str | None
    state_code: str | None
    zip: str | None
    country_code: str | None


class ProjectOfCompany(_Normal, _Full):
    """A project in the list of a company's projects."""

    address: Place
    stage_name: None
    status_name: str
    type_name: None
    open_items: list[object]


ROW_TYPES = {
    "normal": ProjectNormal,
    "extended": Project,
    "compact": ProjectCompact,
    "ids": ProjectId,
}
