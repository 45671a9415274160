"""``/cost_codes``: the cost codes of a project.

See docs/design/procore-rest-resources.md, "Cost codes of a project".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Model, QuerySet
from django.db.models.functions import Greatest
from django.http import Http404
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.api.cost_codes.schemas import LIST
from admin_wbs.api.projects.cost_code_serializer import compact, extended
from admin_wbs.api.projects.cost_code_sync import READERS, ProjectCodeRecords
from admin_wbs.models import CodeList, ProjectCostCode
from admin_wbs.projects import cost_codes
from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.rest import sync
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import ids, moments, search, texts
from erpbridge.rest.requests.parameters import whole_number
from erpbridge.rest.requests.rows import MOST_ROWS
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
from erpbridge.rest.sync import SyncRow
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
ROW_TYPES = {
    "default": schemas.ProjectCostCode,
    "extended": schemas.ProjectCostCode,
    "erp_compact": schemas.ProjectCostCodeCompact,
}
# For responses that are not a page of the list.
VIEW = Query("view", {"enum": list(ROW_TYPES), "default": "default"}, "Level of detail.")
SOME_CODES = an_object(
    {LIST: schemas.ID, CODES: {"type": "array", "items": schemas.ID, "maxItems": MOST_CODES}},
    [LIST, CODES],
)


class ProjectCodeView(Resource[ProjectCostCode]):
    """Cost codes of a project."""

    of_project = True
    reads = Permission.PROJECT_CODES_VIEW
    asks = [SUB_JOB]
    default_view = "default"
    row_types = ROW_TYPES
    listing = Listing(
        filters={
            "id": ids("pk"),
            "origin_id": texts("cost_code__origin_id"),
            "standard_cost_code_id": ids("cost_code"),
            "search": search(lambda codes, words: codes.search(words)),
            "created_at": moments("added_at"),
            # As it is shown: a code is new to the project when it is added.
            "updated_at": moments(Greatest("added_at", "cost_code__updated_at")),
        },
        sorts={"id": "pk", "full_code": "cost_code__sort_path", "name": "cost_code__description"},
    )

    def visible(self) -> QuerySet[ProjectCostCode]:
        """The codes of the project; empty for a sub job, which has none of its own."""
        codes = ProjectCostCode.objects.visible_to(self.access)
        return codes.none() if self.request.query_params.get("sub_job_id") else codes

    def shapes(self) -> Mapping[str, Shape]:
        """The views; the full one is the default."""
        return {"default": extended, "extended": extended, "erp_compact": compact}

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Lock the project, then the code."""
        yield Project.objects.filter(pk=self.project.pk)
        yield from super().holds()

    def may_change(self) -> None:
        """:raises ApiError: without the permission, or if the call names a sub job."""
        self.require(Permission.PROJECT_CODES_EDIT)
        body, query = scope.body_of(self.request), self.request.query_params
        if body.get("sub_job_id") or query.get("sub_job_id"):
            raise Invalid({"sub_job_id": [NO_SUB_JOBS]})

    def may_change_one(self) -> None:
        """:raises ApiError: also for a project whose codes change by sync only."""
        self.may_change()
        # docs/design/work-breakdown-structure.md, "Cost codes of a project".
        if self.project.use_with_erp:
            raise Invalid({"base": [SYNC_ONLY]})

    def write(self, pk: int | None = None) -> int:
        """Create a code, or change the one with this ``pk``.

        :raises Invalid: (422) with the errors by field.
        """
        row = SyncRow(self.wrapped(WRAPPER), pk=pk)
        return sync.store_one(ProjectCodeRecords(self.project, self.access), row)

    def code_list(self) -> CodeList:
        """Return the list to copy from.

        :raises Http404: if the account has no such list.
        :raises Invalid: if the list is not available to the project.
        """
        list_id = scope.body_of(self.request).get(LIST)
        if list_id in (None, ""):
            raise Malformed({LIST: ["is missing"]})
        # Not ``visible_to``: the lists that a project is offered need no right on the account's
        # Admin tool.
        rows = CodeList.objects.filter(account=self.access.account)
        code_list = rows.filter(pk=whole_number(list_id, LIST)).first()
        if code_list is None:
            raise Http404
        if code_list not in cost_codes.offered_lists(self.project):
            raise Invalid({LIST: [NOT_OFFERED]})
        return code_list


class ProjectCodes(ProjectCodeView, Listed[ProjectCostCode]):
    """The cost codes of a project."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Add a code of the company's lists to the project."""
        self.may_change_one()
        return self.show(self.write(), 201)


class OneProjectCode(ProjectCodeView, Shown[ProjectCostCode]):
    """A cost code of a project."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Refuse changes: the values belong to the company's list."""
        self.may_change_one()
        return self.show(self.write(pk))


class ProjectCodeSync(ProjectCodeView):
    """Add up to 1,000 cost codes to a project in one call."""

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Add cost codes to the project. A row with errors does not stop the others."""
        self.may_change()
        records = ProjectCodeRecords(self.project, self.access)
        return sync.answer(scope.body_of(request).get("updates"), records, self.shape())


class CopyAll(ProjectCodeView):
    """Copy all codes of a list to a project."""

    asks = [SUB_JOB, VIEW]

    @takes(an_object({LIST: schemas.ID}, [LIST]))
    @answers(list[schemas.ProjectCostCode | schemas.ProjectCostCodeCompact], 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Copy all codes of a list; returns all codes of that list on the project."""
        self.may_change()
        code_list = self.code_list()
        cost_codes.add_matching(code_list, "", project=self.project, by=self.access.user)
        return JsonAnswer(self._shown(cost_code__list=code_list), 201)

    def _shown(self, **which: object) -> list[object]:
        rows = ProjectCostCode.objects.filter(project=self.project, **which)
        ordered = rows.order_by("cost_code__sort_path").values_list("pk", flat=True)
        return list(_in_order(self.shape(), list(ordered)))


class CopySubset(CopyAll):
    """Copy some codes of a list, with the codes above them, to a project."""

    @takes(SOME_CODES)
    @answers(schemas.CopiedCodes, 201)
    @answers(schemas.CopiedCodes, 207)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Copy codes; 207 if some could not be copied or were on the project already."""
        self.may_change()
        code_list = self.code_list()
        values, errors = bodies.read(scope.body_of(request), {CODES: bodies.wholes})
        code_ids = values.get(CODES, [])
        if not errors and not code_ids:
            errors = {CODES: ["is missing"]}
        if len(code_ids) > MOST_CODES:
            errors = {CODES: [f"has {len(code_ids):,} ids; the limit is {MOST_CODES:,}"]}
        if errors:
            raise Malformed(errors)
        # Read before and after, because the service only counts. The account is locked, so no other
        # call copies meanwhile.
        before = self._here(code_list)
        cost_codes.add_only(code_list, code_ids, project=self.project, by=self.access.user)
        # With the codes above them, which are copied too.
        added = self._here(code_list) - before
        failures = [self._failure(pk, before) for pk in code_ids if pk not in added]
        successes = self._shown(cost_code__in=added)
        return JsonAnswer({"successes": successes, "failures": failures}, 207 if failures else 201)

    def _here(self, code_list: CodeList) -> set[int]:
        rows = ProjectCostCode.objects.filter(project=self.project, cost_code__list=code_list)
        return set(rows.values_list("cost_code_id", flat=True))

    def _failure(self, pk: int, before: set[int]) -> dict[str, object]:
        is_there = pk in before
        why = "is on the project already" if is_there else "is not an active code of this list"
        return {"standard_cost_code_id": pk, "errors": {CODES: [why]}}


def _in_order(shape: Shape, pks: Sequence[int]) -> list[object]:
    rows = shape(pks)
    return [rows[pk] for pk in pks if pk in rows]
