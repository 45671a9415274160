"""``/sub_jobs`` of a project (docs/design/procore-rest-resources.md, "Cost codes of a project")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.api.errors import refusals
from admin_wbs.models import SubJob
from admin_wbs.projects import sub_jobs, sub_jobs_bulk
from admin_wbs.rows import ValueRow
from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.json_rows import JsonRows, OrNull
from erpbridge.rest import sync
from erpbridge.rest.deprecation import WORK_BREAKDOWN_STRUCTURE, deprecated
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import flag, ids, moments, search, texts
from erpbridge.rest.requests.rows import MOST_ROWS
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Synced, answers, takes, takes_rows
from erpbridge.rest.sync import Records, SyncRow
from erpbridge.rest.views import Listed, Resource, Shown

WRAPPER = "sub_job"
READERS = {
    "code": bodies.text(SubJob, "code"),
    "name": bodies.text(SubJob, "name"),
    "origin_id": bodies.identifier(200),
    "origin_data": bodies.text(SubJob, "origin_data"),
}
sub_job_rows = JsonRows(
    SubJob,
    {
        "id": "pk",
        "code": "code",
        "name": "name",
        "origin_id": OrNull("origin_id"),
        "origin_data": OrNull("origin_data"),
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
)


class SubJobView(Resource[SubJob]):
    """Sub jobs of a project."""

    of_project = True
    reads = Permission.PROJECT_WBS_VIEW
    row_types = {"": schemas.SubJobRow}
    listing = Listing(
        filters={
            "id": ids("pk"),
            "origin_id": texts("origin_id"),
            "active": flag("is_active"),
            "search": search(lambda jobs, words: jobs.search(words)),
            "created_at": moments("created_at"),
            "updated_at": moments("updated_at"),
        },
        sorts={"id": "pk", "code": "code", "name": "name"},
    )

    def visible(self) -> QuerySet[SubJob]:
        """The sub jobs of the project."""
        return SubJob.objects.visible_to(self.access)

    def shapes(self) -> Mapping[str, Shape]:
        """The only view."""
        return {"": sub_job_rows}

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Lock the project, then the sub job."""
        # The services lock the project before they write a sub job, so the order is the same here.
        yield Project.objects.filter(pk=self.project.pk)
        yield from super().holds()

    def write(self, pk: int | None = None) -> int:
        """Create a sub job, or change the one with this ``pk``.

        :raises Invalid: (422) with the errors by field.
        """
        row = SyncRow(self.wrapped(WRAPPER), pk=pk)
        with refusals():
            return sync.store_one(SubJobRecords(self.project, self.access), row)


class SubJobs(SubJobView, Listed[SubJob]):
    """The sub jobs of a project."""

    @takes(READERS, wrapped=WRAPPER, required=["code", "name"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a sub job."""
        self.require(Permission.PROJECT_WBS_EDIT)
        return self.show(self.write(), 201)


class OneSubJob(SubJobView, Shown[SubJob]):
    """A sub job of a project."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change a sub job. Its code cannot change once another system has it."""
        self.record(pk)
        self.require(Permission.PROJECT_WBS_EDIT)
        return self.show(self.write(pk))

    @answers(One)
    @deprecated(WORK_BREAKDOWN_STRUCTURE)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Delete a sub job that nothing uses, and return it as it was.

        In Procore, the segment item is deleted instead; that call does not exist here.
        """
        stored = self.record(pk)
        self.require(Permission.PROJECT_WBS_EDIT)
        # Now, because there is nothing to show afterwards.
        response = self.show(pk)
        with refusals():
            sub_jobs.delete(stored, by=self.access.user)
        return response


class SubJobSync(SubJobView):
    """Create and update up to 1,000 sub jobs of a project in one call."""

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create and update sub jobs. A row with errors does not stop the others."""
        self.require(Permission.PROJECT_WBS_EDIT)
        records = SubJobRecords(self.project, self.access)
        with refusals():
            return sync.answer(scope.body_of(request).get("updates"), records, self.shape())


class SubJobRecords(Records):
    """The sub jobs of a project, for :func:`erpbridge.rest.sync.answer`."""

    readers = READERS

    def __init__(self, project: Project, access: Access) -> None:
        self.project, self.access = project, access

    def visible(self) -> QuerySet[SubJob]:
        """The sub jobs of the project."""
        return SubJob.objects.filter(project=self.project)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and change sub jobs."""
        good = []
        for row in rows:
            values, errors = bodies.read(row.given, READERS)
            row.refuse(errors)
            if not row.errors:
                good.append((row, ValueRow(values, pk=row.pk)))
        sub_jobs_bulk.store(self.project, [record for _row, record in good], access=self.access)
        for row, record in good:
            row.pk = record.pk
            row.refuse(record.errors)
