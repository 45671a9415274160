"""``/standard_cost_code_lists`` (docs/design/procore-rest-resources.md, "Standard cost codes")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import QuerySet
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.api.errors import refusals
from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList
from erpbridge.access.permissions import Permission
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


class CodeListView(Resource[CodeList]):
    """Cost code lists of the account."""

    reads = Permission.CODES_VIEW
    row_types = {"": schemas.StandardCostCodeList}
    listing = Listing(
        filters={
            "id": ids("pk"),
            "name": contains("search_text"),
            "is_erp_list": flag("is_erp_list"),
        },
        sorts={"id": "pk", "name": "name"},
    )

    def visible(self) -> QuerySet[CodeList]:
        """All lists of the account."""
        return CodeList.objects.visible_to(self.access).with_erp_flag()

    def shapes(self) -> Mapping[str, Shape]:
        """The only view."""
        return {"": code_lists}


class CodeLists(CodeListView):
    """The cost code lists of the account."""

    @answers(Page)
    @deprecated(WORK_BREAKDOWN_STRUCTURE)
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """Return a page of cost code lists.

        In Procore, ``segments/{id}/lists`` replaces this call.
        """
        return self.page()

    @takes(READERS, wrapped=WRAPPER, required=["name"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a list. It does not belong to an ERP."""
        self.require(Permission.CODES_EDIT)
        values, errors = bodies.read(self.wrapped(WRAPPER), READERS)
        # The reader has noted an error of its own for a name that was sent and is wrong.
        if "name" not in values:
            errors.setdefault("name", ["is missing"])
        if values.get("is_erp_list"):
            # Procore switches it on by PATCH only: docs/design/procore-rest-resources.md, "Standard
            # cost codes".
            errors["is_erp_list"] = [AFTERWARDS]
        if errors:
            raise Invalid(errors)
        with refusals():
            created = list_services.create(
                account=self.access.account,
                name=values["name"],
                by=self.access.user,
                for_new_projects=values.get("available_to_use_on_new_projects", True),
            )
        return self.show(created.pk, 201)


class OneCodeList(CodeListView, Shown[CodeList]):
    """A list of cost codes."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Rename a list, or make it the ERP's. An ERP list cannot be made an ordinary one."""
        stored = self.record(pk)
        self.require(Permission.CODES_EDIT)
        values, errors = bodies.read(self.wrapped(WRAPPER), READERS)
        if stored.is_erp and not values.get("is_erp_list", True):
            errors["is_erp_list"] = [ONE_WAY]
        # A client may send the whole list back, so an unchanged name is no error.
        if stored.connection_id and values.get("name", stored.name) != stored.name:
            errors["name"] = [ERP_NAME]
        if errors:
            raise Invalid(errors)
        columns = {"name": "name", "available_to_use_on_new_projects": "for_new_projects"}
        changes = {columns[name]: value for name, value in values.items() if name in columns}
        with refusals():
            list_services.change(stored, values=changes, by=self.access.user)
            # Renamed before, because the list of a connected ERP keeps its name.
            if values.get("is_erp_list"):
                list_services.make_erp(stored, by=self.access.user)
        return self.show(pk)


def code_lists(pks: Sequence[int]) -> dict[int, object]:
    """Lists in Procore's format."""
    rows = CodeList.objects.filter(pk__in=pks)
    return {
        code_list.pk: {
            "id": code_list.pk,
            "name": code_list.name,
            "is_erp_list": code_list.is_erp,
            "available_to_use_on_new_projects": code_list.for_new_projects,
            "company_id": code_list.account_id,
        }
        for code_list in rows
    }
