"""``/standard_cost_code_lists`` (docs/design/procore-rest-resources.md, "Standard cost codes")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.api.errors import refusals
from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList
from erpbridge.rest.deprecation import WORK_BREAKDOWN_STRUCTURE, deprecated
from erpbridge.rest.errors import Invalid
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.filters import contains, flag, ids
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Page, answers, takes
from erpbridge.rest.views import Resource, Shown

WRAPPER = "standard_cost_code_list"
READERS = {
    "name": bodies.text(CodeList, "name"),
    "is_erp_list": bodies.flag,
    "available_to_use_on_new_projects": bodies.flag,
}
ONE_WAY = "cannot be switched off: the list belongs to its ERP"
AFTERWARDS = "cannot be set on a new list: make the list, then PATCH it"
ERP_NAME = "cannot be changed: the list of a connected ERP keeps its name"


class CodeListView(Resource):
    """Lists of cost codes of the account."""

    reads = "codes.view"
    shown = {"": schemas.StandardCostCodeList}
    listing = Listing(
        filters={
            "id": ids("pk"),
            "name": contains("search_text"),
            "is_erp_list": flag("is_erp_list"),
        },
        sorts={"id": "pk", "name": "name"},
    )

    def found(self) -> QuerySet[CodeList]:
        """All lists of the account."""
        return CodeList.objects.visible_to(self.access).with_erp_flag()

    def shapes(self) -> Mapping[str, Shape]:
        """One shape."""
        return {"": code_lists}


class CodeLists(CodeListView):
    """The lists of cost codes."""

    @answers(Page)
    @deprecated(WORK_BREAKDOWN_STRUCTURE)
    def get(self, request: Request, **path: Any) -> JsonAnswer:
        """A page of them.

        Procore would have ``segments/{id}/lists`` in its place.
        """
        return self.page()

    @takes(READERS, wrapped=WRAPPER, required=["name"])
    @answers(One, 201)
    def post(self, request: Request, **path: Any) -> JsonAnswer:
        """A new list, which belongs to no ERP."""
        self.require("codes.edit")
        values, errors = bodies.read(self.wrapped(WRAPPER), READERS)
        if "name" not in values:
            errors.setdefault("name", ["is missing"])
        if values.get("is_erp_list"):
            errors["is_erp_list"] = [AFTERWARDS]
        if errors:
            raise Invalid(errors)
        with refusals():
            made = list_services.create(
                account=self.access.account,
                name=values["name"],
                by=self.access.user,
                for_new_projects=values.get("available_to_use_on_new_projects", True),
            )
        return self.show(made.pk, 201)


class OneCodeList(CodeListView, Shown):
    """A list of cost codes."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Rename it, or make it the ERP's; never the other way."""
        stored = self.one(pk)
        self.require("codes.edit")
        values, errors = bodies.read(self.wrapped(WRAPPER), READERS)
        if stored.is_erp and not values.get("is_erp_list", True):
            errors["is_erp_list"] = [ONE_WAY]
        if stored.connection_id and values.get("name", stored.name) != stored.name:
            errors["name"] = [ERP_NAME]
        if errors:
            raise Invalid(errors)
        columns = {"name": "name", "available_to_use_on_new_projects": "for_new_projects"}
        given = {columns[name]: value for name, value in values.items() if name in columns}
        with refusals():
            list_services.change(stored, values=given, by=self.access.user)
            if values.get("is_erp_list"):
                list_services.make_erp(stored, by=self.access.user)
        return self.show(pk)


def code_lists(pks: Sequence[int]) -> dict[int, Any]:
    """Lists as Procore shows them."""
    rows = CodeList.objects.filter(pk__in=pks)
    return {
        one.pk: {
            "id": one.pk,
            "name": one.name,
            "is_erp_list": one.is_erp,
            "available_to_use_on_new_projects": one.for_new_projects,
            "company_id": one.account_id,
        }
        for one in rows
    }
