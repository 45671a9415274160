"""``…/work_breakdown_structure``: patterns and segments.

A pattern is the order of the segments of the account's budget codes, or of a project's.
See docs/design/procore-rest-resources.md, "Segments".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Count, Model, QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from admin_wbs.api.errors import refusals
from admin_wbs.api.segments.schemas import SegmentItemList, WbsPattern, WbsSegment
from admin_wbs.api.segments.segment_serializer import segment_of
from admin_wbs.models import CodeList, CostCode, CostType, Segment, SubJob
from admin_wbs.projects import structure as project_structure
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import ids, texts
from erpbridge.rest.responses import JsonAnswer, etag
from erpbridge.rest.schema.operations import One, an_object, answers, takes
from erpbridge.rest.views import Listed, Resource, Shown

Kind = Segment.Kind
Row = TypeVar("Row", bound=Model)
STRUCTURES = {"tiered": True, "flat": False}
SWITCHES = {
    "project_can_modify_origin_project": "project_items",
    "project_can_delete_origin_company": "project_deletes",
}


@bodies.reader({"enum": list(STRUCTURES)})
def _structure(value: object) -> bool:
    """True for tiered."""
    try:
        return STRUCTURES[str(value)]
    except KeyError:
        raise ValidationError("must be tiered or flat") from None


READERS = {
    "name": bodies.text(Segment, "name"),
    **dict.fromkeys(SWITCHES, bodies.flag),
    "structure": _structure,
}
ID = {"type": "integer"}
PLACE = an_object({"segment_id": ID, "position": ID | {"minimum": 0}}, ["segment_id", "position"])
ORDER_BODY = an_object({"updated_order": {"type": "array", "items": PLACE}}, ["updated_order"])


class WbsView(Resource[Row]):
    """Base of all calls on the structure of the company, or of the project in the path."""

    def enter(self, request: Request) -> int:
        """Check access in the scope of the path; create the default segments if missing."""
        # By the path, because ``self.access`` is loaded only below.
        self.reads = (
            Permission.PROJECT_WBS_VIEW if "project_id" in self.kwargs else Permission.CODES_VIEW
        )
        account = super().enter(request)
        # A writing call does it in its transaction; see hold().
        if request.method not in scope.WRITES:
            default_structure.ensure(account)
        return account

    def hold(self) -> None:
        """Create the default segments in the same transaction; a refused call leaves none."""
        super().hold()
        default_structure.ensure(self.access.account.pk)

    def may_change(self) -> None:
        """:raises PermissionDenied: without the permission."""
        self.require(Permission.PROJECT_WBS_EDIT if self.access.project else Permission.CODES_EDIT)

    def visible_segments(self) -> QuerySet[Segment]:
        """The segments of the account, or those in the project's structure."""
        segments = Segment.objects.filter(account=self.access.account)
        if self.access.project is None:
            return segments
        # Also one that the account has since taken out of its own structure.
        return segments.filter(of_projects__project=self.access.project)


class SegmentView(WbsView[Segment]):
    """Segments of the company, or of the project in the path."""

    listing = Listing(filters={"id": ids("pk"), "type": texts("kind")}, paged=False)
    row_types = {"": WbsSegment}

    def visible(self) -> QuerySet[Segment]:
        """The visible segments."""
        return self.visible_segments()

    def shapes(self) -> Mapping[str, Shape]:
        """The only view."""
        return {"": self.segments}

    def segments(self, pks: Sequence[int]) -> dict[int, object]:
        """Segments with their number of items, in a fixed number of queries."""
        project = self.access.project
        rows = Segment.objects.filter(pk__in=pks).annotate(count=Count("items"))
        counts = self._counts()
        positions = (
            dict(project.segments.values_list("segment_id", "position")) if project else None
        )
        # There is one pattern per account and per project, so it has their ids.
        pattern = project.pk if project else self.access.account.pk
        return {
            segment.pk: {
                **segment_of(segment),
                "position": _from_zero(
                    segment.position if positions is None else positions.get(segment.pk)
                ),
                # Only custom segments have items in the table that was counted above.
                "segment_items_count": counts.get(segment.kind, segment.count),  # type: ignore[attr-defined]
                "created_at": segment.created_at,
                # When a segment was changed is not stored.
                "updated_at": segment.created_at,
                "wbs_pattern_id": pattern,
            }
            for segment in rows
        }

    def _counts(self) -> dict[str, int]:
        """Numbers of items of the default segments, which are kept in other tables."""
        account, project = self.access.account, self.access.project
        codes = CostCode.objects.filter(account=account)
        codes = codes.filter(on_projects__project=project) if project else codes
        return {
            Kind.COST_CODE.value: codes.count(),
            Kind.COST_TYPE.value: CostType.objects.filter(account=account).count(),
            Kind.SUB_JOB.value: SubJob.objects.filter(project=project).count() if project else 0,
        }

    def pattern(self) -> dict[str, object]:
        """The structure: its segments in order."""
        account, project = self.access.account, self.access.project
        order = (
            default_structure.of_project(project)
            if project
            else list(Segment.objects.structure(account.pk))
        )
        by_id = self.segments([segment.pk for segment in order])
        return {
            "id": project.pk if project else account.pk,
            "segments": [by_id[segment.pk] for segment in order],
            "created_at": (project or account).created_at,
            "updated_at": (project or account).created_at,
        }


def _from_zero(position: int | None) -> int | None:
    # Positions begin with 0 in Procore's API.
    return None if position is None else position - 1


class PatternView(SegmentView):
    """The pattern of the company or project; there is exactly one."""

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Lock the project. The company's structure is changed under the account's lock."""
        if self.access.project:
            yield Project.objects.filter(pk=self.access.project.pk)

    def compares(self, variables: Collection[str]) -> bool:
        """Every address of the pattern supports ``If-Match``."""
        return True

    def current(self) -> JsonAnswer:
        """The pattern as the list of patterns shows it; clients have that ETag."""
        return JsonAnswer([self.pattern()])

    def tag(self, answer: HttpResponse) -> str:
        """The ETag of the list of patterns."""
        return etag(self.current().content)


class Patterns(PatternView):
    """The pattern of the company or project."""

    @answers(list[WbsPattern])
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """Return the pattern, in an array as in Procore."""
        return self.current()


class SegmentOrder(PatternView):
    """The order of the segments in the pattern."""

    @takes(ORDER_BODY)
    @answers(WbsPattern, tagged=True)
    def put(self, request: Request, **path: object) -> JsonAnswer:
        """Change the order of the segments, and return the pattern."""
        self.may_change()
        order = _order(scope.body_of(request).get("updated_order"))
        with refusals():
            if self.access.project:
                project_structure.arrange(self.access.project, order, by=self.access.user)
            else:
                segment_services.arrange(self.access.account, order, by=self.access.user)
        return JsonAnswer(self.pattern())


def _order(places: object) -> list[int]:
    """Segment ids by position. :raises Malformed: if the value has another form."""
    if not isinstance(places, list) or not all(isinstance(place, Mapping) for place in places):
        raise Malformed({"updated_order": ["must be a list of objects"]})
    readers = {"segment_id": bodies.whole, "position": bodies.whole}
    rows = []
    for place in places:
        values, errors = bodies.read(place, readers)
        if errors or None in (values.get("segment_id"), values.get("position")):
            raise Malformed({"updated_order": ["needs segment_id and position in each object"]})
        rows.append((values["position"], values["segment_id"]))
    # Positions may have gaps: only their order counts.
    return [segment for _position, segment in sorted(rows)]


class PatternSegment(PatternView):
    """The segments in the pattern of a project."""

    adds = True

    @takes(an_object({"segment_id": ID}, ["segment_id"]))
    @answers(WbsPattern, tagged=True)
    def put(self, request: Request, **path: object) -> JsonAnswer:
        """Add or remove a segment of the company, and return the pattern."""
        self.may_change()
        values, errors = bodies.read(scope.body_of(request), {"segment_id": bodies.whole})
        if errors or values.get("segment_id") is None:
            raise Malformed(errors or {"segment_id": ["is missing"]})
        segments = Segment.objects.filter(account=self.access.account)
        segment = segments.filter(pk=values["segment_id"]).first()
        if segment is None or self.access.project is None:
            raise Invalid({"segment_id": ["is not a segment of this company"]})
        act = project_structure.add if self.adds else project_structure.remove
        with refusals():
            act(self.access.project, segment, by=self.access.user)
        return JsonAnswer(self.pattern())


class Segments(SegmentView, Listed[Segment]):
    """The segments in the pattern of a project."""


class CompanySegments(Segments):
    """The segments of the company."""

    @takes(READERS, required=["name"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a custom segment at the end; refused if the ERP supports none."""
        self.may_change()
        values, tiered = _read(scope.body_of(request))
        if "name" not in values:
            raise Invalid({"name": ["is missing"]})
        with refusals():
            created = segment_services.add(
                self.access.account, tiered=bool(tiered), by=self.access.user, **values
            )
        return self.show(created.pk, 201)


class OneSegment(SegmentView, Shown[Segment]):
    """A segment."""


class OneCompanySegment(OneSegment):
    """A segment of the company."""

    def tag(self, answer: HttpResponse) -> str:
        """The ETag of the segment, because a write returns no body."""
        return etag(self.show(self.kwargs["pk"]).content)

    @takes(READERS)
    @answers(None, 204, tagged=True)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change a segment's name and switches. Its structure cannot change."""
        stored = self.record(pk)
        self.may_change()
        values, tiered = _read(scope.body_of(request))
        # docs/design/work-breakdown-structure.md, "Segments and budget codes". The present value is
        # no error.
        if tiered is not None and tiered != stored.tiered:
            raise Invalid({"structure": ["cannot be changed"]})
        with refusals():
            segment_services.change(stored, values=values, by=self.access.user)
        return JsonAnswer(None, 204)

    @answers(None, 204)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Delete a custom segment and its items, if no project uses the segment."""
        stored = self.record(pk)
        self.may_change()
        with refusals():
            segment_services.delete(stored, by=self.access.user)
        return JsonAnswer(None, 204)


def _read(body: Mapping[str, object]) -> tuple[bodies.Values, bool | None]:
    """Columns, and whether the segment is tiered; None if the body does not say."""
    values, errors = bodies.read(body, READERS)
    if errors:
        raise Invalid(errors)
    tiered = values.pop("structure", None)
    return {SWITCHES.get(name, name): value for name, value in values.items()}, tiered


class SegmentLists(SegmentView):
    """The cost code lists of a segment. Only the cost code segment has lists."""

    @answers(list[SegmentItemList])
    def get(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Return all lists of the segment."""
        if self.record(pk).kind != Kind.COST_CODE:
            return JsonAnswer([])
        rows = CodeList.objects.filter(account=self.access.account).with_counts().order_by("pk")
        return JsonAnswer(
            [
                {
                    "id": code_list.pk,
                    "name": code_list.name,
                    "segment_items_count": code_list.count,  # type: ignore[attr-defined]  # annotated
                    "erp_integrated": code_list.is_erp,
                    "available_to_use_on_new_projects": code_list.for_new_projects,
                }
                for code_list in rows
            ]
        )
