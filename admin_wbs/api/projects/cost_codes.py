"""``/cost_codes``: the cost codes of a project.

See docs/design/procore-rest-resources.md, "Cost codes of a project".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.api.cost_codes.schemas import LIST
from admin_wbs.api.projects.cost_code_serializer import compact, extended
from admin_wbs.api.projects.cost_code_sync import READERS, ProjectCodeRecords
from admin_wbs.models import CodeList, ProjectCostCode
from admin_wbs.projects import cost_codes
from erpbridge.access.models import Project
from erpbridge.rest import sync
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import ids, moments, search, texts
from erpbridge.rest.requests.parameters import whole_number
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import (
    One,
    Query,
    Synced,
    an_object,
    answers,
    takes,
    takes_rows,
)
from erpbridge.rest.sync import MOST_ROWS, SyncRow
from erpbridge.rest.views import Listed, Resource, Shown

WRAPPER = "cost_code"
CODES = "standard_cost_code_ids"
SYNC_ONLY = (
    "The project is ERP integrated: its cost codes change by sync, or by copying from the "
    "standard list, only."
)
NO_SUB_JOBS = "Cost codes belong to the project here, not to one of its sub jobs."
NOT_OFFERED = "The list is not available to the project."
MOST_CODES = 10_000
SUB_JOB = Query("sub_job_id", schemas.ID, "A sub job, which has no cost codes of its own.")
SHOWN = {
    "default": schemas.ProjectCostCode,
    "extended": schemas.ProjectCostCode,
    "erp_compact": schemas.ProjectCostCodeCompact,
}
# For the answers that are no page of the listing.
VIEW = Query("view", {"enum": list(SHOWN), "default": "default"}, "How much is shown.")
SOME_CODES = an_object(
    {LIST: schemas.ID, CODES: {"type": "array", "items": schemas.ID, "maxItems": MOST_CODES}},
    [LIST, CODES],
)


class ProjectCodeView(Resource):
    """Cost codes of a project."""

    of_project = True
    reads = "project_codes.view"
    asks = [SUB_JOB]
    default_view = "default"
    shown = SHOWN
    listing = Listing(
        filters={
            "id": ids("pk"),
            "origin_id": texts("cost_code__origin_id"),
            "standard_cost_code_id": ids("cost_code"),
            "search": search(lambda found, words: found.search(words)),
            "created_at": moments("added_at"),
            "updated_at": moments("cost_code__updated_at"),
        },
        sorts={"id": "pk", "full_code": "cost_code__sort_path", "name": "cost_code__description"},
    )

    def found(self) -> QuerySet[ProjectCostCode]:
        """The codes of the project; a sub job has none of its own."""
        found = ProjectCostCode.objects.visible_to(self.access)
        return found.none() if self.request.query_params.get("sub_job_id") else found

    def shapes(self) -> Mapping[str, Shape]:
        """The full one when none is asked for."""
        return {"default": extended, "extended": extended, "erp_compact": compact}

    def holds(self) -> Iterator[QuerySet[Any]]:
        """The project, then the code."""
        yield Project.objects.filter(pk=self.project.pk)
        yield from super().holds()

    def may_change(self) -> None:
        """:raises ApiError: without the right, or for a sub job."""
        self.require("project_codes.edit")
        body, query = scope.body_of(self.request), self.request.query_params
        if body.get("sub_job_id") or query.get("sub_job_id"):
            raise Invalid({"sub_job_id": [NO_SUB_JOBS]})

    def may_change_one(self) -> None:
        """:raises ApiError: also where only a sync changes codes."""
        self.may_change()
        if self.project.use_with_erp:
            raise Invalid({"base": [SYNC_ONLY]})

    def write(self, pk: int | None = None) -> int:
        """Create, or change ``pk``. :raises Invalid: 422 with what is wrong."""
        row = SyncRow(self.wrapped(WRAPPER), pk)
        return sync.store_one(ProjectCodeRecords(self.project, self.access), row)

    def code_list(self) -> CodeList:
        """The list to copy from.

        :raises Http404: where the account has no such list.
        :raises Invalid: where the project takes nothing from it.
        """
        given = scope.body_of(self.request).get(LIST)
        if given in (None, ""):
            raise Malformed({LIST: ["is missing"]})
        rows = CodeList.objects.filter(account=self.access.account)
        found = rows.filter(pk=whole_number(given, LIST)).first()
        if found is None:
            raise Http404
        if found not in cost_codes.offered_lists(self.project):
            raise Invalid({LIST: [NOT_OFFERED]})
        return found


class ProjectCodes(ProjectCodeView, Listed):
    """The cost codes of a project."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One, 201)
    def post(self, request: Request, **path: Any) -> JsonAnswer:
        """Put a code of the company's lists on the project."""
        self.may_change_one()
        return self.show(self.write(), 201)


class OneProjectCode(ProjectCodeView, Shown):
    """A cost code of a project."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Its values are the company's; anything else is refused by field."""
        self.may_change_one()
        return self.show(self.write(pk))


class ProjectCodeSync(ProjectCodeView):
    """Up to 1,000 cost codes of a project in one call."""

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: Any) -> JsonAnswer:
        """Put codes on the project; each row has its own fate."""
        self.may_change()
        records = ProjectCodeRecords(self.project, self.access)
        return sync.answer(scope.body_of(request).get("updates"), records, self.shape())


class CopyAll(ProjectCodeView):
    """All codes of a list, for a project."""

    asks = [SUB_JOB, VIEW]

    @takes(an_object({LIST: schemas.ID}, [LIST]))
    @answers(list[schemas.ProjectCostCode | schemas.ProjectCostCodeCompact], 201)
    def post(self, request: Request, **path: Any) -> JsonAnswer:
        """Copy them; answers what the project has of the list then."""
        self.may_change()
        found = self.code_list()
        cost_codes.add_matching(found, "", project=self.project, by=self.access.user)
        return JsonAnswer(self._shown(cost_code__list=found), 201)

    def _shown(self, **which: Any) -> list[Any]:
        rows = ProjectCostCode.objects.filter(project=self.project, **which)
        ordered = rows.order_by("cost_code__sort_path").values_list("pk", flat=True)
        return list(_in_order(self.shape(), list(ordered)))


class CopySubset(CopyAll):
    """Some codes of a list, and what is above them, for a project."""

    @takes(SOME_CODES)
    @answers(schemas.CopiedCodes, 201)
    @answers(schemas.CopiedCodes, 207)
    def post(self, request: Request, **path: Any) -> JsonAnswer:
        """Copy them; 207 where some could not be copied or were there before."""
        self.may_change()
        found = self.code_list()
        values, errors = bodies.read(scope.body_of(request), {CODES: bodies.wholes})
        wanted = values.get(CODES, [])
        if not errors and not wanted:
            errors = {CODES: ["is missing"]}
        if len(wanted) > MOST_CODES:
            errors = {CODES: [f"has {len(wanted):,} ids; the limit is {MOST_CODES:,}"]}
        if errors:
            raise Malformed(errors)
        before = self._here(found)
        cost_codes.add_only(found, wanted, project=self.project, by=self.access.user)
        added = self._here(found) - before
        failures = [self._failure(pk, before) for pk in wanted if pk not in added]
        successes = self._shown(cost_code__in=added)
        return JsonAnswer({"successes": successes, "failures": failures}, 207 if failures else 201)

    def _here(self, found: CodeList) -> set[int]:
        rows = ProjectCostCode.objects.filter(project=self.project, cost_code__list=found)
        return set(rows.values_list("cost_code_id", flat=True))

    def _failure(self, pk: int, before: set[int]) -> dict[str, Any]:
        there = pk in before
        why = "is on the project already" if there else "is no active code of this list"
        return {"standard_cost_code_id": pk, "errors": {CODES: [why]}}


def _in_order(shape: Shape, pks: Sequence[int]) -> list[Any]:
    shown = shape(pks)
    return [shown[pk] for pk in pks if pk in shown]
