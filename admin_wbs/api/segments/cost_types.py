"""``/line_item_types``: cost types (docs/design/procore-rest-resources.md, "Line item types").

Written as ``csv_import_code``, answered as ``code``; so Procore has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.cost_types import bulk_services as bulk_cost_type_services
from admin_wbs.models import CostType
from admin_wbs.rows import Row
from admin_wbs.segments import default_structure
from erpbridge.access.policy import Access
from erpbridge.rest import sync
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import ids, texts
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Query, Synced, answers, takes, takes_rows
from erpbridge.rest.sync import MOST_ROWS, Records, SyncRow
from erpbridge.rest.views import Listed, Resource, Shown

WRAPPER = "line_item_type"


@bodies.reader({"enum": CostType.Base.values})
def base_type(value: Any) -> str:
    """One of Procore's seven. :raises ValidationError:"""
    found = bodies.plain(value)
    if found not in CostType.Base.values:
        raise ValidationError(f"“{found[:50]}” is not one of: {', '.join(CostType.Base.values)}")
    return found


READERS = {
    "name": bodies.text(CostType, "label"),
    "csv_import_code": bodies.text(CostType, "code"),
    "origin_id": bodies.text(CostType, "origin_id"),
    "origin_data": bodies.text(CostType, "origin_data"),
    "base_type": base_type,
}
COLUMNS = {"name": "label", "csv_import_code": "code"}
FIELDS = {column: name for name, column in COLUMNS.items()}


class CostTypeView(Resource):
    """Cost types of the account, which its projects share."""

    shown = {"": schemas.LineItemType}
    asks = [
        Query("project_id", schemas.ID, "A project, in which the caller's rights are asked for.")
    ]
    listing = Listing(
        filters={
            "id": ids("pk"),
            "origin_id": texts("origin_id"),
            "base_type": texts("base_type"),
            "code": texts("code"),
        },
        sorts={"id": "pk", "name": "label", "code": "code"},
    )

    def enter(self, request: Request) -> int:
        """In the company, or where a project is named, in its eyes."""
        self.of_project = scope.project_id(request, self.kwargs) is not None
        self.reads = "project_codes.view" if self.of_project else "codes.view"
        account = super().enter(request)
        if request.method not in scope.WRITES:
            default_structure.ensure(account)
        return account

    def hold(self) -> None:
        """With what every account begins with, which a refused call leaves no trace of."""
        super().hold()
        default_structure.ensure(self.access.account.pk)

    def found(self) -> QuerySet[CostType]:
        """All of the account."""
        return CostType.objects.filter(account=self.access.account)

    def shapes(self) -> Mapping[str, Shape]:
        """One shape."""
        return {"": cost_types}

    def write(self, pk: int | None = None) -> int:
        """Create, or change ``pk``. :raises Invalid: 422 with what is wrong."""
        return sync.store_one(CostTypeRecords(self.access), SyncRow(self.wrapped(WRAPPER), pk))


class CostTypes(CostTypeView, Listed):
    """The cost types."""

    @takes(READERS, wrapped=WRAPPER, required=["name", "csv_import_code"])
    @answers(One, 201)
    def post(self, request: Request, **path: Any) -> JsonAnswer:
        """A further one."""
        self.require("codes.edit")
        return self.show(self.write(), 201)


class OneCostType(CostTypeView, Shown):
    """A cost type."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Change it; of a default one all but the base type."""
        self.one(pk)
        self.require("codes.edit")
        return self.show(self.write(pk))


class CostTypeSync(CostTypeView):
    """Up to 1,000 cost types in one call."""

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: Any) -> JsonAnswer:
        """Create and update; each row has its own fate."""
        self.require("codes.edit")
        updates = scope.body_of(request).get("updates")
        return sync.answer(updates, CostTypeRecords(self.access), self.shape())


class CostTypeRecords(Records):
    """The cost types of an account, for :func:`erpbridge.rest.sync.answer`."""

    readers = READERS

    def __init__(self, access: Access) -> None:
        self.access = access

    def found(self) -> QuerySet[CostType]:
        """Those of the account."""
        return CostType.objects.filter(account=self.access.account)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and change."""
        wanted = [(row, _read(row)) for row in rows]
        good = [(row, one) for row, one in wanted if not row.errors]
        bulk_cost_type_services.store([one for _row, one in good], access=self.access)
        for row, one in good:
            row.pk = one.pk
            row.refuse({FIELDS.get(name, name): why for name, why in one.errors.items()})


def _read(row: SyncRow) -> Row:
    values, errors = bodies.read(row.given, READERS)
    row.refuse(errors)
    return Row(row.pk, {COLUMNS.get(name, name): one for name, one in values.items()})


def cost_types(pks: Sequence[int]) -> dict[int, Any]:
    """Cost types as Procore shows them."""
    rows = CostType.objects.filter(pk__in=pks)
    return {
        one.pk: {
            "id": one.pk,
            "name": one.label,
            "code": one.code,
            "base_type": one.base_type,
            "origin_data": one.origin_data or None,
            "origin_id": one.origin_id or None,
        }
        for one in rows
    }
