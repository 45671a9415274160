"""``/standard_cost_codes``: the codes of a list.

See docs/design/procore-rest-resources.md, "Standard cost codes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.api.cost_codes.schemas import LIST
from admin_wbs.api.cost_codes.sync import READERS, opened
from admin_wbs.api.errors import refusals
from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.db.json_rows import JsonRows, OrNull
from erpbridge.rest import sync
from erpbridge.rest.deprecation import WORK_BREAKDOWN_STRUCTURE, deprecated
from erpbridge.rest.errors import ApiError, Invalid, Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import scope
from erpbridge.rest.requests.filters import flag, ids, moments, search, texts, truth
from erpbridge.rest.requests.parameters import whole_number
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Query, Synced, answers, takes
from erpbridge.rest.sync import SyncRow
from erpbridge.rest.views import Listed, Resource, Shown

WRAPPER = "standard_cost_code"
ONLY_ERP = (
    "A standard cost code can be deleted over the API in an ERP's list only. "
    "Deactivate or delete it on the page of its list."
)
ONLY_ACTIVE = Query(
    "only_active_cost_codes", {"type": "boolean"}, "true: without the inactive codes."
)
SHAPES: Mapping[str, Shape] = {
    # ``code`` is the code's own tier, ``full_code`` includes its parents.
    "extended": JsonRows(
        CostCode,
        {
            "id": "pk",
            LIST: "list_id",
            "parent_id": "parent_id",
            "code": "code",
            "full_code": "full_code",
            "name": "description",
            "origin_data": OrNull(sendable.text_at("origin_data")),
            "origin_id": OrNull("origin_id"),
        },
    ),
    "compact": JsonRows(CostCode, {"id": "pk", LIST: "list_id", "origin_id": OrNull("origin_id")}),
    "default": JsonRows(CostCode, {"id": "pk", LIST: "list_id"}),
}


class CodeView(Resource[CostCode]):
    """Cost codes of one list. Every call names the list."""

    reads = Permission.CODES_VIEW
    asks = [schemas.IN_LIST]
    default_view = "extended"
    row_types = {
        "extended": schemas.StandardCostCode,
        "compact": schemas.StandardCostCodeCompact,
        "default": schemas.StandardCostCodeId,
    }
    listing = Listing(
        filters={
            "id": ids("pk"),
            "parent_id": ids("parent"),
            "origin_id": texts("origin_id"),
            "active": flag("is_active"),
            "search": search(lambda codes, words: codes.search(words)),
            "created_at": moments("created_at"),
            "updated_at": moments("updated_at"),
        },
        sorts={
            "id": "pk",
            "code": "sort_path",
            "full_code": "sort_path",
            "name": "description",
            "updated_at": "updated_at",
        },
    )

    def code_list(self) -> CodeList:
        """Return the list that the call names.

        :raises Malformed: if the call names no list.
        :raises Http404: if the account has no such list.
        """
        request = self.request
        # A writing call names the list beside the wrapped code, a reading one in the query.
        list_id = scope.body_of(request).get(LIST) or request.query_params.get(LIST)
        if list_id in (None, ""):
            raise Malformed({LIST: ["is missing"]})
        rows = CodeList.objects.visible_to(self.access)
        code_list = rows.filter(pk=whole_number(list_id, LIST)).first()
        if code_list is None:
            raise Http404
        return code_list

    def visible(self) -> QuerySet[CostCode]:
        """The codes of the list."""
        return self.code_list().codes.all()

    def shapes(self) -> Mapping[str, Shape]:
        """The three views; ``extended`` is the default."""
        return SHAPES

    def write(
        self, code_list: CodeList, values: Mapping[str, object], pk: int | None = None
    ) -> int:
        """Create a code, or change the one with this ``pk``.

        :raises Invalid: (422) with the errors by field.
        """
        with refusals(), opened(code_list, self.access) as records:
            return sync.store_one(records, SyncRow(values, pk=pk))


class Codes(CodeView, Listed[CostCode]):
    """The cost codes of a list."""

    asks = [schemas.IN_LIST, ONLY_ACTIVE]

    def visible(self) -> QuerySet[CostCode]:
        """The codes of the list, without inactive ones if the caller asks for that."""
        codes = super().visible()
        only_active = self.request.query_params.get("only_active_cost_codes", "")
        try:
            return codes.filter(is_active=True) if only_active and truth(only_active) else codes
        except ValueError as error:
            raise Malformed({"only_active_cost_codes": [str(error)]}) from error

    @takes(schemas.in_list(READERS, wrapped=WRAPPER, required=["code", "name"]))
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a cost code."""
        code_list = self.code_list()
        self.require(Permission.CODES_EDIT)
        # With an id, the row would be matched with a stored code.
        values = {name: value for name, value in self.wrapped(WRAPPER).items() if name != "id"}
        return self.show(self.write(code_list, values), 201)


class CompanyCodes(CodeView, Listed[CostCode]):
    """The cost codes of every list of the company, for clients that name no list."""

    asks = []

    def visible(self) -> QuerySet[CostCode]:
        """All codes that the caller can see."""
        return CostCode.objects.visible_to(self.access)


class ListCodes(Codes):
    """The cost codes of the list in the path."""

    asks = [ONLY_ACTIVE]

    def code_list(self) -> CodeList:
        """Return the list in the path. :raises Http404: if the caller cannot see it."""
        code_list = CodeList.objects.visible_to(self.access).filter(pk=self.kwargs["pk"]).first()
        if code_list is None:
            raise Http404
        return code_list


class OneCode(CodeView, Shown[CostCode]):
    """A cost code of a list."""

    def record(self, pk: int) -> CostCode:
        """Return the code; only a DELETE may omit the list.

        :raises Http404: if the caller cannot see the code.
        """
        named = scope.body_of(self.request).get(LIST) or self.request.query_params.get(LIST)
        if named or self.request.method != "DELETE":
            code: CostCode = super().record(pk)
            return code
        codes = CostCode.objects.visible_to(self.access).select_related("list")
        stored = codes.filter(pk=pk).first()
        if stored is None:
            raise Http404
        return stored

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Lock the list, the connections (the call may also link the code), then the code."""
        yield CodeList.objects.filter(pk=self.record(self.kwargs["pk"]).list_id)
        yield sendable.connections_of(self.access.account.pk)
        yield from super().holds()

    @takes(schemas.in_list(READERS, wrapped=WRAPPER))
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change a cost code. :raises ApiError: 409 while it waits for accounting."""
        stored = self.record(pk)
        self.require(Permission.CODES_EDIT)
        # Checked here, because store_one() would report the lock as 422.
        lock = sendable.lock(list_services.CODE, stored)
        if lock is not None:
            raise ApiError(409, {"base": [lock.message]})
        return self.show(self.write(stored.list, self.wrapped(WRAPPER), pk))

    @answers(One)
    @deprecated(WORK_BREAKDOWN_STRUCTURE)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Delete a cost code of an ERP's list that was never used, and return it as it was.

        In Procore, the segment item is deleted instead.
        """
        stored = self.record(pk)
        self.require(Permission.CODES_EDIT)
        # docs/design/procore-rest-resources.md, "Standard cost codes".
        if not stored.list.is_erp:
            raise Invalid({"base": [ONLY_ERP]})
        # Now, because there is nothing to show afterwards.
        response = self.show(pk)
        with refusals():
            result = code_services.delete(stored.list, [pk], by=self.access.user)
        if result.refused:
            raise Invalid({"base": [result.refused[0].why]})
        return response


class CodeSync(CodeView):
    """Create and update up to 1,000 codes of a list in one call."""

    @takes(schemas.rows_in_list(READERS))
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create and update cost codes. A row with errors does not stop the other rows."""
        code_list = self.code_list()
        self.require(Permission.CODES_EDIT)
        updates = scope.body_of(request).get("updates")
        # What is refused without a field concerns the list as a whole, such as one that is
        # read-only.
        with refusals(**{"": LIST}), opened(code_list, self.access) as records:
            return sync.answer(updates, records, self.shape())
