"""Projects (reference rest-api.md 2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework.request import Request

from erpbridge.access import projects as services
from erpbridge.access.models import Project
from erpbridge.access.policy import Access, load
from erpbridge.access.querysets import projects_matching
from erpbridge.audit.record import Note, changes, note
from erpbridge.rest import bodies, scope, sync
from erpbridge.rest.answers import JsonAnswer
from erpbridge.rest.bodies import Reader
from erpbridge.rest.errors import by_field
from erpbridge.rest.filters import WrongValue, contains, ids, moments, search, texts, truth
from erpbridge.rest.listing import Listing, Shape
from erpbridge.rest.sync import Records, SyncRow
from erpbridge.rest.views import Resource

# The name in a body -> the column.
SETTINGS: dict[str, tuple[str, Reader]] = {
    "name": ("name", bodies.text(Project, "name")),
    "project_number": ("number", bodies.text(Project, "number")),
    "active": ("is_active", bodies.flag),
    "erp_integrated": ("use_with_erp", bodies.flag),
}
PLACE = ("address", "city", "state_code", "zip", "country_code", "phone", "description")
DAYS = ("start_date", "completion_date")
DETAILS: dict[str, Reader] = {
    **{name: bodies.text(Project, name) for name in PLACE},
    **dict.fromkeys(DAYS, bodies.day),
}
ORIGIN: dict[str, Reader] = {
    "origin_id": bodies.word(200),
    "origin_code": bodies.word(200),
    "origin_data": bodies.long_text(10_000),
}
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


def _synced(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    unsynced = Q(origin_id="")
    return found.filter(~unsynced if truth(values[-1]) else unsynced)


def _by_status(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    word = values[-1].strip().lower()
    if word not in ("all", "active", "inactive"):
        raise WrongValue("takes All, Active or Inactive")
    return found if word == "all" else found.filter(is_active=word == "active")


def _vendors(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    return ids("project_companies__company")(found, values).distinct()


FILTERS = {
    "id": ids("pk"),
    "origin_id": texts("origin_id"),
    "name": contains("name"),
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


class ProjectView(Resource, Records):
    """Projects that are open to the caller."""

    listing = Listing(filters=FILTERS, sorts=SORTS)
    default_view = "normal"

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
        return sync.store_one(self, SyncRow(given, pk))

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Each project for itself; they are few, and each is a transaction of its own."""
        stored = self.found().in_bulk([row.pk for row in rows if row.pk is not None])
        for row in rows:
            try:
                with transaction.atomic():
                    self._store(row, stored.get(row.pk or 0))
            except ValidationError as error:
                words = {"number": "project_number"}
                row.refuse({words.get(name, name): said for name, said in by_field(error).items()})
            except IntegrityError:
                row.refuse({"origin_id": ["has already been taken"]})

    def _store(self, row: SyncRow, project: Project | None) -> None:
        read = {name: reader for name, (_column, reader) in SETTINGS.items()}
        values, errors = bodies.read(row.given, {**read, **DETAILS, **ORIGIN})
        row.refuse(errors | self._refused(project, values))
        if row.errors:
            return
        settings = {
            column: values[name] for name, (column, _r) in SETTINGS.items() if name in values
        }
        if project is None:
            project = services.create(
                services.Settings(**({"name": ""} | settings)), by=self.access
            )
        elif settings:
            now = services.Settings(
                project.name, project.number, project.is_active, project.use_with_erp
            )
            by = load(self.access.user, self.access.account, project) or self.access
            project = services.configure(project.pk, replace(now, **settings), by=by)
        more = {name: values[name] for name in (*DETAILS, *ORIGIN) if name in values}
        _details(project, more, by=self.access)
        row.pk = project.pk

    def _refused(self, project: Project | None, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """What the caller may not do, or what is missing."""
        if project is None:
            if not (answer := self.access.can("projects.create")):
                return {"base": [answer.why]}
            if not values.get("name"):
                return {"name": ["can't be blank"]}
        else:
            here = load(self.access.user, self.access.account, project) or self.access
            if not (answer := here.can("project.configure")):
                return {"base": [answer.why]}
        before = {name: getattr(project, name) if project else "" for name in ORIGIN}
        changed = any(values.get(name, before[name]) != before[name] for name in ORIGIN)
        answer = self.access.can("items.import", "project")
        return {"origin_id": [answer.why]} if changed and not answer else {}


def _details(project: Project, values: Mapping[str, Any], *, by: Access) -> None:
    """What the API sets beyond the settings of the pages."""
    made = changes({name: getattr(project, name) for name in values}, values)
    if not made:
        return
    for name, value in values.items():
        setattr(project, name, value)
    project.updated_at = timezone.now()
    project.save(update_fields=[*values, "updated_at"])
    words = {name: [str(one or "") for one in pair] for name, pair in made.items()}
    event = Note(services.ENTITY, project.pk, str(project), "changed", data={"changes": words})
    note(by.account.pk, [event], by=by.user)


class Projects(ProjectView):
    """The projects of the company."""

    def get(self, request: Request, **path: Any) -> JsonAnswer:
        """A page."""
        return self.page()

    def post(self, request: Request, **path: Any) -> JsonAnswer:
        """A new project."""
        self.require("projects.create")
        pk = self.write(self.wrapped("project"))
        return JsonAnswer(full([pk])[pk], 201)


class ProjectsV11(Projects):
    """As version 1.1 has it: at most 300 a page."""

    listing = Listing(filters=FILTERS, sorts=SORTS, most_per_page=300)


class CompanyProjects(ProjectView):
    """All projects of the company in one answer."""

    listing = Listing(filters=FILTERS, sorts=SORTS, paged=False)

    def shapes(self) -> Mapping[str, Shape]:
        """One of its own."""
        return {**super().shapes(), "normal": of_company}

    def get(self, request: Request, **path: Any) -> JsonAnswer:
        """Without paging."""
        return self.page()


class OneProject(ProjectView):
    """A project; the address names it as ``project_id``, so that the call is in its scope."""

    default_view = "extended"

    def get(self, request: Request, project_id: int, **path: Any) -> JsonAnswer:
        """Show it."""
        return self.show(self.one(project_id).pk)

    def patch(self, request: Request, project_id: int, **path: Any) -> JsonAnswer:
        """Change the fields that were sent."""
        self.one(project_id)
        self.require("project.configure")
        self.only_if_matching(lambda: self.show(project_id))
        return self.show(self.write(self.wrapped("project"), project_id))


class SyncProjects(ProjectView):
    """Up to a thousand projects in one call."""

    def patch(self, request: Request, **path: Any) -> JsonAnswer:
        """Each row with its own fate."""
        return sync.answer(scope.body_of(request).get("updates"), self, full)
