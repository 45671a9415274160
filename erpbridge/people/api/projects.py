"""Projects (docs/design/procore-rest-resources.md, "Companies and projects")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.access.querysets import projects_matching
from erpbridge.db.json_rows import Computed, Constant, Field, JsonRows, OrNull
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
from erpbridge.rest.requests.rows import MOST_ROWS
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Synced, answers, takes, takes_rows
from erpbridge.rest.sync import SyncRow
from erpbridge.rest.views import Listed, Resource

ABSENT = (
    *("county", "time_zone", "latitude", "longitude", "stage", "project_stage"),
    *("project_template", "owners_project_id", "total_value", "store_number"),
    *("accounting_project_number", "designated_market_area", "project_region_id"),
    *("project_bid_type_id", "project_owner_type_id", "parent_job_id", "parent_job", "photo_id"),
    *("projected_finish_date", "estimated_value", "fax", "sector", "work_scope"),
    *("delivery_method", "created_by"),
)
# In the full view only, and null like those above.
SHOWN_ONLY = ("standard_cost_code_list_id", "office", "program", "project_type")
Rows = Mapping[int, dict[str, object]]


def _company(pk: int, name: str) -> dict[str, object]:
    return {"id": pk, "name": name}


NAMES: dict[str, Field] = {
    "id": "pk",
    "name": "name",
    "display_name": Computed(Project.title, "number", "name"),
    "project_number": OrNull("number"),
}
NORMAL: dict[str, Field] = {
    **dict.fromkeys(ABSENT, Constant(None)),
    **{name: OrNull(name) for name in (*PLACE[:-1], *DAYS, *ORIGIN)},
    **NAMES,
    "active": "is_active",
    "is_demo": Constant(False),
    "created_at": "created_at",
    "updated_at": "updated_at",
    "company": Computed(_company, "account_id", "account__name"),
    "custom_fields": Constant({}),
}
FULL: dict[str, Field] = {
    **NORMAL,
    **dict.fromkeys(SHOWN_ONLY, Constant(None)),
    "is_erp_integrated": "use_with_erp",
    "departments": Constant(()),
    "description": OrNull("description"),
}
compact = JsonRows(Project, NAMES)
normal = JsonRows(Project, NORMAL)
full = JsonRows(Project, FULL)


@filtering("true or false.")
def _synced(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    unsynced = Q(origin_id="")
    return queryset.filter(~unsynced if truth(values[-1]) else unsynced)


@filtering("All, Active or Inactive.")
def _by_status(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    status = values[-1].strip().lower()
    if status not in ("all", "active", "inactive"):
        raise WrongValue("takes All, Active or Inactive")
    return queryset if status == "all" else queryset.filter(is_active=status == "active")


@filtering("One or more ids, separated by commas.")
def _vendors(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    # A project may have several of the vendors.
    return ids("project_companies__company")(queryset, values).distinct()


FILTERS = {
    "id": ids("pk"),
    "origin_id": texts("origin_id"),
    "name": contains("name_text"),
    "search": search(lambda rows, words: rows.filter(projects_matching(words))),
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
    """Return the id."""
    return {pk: {"id": pk} for pk in pks}


def of_company(pks: Sequence[int]) -> Rows:
    """Return the fields of ``/companies/{id}/projects``, where the address is an object."""
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


class ProjectView(Resource[Project]):
    """Projects that the caller can see."""

    listing = Listing(filters=FILTERS, sorts=SORTS)
    default_view = "normal"
    row_types = project_schemas.ROW_TYPES

    def visible(self) -> QuerySet[Project]:
        """Return the visible projects; an account admin sees all."""
        return Project.objects.visible_to(self.access.membership)

    def shapes(self) -> Mapping[str, Shape]:
        """Return the shapes, which are the same in both versions."""
        return {
            "ids": only_ids,
            "compact": compact,
            "normal": normal,
            "extended": full,
        }

    def write(self, fields: Mapping[str, object], pk: int | None = None) -> int:
        """Create a project, or change the one with id ``pk``. Return its id.

        :raises Invalid: 422 with the errors.
        """
        return sync.store_one(Writes(self.access), SyncRow(fields, pk=pk))


class Projects(ProjectView, Listed[Project]):
    """Projects of the company."""

    @takes(READERS, wrapped="project", required=["name"])
    @answers(project_schemas.Project, 201, tagged=True)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a project."""
        self.require(Permission.PROJECTS_CREATE)
        pk = self.write(self.wrapped("project"))
        return JsonAnswer(full([pk])[pk], 201)


class ProjectsV11(Projects):
    """Projects of the company, at most 300 per page."""

    listing = Listing(filters=FILTERS, sorts=SORTS, most_per_page=300)


class CompanyProjects(ProjectView, Listed[Project]):
    """All projects of the company, without paging."""

    listing = Listing(filters=FILTERS, sorts=SORTS, paged=False)
    row_types = project_schemas.ROW_TYPES | {"normal": project_schemas.ProjectOfCompany}

    def shapes(self) -> Mapping[str, Shape]:
        """Return the shapes, with a ``normal`` view of its own."""
        return {**super().shapes(), "normal": of_company}


class OneProject(ProjectView):
    """A project."""

    # The URL has project_id instead of pk, so that the call is in the project's scope.
    default_view = "extended"

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Return the project's row."""
        yield Project.objects.filter(pk=self.record(self.kwargs["project_id"]).pk)

    @answers(One)
    def get(self, request: Request, project_id: int, **path: object) -> JsonAnswer:
        """Show it."""
        return self.show(self.record(project_id).pk)

    @takes(READERS, wrapped="project")
    @answers(One)
    def patch(self, request: Request, project_id: int, **path: object) -> JsonAnswer:
        """Change the fields that are sent."""
        # A project that the caller cannot see is 404, and not 403.
        self.record(project_id)
        self.require(Permission.PROJECT_CONFIGURE)
        return self.show(self.write(self.wrapped("project"), project_id))


class SyncProjects(ProjectView):
    """Projects in bulk, up to 1,000 rows.

    Each row is saved independently. The response has the saved projects, and the rejected rows with
    their errors.
    """

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create and update projects."""
        # Rights are checked row by row: one for new projects, another in each stored one.
        return sync.answer(scope.body_of(request).get("updates"), Writes(self.access), full)
