"""Users of a company or of a project (docs/design/procore-rest-resources.md, "Users").

A user is a person of the account. Its id is that of the login, as in ``/me``. Service accounts are
not listed, as on the page *People*.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpResponse
from rest_framework.request import Request

from erpbridge.access.models import Membership
from erpbridge.access.permissions import Permission
from erpbridge.access.querysets import people_matching
from erpbridge.people.api import user_schemas, user_serializer
from erpbridge.people.api.user_writes import OF_LEVELS, READERS, UserWrites
from erpbridge.rest import sync
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import scope
from erpbridge.rest.requests.filters import (
    contains,
    filtering,
    flag,
    ids,
    moments,
    numbers,
    search,
    texts,
    truth,
)
from erpbridge.rest.requests.rows import MOST_ROWS
from erpbridge.rest.responses import JsonAnswer, etag
from erpbridge.rest.schema.operations import (
    One,
    Page,
    Synced,
    an_object,
    answers,
    body_of,
    takes,
    takes_rows,
)
from erpbridge.rest.views import Listed, Resource, Shown

ACTIVE = Q(is_active=True, user__is_active=True)


@filtering("true or false.")
def _active(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    return queryset.filter(ACTIVE if truth(values[-1]) else ~ACTIVE)


@filtering("Ids: whole numbers. Users have none here, so no user matches.")
def _of_nobody(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    """Match nobody: users have no vendor, trade or template here."""
    # Still validates the ids, as a real filter would.
    numbers(values)
    return queryset.none()


@filtering("true or false.")
def _employees(queryset: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    return queryset if truth(values[-1]) else queryset.none()


LISTING = Listing(
    filters={
        "id": ids("user"),
        "active": _active,
        "employee": _employees,
        "erp_integrated_accountant": flag("can_push_to_accounting"),
        "origin_id": texts("origin_id"),
        "search": search(lambda rows, words: rows.filter(people_matching(words))),
        "search_by_full_name": contains("user__name_text"),
        "created_at": moments("user__created_at"),
        "updated_at": moments("updated_at"),
        **dict.fromkeys(("vendor_id", "trade_id", "permission_template"), _of_nobody),
    },
    sorts={
        "id": "user",
        "email": "user__email",
        "job_title": "job_title",
        "created_at": "user__created_at",
        "updated_at": "updated_at",
        # All users are equal in these Procore sorts, so that the name decides.
        **dict.fromkeys(("name", "full_name", "vendor_name", "permission_template"), "user__name"),
    },
)


class UserView(Resource[Membership]):
    """Users of the company or of a project."""

    reads = Permission.PEOPLE_VIEW
    listing = LISTING
    default_view = "extended"
    row_types = user_schemas.ROW_TYPES

    def visible(self) -> QuerySet[Membership]:
        """Return the users, including inactive ones and those who have not joined yet."""
        people = Membership.objects.people().filter(account=self.access.account)
        project = self.access.project
        return people if project is None else people.filter(projects__project=project)

    def shapes(self) -> Mapping[str, Shape]:
        """Return the shapes, which are the same in all versions."""
        return user_serializer.shapes(self.access.project)

    def record(self, pk: int) -> Membership:
        """Return the user with this id.

        :raises Http404: when the caller can see no such user.
        """
        member = self.visible().select_related("user").filter(user=pk).first()
        if member is None:
            raise Http404
        return member

    def writes(self) -> UserWrites:
        """Return the service that saves users.

        :raises PermissionDenied: 403 when the caller may not manage people.
        """
        self.require(Permission.PEOPLE_MANAGE)
        return UserWrites(self.access, self.visible())


class Users(UserView):
    """Active users."""

    default_view = "normal"

    @answers(Page)
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """List them."""
        return self.listing.page(request, self.visible().filter(ACTIVE), self.shape())

    @takes(READERS, wrapped="user", required=["email_address"])
    @answers(user_schemas.CompanyUser, 201, tagged=True)
    def post(self, request: Request, **path: object) -> JsonAnswer:
        """Create a user, on a project also in the company."""
        pk = self.writes().write(self.wrapped("user"), None)
        return JsonAnswer(self.shapes()["extended"]([pk])[pk], 201)


class AllUsers(Users):
    """All users, active and inactive.

    ``filters[active]`` limits the list to active or inactive users.
    """

    @answers(Page)
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """List them."""
        return self.page()


class OneUser(UserView, Shown[Membership]):
    """A user, active or inactive."""

    @takes(READERS, wrapped="user")
    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change the fields that are sent."""
        member = self.record(pk)
        writes = self.writes()
        shape = self.shape()
        writes.write(self.wrapped("user"), member)
        return JsonAnswer(shape([member.pk])[member.pk])


class InactiveUsers(UserView, Listed[Membership]):
    """Inactive users."""

    default_view = "normal"

    def visible(self) -> QuerySet[Membership]:
        """Return the users without the active ones."""
        return super().visible().exclude(ACTIVE)


class OneInactiveUser(InactiveUsers):
    """An inactive user."""

    # Without the GET of the list that this derives from.
    http_method_names = ["patch", "options"]

    def current(self) -> JsonAnswer:
        """Return the user as ``users/{id}`` does, since this path has no GET."""
        return self._as_user(self.record(self.kwargs["pk"]).pk)

    def tag(self, response: HttpResponse) -> str:
        """Return the ETag of ``users/{id}``."""
        member = self.access.account.memberships.get(user=self.kwargs["pk"])
        return etag(self._as_user(member.pk).content)

    def _as_user(self, pk: int) -> JsonAnswer:
        view_name = self.request.query_params.get("view") or OneUser.default_view
        return JsonAnswer(self.shapes()[view_name]([pk])[pk])

    @answers(One)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Reactivate the user."""
        member = self.record(pk)
        self.writes().write({"is_active": True}, member)
        return self.show(member.pk)


class SyncUsers(UserView):
    """Users in bulk, up to 1,000 rows.

    Each row is saved independently. The response has the saved users, and the rejected rows with
    their errors.
    """

    @takes_rows(READERS, most=MOST_ROWS)
    @answers(Synced)
    def patch(self, request: Request, **path: object) -> JsonAnswer:
        """Create and update users."""
        updates = scope.body_of(request).get("updates")
        # In one transaction the view has taken the lock already.
        hold = self.hold if self.lasts_long() else None
        return sync.answer(updates, self.writes(), self.shape(), hold=hold)

    def lasts_long(self) -> bool:
        """Whether there is more than one batch of rows; creating a user is slow."""
        updates = scope.body_of(self.request).get("updates")
        return isinstance(updates, list) and len(updates) > sync.BATCH


class AddUser(UserView):
    """A user of the project.

    For a user who is on the project already, only the levels that are sent change.
    """

    def compares(self, variables: Collection[str]) -> bool:
        """False: the user is not on the project yet, so there is no state to compare."""
        return False

    @takes(an_object({"user": body_of(OF_LEVELS, ())}))
    @answers(One, 201)
    def post(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Add an active user of the company."""
        writes = self.writes()
        fields = self.wrapped("user") if "user" in scope.body_of(request) else {}
        # Not ``visible()``, which holds only who is on the project already.
        people = Membership.objects.people().filter(ACTIVE, account=self.access.account)
        member = people.filter(user=pk).first()
        if member is None:
            raise Http404
        writes.add_to_project(member, fields)
        return self.show(member.pk, 201)


class RemoveUser(UserView):
    """A user of the project.

    The user stays in the company.
    """

    @answers(None, 204)
    def delete(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Remove the user from the project."""
        member = self.record(pk)
        self.writes().take_off_project(member)
        return JsonAnswer(None, 204)
