"""``segments/{id}/segment_items`` (docs/design/procore-rest-resources.md, "Segment items").

Only custom segments have items of their own. The items of the default segments are the cost codes
of a list, the cost types, and the sub jobs of a project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.request import Request

from admin_wbs.api.errors import refusals
from admin_wbs.api.segments import item_serializer
from admin_wbs.api.segments.schemas import DeletedItems, WbsItem
from admin_wbs.api.segments.segments import ID, Kind, WbsView
from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_types import services as cost_type_services
from admin_wbs.models import (
    CodeList,
    CostCode,
    CostType,
    ProjectCostCode,
    Segment,
    SegmentItem,
    SubJob,
)
from admin_wbs.segments import items as segment_items
from erpbridge.refusals import BulkResult, Left
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import Filter, WrongValue, ids, search
from erpbridge.rest.requests.parameters import whole_number
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Page, Query, an_object, answers, takes
from erpbridge.rest.views import Shown

LIST = "segment_item_list_id"
READERS = {
    "code": bodies.text(CostCode, "code"),
    "name": bodies.text(CostCode, "description"),
    "parent_id": bodies.whole,
}
STATUS = {"active": True, "inactive": False}
ELSEWHERE = "Items of this segment are not changed here."
MOST_IDS = 10_000
IDS = {"type": "array", "items": ID, "minItems": 1, "maxItems": MOST_IDS}
ATTRIBUTES = an_object({"status": {"enum": list(STATUS)}}, ["status"])
SWITCH = {"ids": IDS, "attributes": ATTRIBUTES}
# Clients may name the list in the body as well.
OF_LIST = {LIST: bodies.whole}
OF_LIST_SCHEMA = {LIST: dict(bodies.whole.schema)}

Item = CostCode | CostType | ProjectCostCode | SegmentItem | SubJob


def status(path: str = "is_active") -> Filter:
    """A filter by ``active`` or ``inactive``."""

    def apply(rows: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
        if not set(values) <= set(STATUS):
            raise WrongValue("takes active or inactive")
        return rows.filter(**{f"{path}__in": [STATUS[value] for value in values]})

    return Filter(apply, "active or inactive.")


TIERED = Listing(
    filters={
        "id": ids("pk"),
        "parent_id": ids("parent"),
        "status": status(),
        "search": search(lambda rows, words: rows.search(words)),
    },
    sorts={"id": "pk", "code": "sort_path", "path_code": "sort_path", "name": "description"},
)
OF_PROJECT = Listing(
    filters={
        "id": ids("pk"),
        "parent_id": ids("cost_code__parent__on_projects"),
        "status": status("cost_code__is_active"),
        "search": search(lambda rows, words: rows.search(words)),
    },
    sorts={
        "id": "pk",
        "code": "cost_code__sort_path",
        "path_code": "cost_code__sort_path",
        "name": "cost_code__description",
    },
)
FLAT = Listing(filters={"id": ids("pk")}, sorts={"id": "pk", "code": "code"})


class ItemView(WbsView[Item]):
    """Items of one segment."""

    # Items chooses one of three listings; this one has the most filters.
    listing = TIERED
    row_types = {"": WbsItem}
    asks = (Query(LIST, ID, "The list of cost codes; the company's are listed only with it."),)

    @cached_property
    def segment(self) -> Segment:
        """The segment in the path. :raises Http404: if the caller cannot see it."""
        segment = self.visible_segments().filter(pk=self.kwargs["segment_id"]).first()
        if segment is None:
            raise Http404
        return segment

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Lock the list or segment of the item, then the item."""
        if "pk" in self.kwargs:
            # The services lock in this order too (docs/locks.md, "The order").
            item = self.record(self.kwargs["pk"])
            if isinstance(item, CostCode):
                yield CodeList.objects.filter(pk=item.list_id)
            elif isinstance(item, SegmentItem):
                yield Segment.objects.filter(pk=item.segment_id)
        yield from super().holds()

    def code_list(self) -> CodeList | None:
        """Return the cost code list that the call names, if any.

        :raises Http404: if the account has no such list.
        """
        request = self.request
        list_id = request.query_params.get(LIST) or scope.body_of(request).get(LIST)
        if list_id in (None, ""):
            return None
        lists = CodeList.objects.filter(account=self.access.account)
        code_list = lists.filter(pk=whole_number(list_id, LIST)).first()
        if code_list is None:
            raise Http404
        return code_list

    def visible(self) -> QuerySet[Item]:
        """The items of the company, or of the project, where a cost code has its own id.

        :raises Http404: for a list that the account does not have, whatever the segment.
        """
        kind, project = self.segment.kind, self.access.project
        code_list = self.code_list()
        if kind == Kind.COST_CODE:
            if project:
                project_codes = ProjectCostCode.objects.filter(project=project)
                return (
                    project_codes.filter(cost_code__list=code_list) if code_list else project_codes
                )
            rows = CostCode.objects.filter(account=self.access.account)
            return rows.filter(list=code_list) if code_list else rows
        if kind == Kind.COST_TYPE:
            return CostType.objects.filter(account=self.access.account)
        if kind == Kind.SUB_JOB:
            return SubJob.objects.filter(project=project) if project else SubJob.objects.none()
        return SegmentItem.objects.filter(segment=self.segment)

    def shapes(self) -> Mapping[str, Shape]:
        """The only view; it depends on the kind of segment."""
        kind, segment = self.segment.kind, self.segment
        if kind == Kind.COST_TYPE:
            return {"": partial(item_serializer.cost_types, segment)}
        if kind == Kind.SUB_JOB:
            return {"": partial(item_serializer.sub_jobs, segment)}
        if kind == Kind.COST_CODE and self.access.project:
            return {"": partial(item_serializer.project_codes, segment)}
        model = CostCode if kind == Kind.COST_CODE else SegmentItem
        return {"": partial(item_serializer.tiered, model, segment)}

    def values(self) -> bodies.Values:
        """Read the fields of the body; it is not wrapped. :raises Invalid: with the errors."""
        values, errors = bodies.read(scope.body_of(self.request), READERS)
        if errors:
            raise Invalid(errors)
        return values

    def ids(self) -> list[int]:
        """Read ``ids`` from the body. :raises Malformed: unless they are 1 to 10,000 ids."""
        values, errors = bodies.read(scope.body_of(self.request), {"ids": bodies.wholes})
        ids: list[int] = values.get("ids", [])
        if not errors and not 0 < len(ids) <= MOST_IDS:
            errors = {"ids": [f"must hold 1 to {MOST_IDS:,} ids"]}
        if errors:
            raise Malformed(errors)
        return ids

    def delete_items(self, ids: Sequence[int]) -> list[BulkResult[Left]]:
        """Delete unused items. :raises Invalid: for cost types and sub jobs."""
        by = self.access.user
        if self.segment.is_custom:
            return [segment_items.delete(self.segment, ids, by=by)]
        # Codes of several lists in one call are one transaction, which locks the lists in one
        # order.
        lists = self._lists(ids)
        return [code_services.delete(lists[0], ids, by=by, also=lists[1:])] if lists else []

    def switch_items(self, ids: Sequence[int], *, active: bool) -> list[BulkResult[Left]]:
        """Activate or deactivate items. :raises Invalid: for cost types and sub jobs."""
        by = self.access.user
        if self.segment.is_custom:
            act = segment_items.reactivate if active else segment_items.deactivate
            return [act(self.segment, ids, by=by)]
        switch = code_services.reactivate if active else code_services.deactivate
        lists = self._lists(ids)
        return [switch(lists[0], ids, by=by, also=lists[1:])] if lists else []

    def _lists(self, ids: Sequence[int]) -> list[CodeList]:
        """The lists of some codes. :raises Invalid: for cost types and sub jobs."""
        if self.segment.kind != Kind.COST_CODE:
            raise Invalid({"base": [ELSEWHERE]})
        rows = CostCode.objects.filter(account=self.access.account, pk__in=ids)
        return list(CodeList.objects.filter(pk__in=rows.values("list")))


class Items(ItemView):
    """The items of a segment.

    Cost types and sub jobs can be filtered by id only, and sorted by id and code only.
    """

    @answers(Page)
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """Return a page of items. For cost codes of the company, name the list, as in Procore."""
        is_code = self.segment.kind == Kind.COST_CODE
        # docs/design/procore-rest-resources.md, "Segment items". A project's codes need no list.
        if is_code and self.access.project is None and self.code_list() is None:
            raise Malformed({LIST: ["is missing: items of cost codes belong to lists"]})
        listing = TIERED if is_code or self.segment.is_custom else FLAT
        listing = OF_PROJECT if is_code and self.access.project else listing
        return listing.page(request, self.visible(), self.shape())


class CompanyItems(Items):
    """The items of a segment of the company.

    Cost types can be filtered by id only, and sorted by id and code only.
    """

    @takes(READERS | OF_LIST, required=["code", "name"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create an item. The body is not wrapped."""
        segment, by = self.segment, self.access.user
        self.may_change()
        code_list = self.code_list()
        values = self.values()
        missing = {name: ["is missing"] for name in ("code", "name") if name not in values}
        if missing:
            raise Invalid(missing)
        fields = {"code": values["code"], "description": values["name"], "by": by}
        parent = self._parent(values.get("parent_id"))
        created: CostCode | CostType | SegmentItem
        with refusals():
            if segment.kind == Kind.COST_CODE:
                if code_list is None:
                    raise Malformed({LIST: ["is missing"]})
                created = code_services.add(code_list, parent=parent, **fields)
            elif segment.kind == Kind.COST_TYPE:
                fields["label"] = fields.pop("description")
                # The call has no field for the base type.
                account, other = self.access.account, CostType.Base.OTHER
                created = cost_type_services.add(account, base_type=other, **fields)
            elif segment.is_custom:
                created = segment_items.add(segment, parent=parent, **fields)
            else:
                raise Invalid({"base": [ELSEWHERE]})
        return self.show(created.pk, 201)

    def _parent(self, pk: int | None) -> Any:
        if pk is None:
            return None
        # Through ``visible()``, so that a parent of another segment, list or account is not found.
        parent = self.visible().filter(pk=pk).first()
        if parent is None or isinstance(parent, CostType):
            raise Invalid({"parent_id": ["is not an item that can have others under it"]})
        return parent


class OneItem(ItemView, Shown[Item]):
    """An item of a segment."""


class OneCompanyItem(OneItem):
    """An item of a segment of the company."""

    @takes(READERS | OF_LIST)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change the code and name of an item."""
        stored = self.record(pk)
        self.may_change()
        values, by = self.values(), self.access.user
        # A client may send the whole item back, so the parent that it has is no error.
        if values.get("parent_id", stored_parent := getattr(stored, "parent_id", None)) != (
            stored_parent
        ):
            raise Invalid({"parent_id": ["cannot be changed: an item keeps its place"]})
        name_column = "label" if isinstance(stored, CostType) else "description"
        columns = {"code": "code", "name": name_column}
        changes = {columns[name]: value for name, value in values.items() if name in columns}
        with refusals():
            if isinstance(stored, CostType):
                cost_type_services.change(stored, values=changes, by=by)
            # API clients compare with If-Match, so the current revision counts as seen.
            elif isinstance(stored, CostCode):
                code_services.edit(stored, values=changes, seen=stored.revision, by=by)
            elif isinstance(stored, SegmentItem):
                segment_items.edit(stored, values=changes, seen=stored.revision, by=by)
        return self.show(pk)

    @answers(None, 204)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Delete an item that nothing uses. The response has no body."""
        stored = self.record(pk)
        self.may_change()
        with refusals():
            if isinstance(stored, CostType):
                cost_type_services.delete(stored, by=self.access.user)
            else:
                left = [item for result in self.delete_items([pk]) for item in result.refused]
                if left:
                    raise Invalid({"base": [left[0].why]})
        return JsonAnswer(None, 204)


class BulkDestroy(ItemView):
    """Delete many items of a segment in one call."""

    @takes(an_object({"ids": IDS} | OF_LIST_SCHEMA, ["ids"]))
    @answers(DeletedItems, 207)
    def delete(self, request: Request, **path: object) -> JsonAnswer:
        """Delete the items that nothing uses; returns which ones stay, and why."""
        ids = self.ids()
        self.may_change()
        existing = set(self.visible().filter(pk__in=ids).values_list("pk", flat=True))
        with refusals():
            results = self.delete_items(sorted(existing))
        why = {item.record_id: item.why for result in results for item in result.refused}
        why |= {pk: "Not found." for pk in ids if pk not in existing}
        return JsonAnswer(
            {
                "successes": [{"id": pk, "status": 204} for pk in ids if pk not in why],
                "failures": [
                    {
                        "id": pk,
                        "status": 422 if pk in existing else 404,
                        "errors": {"base": [why[pk]]},
                    }
                    for pk in ids
                    if pk in why
                ],
            },
            207,
        )


class UpdateAll(ItemView):
    """Change the status of many items of a segment in one call."""

    @takes(an_object(SWITCH | OF_LIST_SCHEMA, list(SWITCH)))
    @answers(None, 204)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Activate or deactivate items, all or none. The response has no body."""
        ids = self.ids()
        self.may_change()
        attributes = scope.body_of(request).get("attributes")
        status = attributes.get("status") if isinstance(attributes, Mapping) else None
        if not isinstance(status, str) or status not in STATUS:
            raise Malformed({"attributes": ["needs status: active or inactive"]})
        existing = set(self.visible().filter(pk__in=ids).values_list("pk", flat=True))
        if self.segment.kind not in (Kind.COST_CODE, Kind.CUSTOM):
            raise Invalid({"base": [ELSEWHERE]})
        if existing != set(ids):
            raise Invalid({"ids": [f"are not items here: {sorted(set(ids) - existing)[:10]}"]})
        active = STATUS[status]
        # An item that has the status already would be refused.
        to_switch = self.visible().filter(pk__in=ids).exclude(is_active=active)
        with refusals():
            results = self.switch_items(list(to_switch.values_list("pk", flat=True)), active=active)
            left = [item for result in results for item in result.refused]
            if left:
                raise Invalid({"ids": [f"{item.label}: {item.why}" for item in left[:10]]})
        return JsonAnswer(None, 204)
