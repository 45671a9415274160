"""``/line_item_types``: cost types (docs/design/procore-rest-resources.md, "Line item types").

As in Procore, the code is written as ``csv_import_code`` and returned as ``code``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.request import Request

from admin_wbs.api.cost_codes import schemas
from admin_wbs.cost_types import bulk_services as bulk_cost_type_services
from admin_wbs.models import CostType
from admin_wbs.rows import ValueRow
from admin_wbs.segments import default_structure
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.json_rows import JsonRows, OrNull
from erpbridge.rest import sync
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import ids, texts
from erpbridge.rest.requests.rows import MOST_ROWS
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, Query, Synced, answers, takes, takes_rows
from erpbridge.rest.sync import Records, SyncRow
from erpbridge.rest.views import Listed, Resource, Shown

WRAPPER = "line_item_type"


@bodies.reader({"enum": CostType.Base.values})
def base_type(value: object) -> str:
    """One of Procore's seven base types. :raises ValidationError: for any other value."""
    text = bodies.plain(value)
    if text not in CostType.Base.values:
        raise ValidationError(f"“{text[:50]}” is not one of: {', '.join(CostType.Base.values)}")
    return text


READERS = {
    "name": bodies.text(CostType, "label"),
    "csv_import_code": bodies.text(CostType, "code"),
    "origin_id": bodies.text(CostType, "origin_id"),
    "origin_data": bodies.text(CostType, "origin_data"),
    "base_type": base_type,
}
COLUMNS = {"name": "label", "csv_import_code": "code"}
FIELDS = {column: name for name, column in COLUMNS.items()}
cost_types = JsonRows(
    CostType,
    {
        "id": "pk",
        "name": "label",
        "code": "code",
        "base_type": "base_type",
        "origin_data": OrNull("origin_data"),
        "origin_id": OrNull("origin_id"),
    },
)


class CostTypeView(Resource[CostType]):
    """Cost types of the account. All its projects share them."""

    row_types = {"": schemas.LineItemType}
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
        """Check access in the company, or in the project if the call names one."""
        # Cost types are the account's, but people of a project read them with their rights there.
        self.of_project = scope.project_id(request, self.kwargs) is not None
        self.reads = Permission.PROJECT_CODES_VIEW if self.of_project else Permission.CODES_VIEW
        account = super().enter(request)
        # A writing call does it in its own transaction; see hold().
        if request.method not in scope.WRITES:
            default_structure.ensure(account)
        return account

    def hold(self) -> None:
        """Create the default cost types in the same transaction; a refused call leaves none."""
        super().hold()
        default_structure.ensure(self.access.account.pk)

    def visible(self) -> QuerySet[CostType]:
        """All cost types of the account."""
        return CostType.objects.filter(account=self.access.account)

    def shapes(self) -> Mapping[str, Shape]:
        """The only view."""
        return {"": cost_types}

    def write(self, pk: int | None = None) -> int:
        """Create a cost type, or change the one with this ``pk``.

        :raises Invalid: (422) with the errors by field.
        """
        return sync.store_one(CostTypeRecords(self.access), SyncRow(self.wrapped(WRAPPER), pk=pk))


class CostTypes(CostTypeView, Listed[CostType]):
    """The cost types of the account."""

    @takes(READERS, wrapped=WRAPPER, required=["name", "csv_import_code"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a cost type."""
        self.require(Permission.CODES_EDIT)
        return self.show(self.write(), 201)


class OneCostType(CostTypeView, Shown[CostType]):
    """A cost type."""

    @takes(READERS, wrapped=WRAPPER)
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change a cost type. The base type of a default one cannot change."""
        self.record(pk)
        self.require(Permission.CODES_EDIT)
        return self.show(self.write(pk))


class CostTypeSync(CostTypeView):
    """Create and update up to 1,000 cost types in one call."""

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create and update cost types. A row with errors does not stop the others."""
        self.require(Permission.CODES_EDIT)
        updates = scope.body_of(request).get("updates")
        return sync.answer(updates, CostTypeRecords(self.access), self.shape())


class CostTypeRecords(Records):
    """The cost types of an account, for :func:`erpbridge.rest.sync.answer`."""

    readers = READERS

    def __init__(self, access: Access) -> None:
        self.access = access

    def visible(self) -> QuerySet[CostType]:
        """The cost types of the account."""
        return CostType.objects.filter(account=self.access.account)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and change cost types."""
        pairs = [(row, _read(row)) for row in rows]
        good = [(row, record) for row, record in pairs if not row.errors]
        bulk_cost_type_services.store([record for _row, record in good], access=self.access)
        for row, record in good:
            row.pk = record.pk
            row.refuse({FIELDS.get(name, name): why for name, why in record.errors.items()})


def _read(row: SyncRow) -> ValueRow:
    values, errors = bodies.read(row.given, READERS)
    row.refuse(errors)
    return ValueRow({COLUMNS.get(name, name): value for name, value in values.items()}, pk=row.pk)
