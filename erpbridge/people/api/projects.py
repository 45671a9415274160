"""Projects (docs/design/procore-rest-resources.md, "Companies and projects")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.request import Request

from erpbridge.access.models import Project
from erpbridge.access.querysets import projects_matching
from erpbridge.people.api import project_schemas
from erpbridge.people.api.project_writes import DAYS, ORIGIN, PLACE, READERS, Writes
from erpbridge.rest import sync
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import scope
from erpbridge.rest.requests.filters import (
    WrongValue,
    contains,
    filtering,
    ids,
    moments,
    search,
    texts,
    truth,
)
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Synced, answers, takes, takes_rows
from erpbridge.rest.sync import MOST_ROWS, SyncRow
from erpbridge.rest.views import Listed, Resource

ABSENT = (
    *("county", "time_zone", "latitude", "longitude", "stage", "project_stage"),
    *("project_template", "owners_project_id", "total_value", "store_number"),
    *("accounting_project_number", "designated_market_area", "project_region_id"),
    *("project_bid_type_id", "project_owner_type_id", "parent_job_id", "parent_job", "photo_id"),
    *("projected_finish_date", "estimated_value", "fax", "sector", "work_scope"),
    *("delivery_method", "created_by"),
)
SHOWN_ONLY = ("standard_cost_code_list_id", "office", "program", "project_type")
Rows = dict[int, Any]


@filtering("true or false.")
def _synced(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    unsynced = Q(origin_id="")
    return found.filter(~unsynced if truth(values[-1]) else unsynced)


@filtering("All, Active or Inactive.")
def _by_status(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    word = values[-1].strip().lower()
    if word not in ("all", "active", "inactive"):
        raise WrongValue("takes All, Active or Inactive")
    return found if word == "all" else found.filter(is_active=word == "active")


@filtering("One id or several, separated by commas.")
def _vendors(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    return ids("project_companies__company")(found, values).distinct()


FILTERS = {
    "id": ids("pk"),
    "origin_id": texts("origin_id"),
    "name": contains("name_text"),
    "search": search(lambda found, words: found.filter(projects_matching(words))),
    "synced": _synced,
    "by_status": _by_status,
    "vendor_id": _vendors,
    "created_at": moments("created_at"),
    "updated_at": moments("updated_at"),
}
SORTS = {
    "id": "pk",
    "name": "name",
    "display_name": "number",
    "project_number": "number",
    "created_at": "created_at",
    "updated_at": "updated_at",
}


def only_ids(pks: Sequence[int]) -> Rows:
    """The id."""
    return {pk: {"id": pk} for pk in pks}


def compact(pks: Sequence[int]) -> Rows:
    """What a list of choices needs."""
    return {
        one.pk: {
            "id": one.pk,
            "name": one.name,
            "display_name": str(one),
            "project_number": one.number or None,
        }
        for one in Project.objects.filter(pk__in=pks)
    }


def normal(pks: Sequence[int]) -> Rows:
    """The fields of a list."""
    found = Project.objects.filter(pk__in=pks).select_related("account")
    return {one.pk: _normal(one) for one in found}


def full(pks: Sequence[int]) -> Rows:
    """The fields of one project."""
    found = Project.objects.filter(pk__in=pks).select_related("account")
    return {
        one.pk: _normal(one)
        | dict.fromkeys(SHOWN_ONLY)
        | {
            "is_erp_integrated": one.use_with_erp,
            "departments": [],
            "description": one.description or None,
        }
        for one in found
    }


def _normal(one: Project) -> dict[str, Any]:
    shown: dict[str, Any] = dict.fromkeys(ABSENT)
    shown |= {name: getattr(one, name) or None for name in (*PLACE[:-1], *DAYS, *ORIGIN)}
    return shown | {
        "id": one.pk,
        "name": one.name,
        "display_name": str(one),
        "project_number": one.number or None,
        "active": one.is_active,
        "is_demo": False,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "company": {"id": one.account_id, "name": one.account.name},
        "custom_fields": {},
    }


def of_company(pks: Sequence[int]) -> Rows:
    """As ``/companies/{id}/projects`` has it: the address is an object there."""
    parts = {"street": "address", "city": "city", "state_code": "state_code", "zip": "zip"}
    parts["country_code"] = "country_code"
    return {
        pk: row
        | {
            "address": {name: row[column] for name, column in parts.items()},
            "stage_name": None,
            "status_name": "Active" if row["active"] else "Inactive",
            "type_name": None,
            "open_items": [],
        }
        for pk, row in full(pks).items()
    }


class ProjectView(Resource):
    """Projects that are open to the caller."""

    listing = Listing(filters=FILTERS, sorts=SORTS)
    default_view = "normal"
    shown = project_schemas.SHOWN

    def found(self) -> QuerySet[Project]:
        """All of them to an account admin."""
        return Project.objects.visible_to(self.access.membership)

    def shapes(self) -> Mapping[str, Shape]:
        """The same words in both versions."""
        return {
            "ids": only_ids,
            "compact": compact,
            "normal": normal,
            "extended": full,
        }

    def write(self, given: Mapping[str, Any], pk: int | None = None) -> int:
        """Create, or change ``pk``. :raises Invalid: 422 with what is wrong."""
        return sync.store_one(Writes(self.access), SyncRow(given, pk))


class Projects(ProjectView, Listed):
    """The projects of the company."""

    @takes(READERS, wrapped="project", required=["name"])
    @answers(project_schemas.Project, 201, tagged=True)
    def post(self, request: Request, **path: Any) -> JsonAnswer:
        """A new project."""
        self.require("projects.create")
        pk = self.write(self.wrapped("project"))
        return JsonAnswer(full([pk])[pk], 201)


class ProjectsV11(Projects):
    """As version 1.1 has it: at most 300 a page."""

    listing = Listing(filters=FILTERS, sorts=SORTS, most_per_page=300)


class CompanyProjects(ProjectView, Listed):
    """All projects of the company in one answer."""

    listing = Listing(filters=FILTERS, sorts=SORTS, paged=False)
    shown = project_schemas.SHOWN | {"normal": project_schemas.ProjectOfCompany}

    def shapes(self) -> Mapping[str, Shape]:
        """One of its own."""
        return {**super().shapes(), "normal": of_company}


class OneProject(ProjectView):
    """A project; the address names it as ``project_id``, so that the call is in its scope."""

    default_view = "extended"

    def holds(self) -> Iterator[QuerySet[Any]]:
        """The project."""
        yield Project.objects.filter(pk=self.one(self.kwargs["project_id"]).pk)

    @answers(One)
    def get(self, request: Request, project_id: int, **path: Any) -> JsonAnswer:
        """Show it."""
        return self.show(self.one(project_id).pk)

    @takes(READERS, wrapped="project")
    @answers(One)
    def patch(self, request: Request, project_id: int, **path: Any) -> JsonAnswer:
        """Change the fields that were sent."""
        self.one(project_id)
        self.require("project.configure")
        return self.show(self.write(self.wrapped("project"), project_id))


class SyncProjects(ProjectView):
    """Up to a thousand projects in one call."""

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: Any) -> JsonAnswer:
        """Each row with its own fate."""
        return sync.answer(scope.body_of(request).get("updates"), Writes(self.access), full)
