"""``…/work_breakdown_structure/wbs_codes``: the budget codes of a project.

See docs/design/procore-rest-resources.md, "WBS codes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from admin_wbs.api.errors import refusals
from admin_wbs.api.projects import budget_code_serializer
from admin_wbs.api.segments.items import MOST_IDS, STATUS, SWITCH, status
from admin_wbs.api.segments.schemas import BudgetCode
from admin_wbs.models import WbsCode
from admin_wbs.models.querysets.budget_codes import WbsCodeQuerySet
from admin_wbs.projects import budget_codes
from admin_wbs.projects.budget_codes import ITEMS, WbsCodeRow
from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import LONGEST_SEARCH, clean, ids, moments, truth
from erpbridge.rest.requests.rows import MOST_ROWS, SentRow, many_answer, sent_objects
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Query, Schema, Synced, an_object, answers, takes
from erpbridge.rest.views import Listed, Resource, Shown

BULK = "bulk"
READERS = {"segment_id": bodies.whole, "segment_item_id": bodies.whole}
BUDGET, PRODUCTION = "budget_code", "production_quantity_code"
DESCRIPTION = bodies.text(WbsCode, "description")
ITEM = an_object({name: {"type": "integer"} for name in READERS}, list(READERS))
ROW = an_object(
    {
        ITEMS: {"type": "array", "items": ITEM, "minItems": 1},
        "description": dict(DESCRIPTION.schema),
    },
    [ITEMS],
)
ROWS = {"type": "array", "items": ROW, "maxItems": MOST_ROWS}
CHANGE: dict[str, Schema] = {
    "description": dict(DESCRIPTION.schema),
    "status": {"enum": list(STATUS)},
}


class WbsCodeView(Resource[WbsCode]):
    """Budget codes of a project."""

    reads = Permission.PROJECT_WBS_VIEW
    listing = Listing(
        filters={
            "id": ids("pk"),
            "status": status(),
            "created_at": moments("created_at"),
            "updated_at": moments("updated_at"),
        },
        sorts={"id": "pk", "updated_at": "updated_at"},
    )
    row_types = {"": BudgetCode}

    def visible(self) -> WbsCodeQuerySet:
        """The budget codes of the project."""
        return WbsCode.objects.visible_to(self.access)

    def shapes(self) -> Mapping[str, Shape]:
        """The only view."""
        return {"": partial(budget_code_serializer.budget_code_rows, self.project)}

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Lock the project, then the budget code."""
        yield Project.objects.filter(pk=self.project.pk)
        yield from super().holds()

    def store(self, rows: list[WbsCodeRow]) -> None:
        """Create budget codes, and change the descriptions of existing ones."""
        budget_codes.store(self.project, rows, by=self.access.user)


class WbsCodes(WbsCodeView, Listed[WbsCode]):
    """The budget codes of a project."""

    asks = (
        Query("query", {"type": "string"}, "Words to search for, in a list."),
        Query(
            "scope",
            {"enum": [BUDGET, PRODUCTION], "default": BUDGET},
            "What a list is of; there are no production quantities.",
        ),
        Query(
            "can_select_divisions",
            {"type": "boolean", "default": True},
            "False leaves those of divisions out of a list.",
        ),
    )

    def visible(self) -> WbsCodeQuerySet:
        """Apply ``query``, ``scope`` and ``can_select_divisions``."""
        query, codes = self.request.query_params, super().visible()
        if words := clean(query.get("query", ""))[:LONGEST_SEARCH]:
            codes = codes.search(words)
        code_scope = query.get("scope", BUDGET)
        if code_scope not in (BUDGET, PRODUCTION):
            raise Malformed({"scope": [f"must be {BUDGET} or {PRODUCTION}"]})
        # erpbridge has no production quantities, so that scope is always empty.
        codes = codes.none() if code_scope == PRODUCTION else codes
        try:
            divisions = truth(query.get("can_select_divisions") or "true")
        except ValueError as error:
            raise Malformed({"can_select_divisions": [str(error)]}) from error
        return codes if divisions else codes.without_divisions()

    @takes(ROW)
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a budget code. If the combination exists, its description is changed."""
        self.require(Permission.PROJECT_WBS_EDIT)
        row = _row(scope.body_of(request))
        self.store([row])
        if row.errors or row.pk is None:
            raise Invalid(row.errors)
        return self.show(row.pk, 201)


class OneWbsCode(WbsCodeView, Shown[WbsCode]):
    """A budget code."""

    @takes(an_object(CHANGE))
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change the description and status of a budget code. Its items cannot change."""
        stored = self.record(pk)
        self.require(Permission.PROJECT_WBS_EDIT)
        body = scope.body_of(request)
        description = _description(body)
        # The items are left out: a budget code is made of them, and keeps them for good.
        active = _active(body) if "status" in body else None
        with refusals():
            budget_codes.change(stored, description=description, active=active, by=self.access.user)
        return self.show(pk)


class BulkCreate(WbsCodeView):
    """Create many budget codes in one call."""

    @takes(an_object({BULK: ROWS}, [BULK]))
    @answers(Synced, 201)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create up to 1,000 budget codes. A row with errors does not stop the others."""
        self.require(Permission.PROJECT_WBS_EDIT)
        rows = [SentRow(given) for given in sent_objects(scope.body_of(request).get(BULK), BULK)]
        code_rows = [_row_or_errors(row.given) for row in rows]
        # Both lists have one order: what ``store`` finds out is noted on the rows of the second.
        self.store([row for row in code_rows if not row.errors])
        for row, code_row in zip(rows, code_rows, strict=True):
            row.pk = code_row.pk
            row.refuse(code_row.errors)
        return many_answer(rows, self.shape(), status=201)


class UpdateAllWbsCodes(WbsCodeView):
    """Change the status of many budget codes in one call."""

    @takes(an_object(SWITCH, list(SWITCH)))
    @answers(None, 204)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Activate or deactivate budget codes, all or none. The response has no body."""
        self.require(Permission.PROJECT_WBS_EDIT)
        body = scope.body_of(request)
        values, errors = bodies.read(body, {"ids": bodies.wholes})
        pks = values.get("ids", [])
        if not errors and not 0 < len(pks) <= MOST_IDS:
            errors = {"ids": [f"must hold 1 to {MOST_IDS:,} ids"]}
        attributes = body.get("attributes")
        if not isinstance(attributes, Mapping):
            attributes, errors["attributes"] = {}, ["must be an object with status"]
        if errors:
            raise Malformed(errors)
        active = _active(attributes)
        # The service names the ids that are not the project's.
        with refusals(**{"": "ids"}):
            budget_codes.switch(self.project, pks, active=active, by=self.access.user)
        return JsonAnswer(None, 204)


def _active(body: Mapping[str, object]) -> bool:
    """Read the status. :raises Invalid: if it is neither active nor inactive."""
    word = body.get("status")
    if not isinstance(word, str) or word not in STATUS:
        raise Invalid({"status": ["must be active or inactive"]})
    return STATUS[word]


def _row_or_errors(body: Mapping[str, object]) -> WbsCodeRow:
    """Read one row of a bulk call; keep its errors with it instead of raising."""
    try:
        return _row(body)
    except Invalid as error:
        return WbsCodeRow([], errors=error.errors)


def _row(body: Mapping[str, object]) -> WbsCodeRow:
    """:raises Invalid: for missing or malformed items."""
    items = body.get(ITEMS)
    if not isinstance(items, list) or not items:
        raise Invalid({ITEMS: ["is missing" if items in (None, []) else "must be a list"]})
    pairs: list[tuple[int, int]] = []
    for pair in items:
        # What could not be read is missing, which the message below says.
        values, _errors = bodies.read(pair if isinstance(pair, Mapping) else {}, READERS)
        segment, item = (values.get(name) for name in READERS)
        if segment is None or item is None:
            raise Invalid({ITEMS: ["needs segment_id and segment_item_id in each object"]})
        pairs.append((segment, item))
    return WbsCodeRow(pairs, _description(body))


def _description(body: Mapping[str, object]) -> str | None:
    """:raises Invalid: for a description that is not text, or is too long."""
    values, errors = bodies.read(body, {"description": DESCRIPTION})
    if errors:
        raise Invalid(errors)
    return values.get("description")
