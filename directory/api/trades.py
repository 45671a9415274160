"""Trades and departments of a company."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from rest_framework.request import Request

from directory.models import Department, Trade
from erpbridge.access.permissions import Permission
from erpbridge.audit.services import Note, Verb, note
from erpbridge.db.json_rows import JsonRows
from erpbridge.refusals import TAKEN
from erpbridge.rest.errors import Invalid
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.filters import contains, flag, ids, moments
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import One, answers, takes
from erpbridge.rest.views import Listed, Resource, Shown

N = TypeVar("N", Trade, Department)


class NamedView(Resource[N]):
    """Records of the company that consist of little more than a name."""

    reads = Permission.COMPANIES_VIEW
    word = ""
    model: type[N]
    readers: Mapping[str, bodies.Reader[object]]

    def visible(self) -> QuerySet[N]:
        """The records of the company."""
        return self.model._default_manager.filter(account=self.access.account)

    def read(self) -> bodies.Values:
        """Read the values of the body. :raises Invalid: with the errors by field."""
        values, errors = bodies.read(self.wrapped(self.word), self.readers)
        if errors:
            raise Invalid(errors)
        return values

    def store(self, row: Trade | Department, verb: Verb) -> int:
        """Save a record with its audit event. :raises Invalid: for a name that is taken."""
        # The reader refuses an empty name, so this is one that was not sent.
        if not row.name:
            raise Invalid({"name": ["can't be blank"]})
        try:
            with transaction.atomic():
                row.save()
                self._note_event(row, verb)
        # The name is unique by its folded form, so another spelling of it is taken as well.
        except IntegrityError:
            raise Invalid({"name": [TAKEN]}) from None
        return int(row.pk)

    def _note_event(self, row: Trade | Department, verb: Verb) -> None:
        """Write an audit event."""
        event = Note(self.word, row.pk, row.name, verb)
        note(self.access.account.pk, [event], by=self.access.user)


class TradeRow(TypedDict):
    """A trade."""

    id: int
    name: str
    active: bool
    updated_at: datetime


class DepartmentRow(TypedDict):
    """A department."""

    id: int
    name: str


TRADE = {"name": bodies.text(Trade, "name"), "active": bodies.flag}
DEPARTMENT = {"name": bodies.text(Department, "name")}
trades = JsonRows(
    Trade, {"id": "pk", "name": "name", "active": "is_active", "updated_at": "updated_at"}
)
departments = JsonRows(Department, {"id": "pk", "name": "name"})


class TradeView(NamedView[Trade]):
    """Trades of the company."""

    word = "trade"
    model = Trade
    readers = TRADE
    row_types = {"": TradeRow}
    listing = Listing(
        filters={
            "id": ids("pk"),
            "active": flag("is_active"),
            "query": contains("search_text"),
            "updated_at": moments("updated_at"),
        },
        sorts={"id": "pk", "name": "name"},
    )

    def shapes(self) -> Mapping[str, Shape]:
        """The only view."""
        return {"": trades}


class Trades(TradeView, Listed[Trade]):
    """The trades of the company."""

    @takes(TRADE, wrapped="trade", required=["name"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a trade."""
        # Trades need the right to edit companies, departments Admin on the account's Directory:
        # docs/design/permissions.md, "Where the sources are silent".
        self.require(Permission.COMPANIES_EDIT)
        values = self.read()
        row = Trade(
            account=self.access.account,
            name=values.get("name", ""),
            is_active=values.get("active", True),
        )
        return self.show(self.store(row, Verb.CREATED), 201)


class OneTrade(TradeView, Shown[Trade]):
    """A trade of the company."""


class DepartmentView(NamedView[Department]):
    """Departments of the company."""

    word = "department"
    model = Department
    readers = DEPARTMENT
    row_types = {"": DepartmentRow}
    listing = Listing(filters={"id": ids("pk")}, sorts={"id": "pk", "name": "name"})

    def shapes(self) -> Mapping[str, Shape]:
        """The only view."""
        return {"": departments}


class Departments(DepartmentView, Listed[Department]):
    """The departments of the company."""

    @takes(DEPARTMENT, wrapped="department", required=["name"])
    @answers(One, 201)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a department."""
        self.require(Permission.ACCOUNT_CONFIGURE)
        row = Department(account=self.access.account, name=self.read().get("name", ""))
        return self.show(self.store(row, Verb.CREATED), 201)


class OneDepartment(DepartmentView, Shown[Department]):
    """A department of the company."""

    @takes(DEPARTMENT, wrapped="department")
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Rename a department."""
        row = self.record(pk)
        self.require(Permission.ACCOUNT_CONFIGURE)
        row.name = self.read().get("name", row.name)
        return self.show(self.store(row, Verb.EDITED))

    @answers(None, 204)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Delete a department. The response has no body."""
        row = self.record(pk)
        self.require(Permission.ACCOUNT_CONFIGURE)
        # Before the deletion, which takes the id off the row.
        self._note_event(row, Verb.DELETED)
        row.delete()
        return JsonAnswer(None, 204)
