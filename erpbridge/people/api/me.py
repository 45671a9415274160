"""``/me``, ``/companies`` and ``/companies/{id}/me``.

See docs/design/procore-rest-conventions.md, "OAuth", and
docs/design/procore-rest-resources.md, "Companies and projects".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from django.db.models import QuerySet
from rest_framework.request import Request

from erpbridge.access.levels import Tool
from erpbridge.access.models import Account, Membership
from erpbridge.people.api import user_schemas
from erpbridge.people.api.user_serializer import user
from erpbridge.rest.authentication import application_of, person_of
from erpbridge.rest.pagination import Listing
from erpbridge.rest.requests import scope
from erpbridge.rest.requests.filters import contains, ids
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import Page, Query, answers
from erpbridge.rest.views import RestView, ScopedView

COMPANIES = Listing(
    filters={"id": ids("pk"), "name": contains("search_text")}, sorts={"id": "pk", "name": "name"}
)
NAMED_SCOPE = "Ask for the name too."


class Caller(TypedDict):
    """The caller. ``name`` is present only if a company or project is given."""

    id: int
    login: str
    name: NotRequired[str]


class CompanyRow(TypedDict):
    """A company that the caller can access."""

    id: int
    name: str
    is_active: bool
    logo_url: None
    pcn_business_experience: None
    my_company: bool


class Me(RestView):
    """The caller of the API.

    The name is included only if ``company_id`` or ``project_id`` is given, as in Procore.
    """

    asks = (
        Query("company_id", {"type": "integer"}, NAMED_SCOPE),
        Query("project_id", {"type": "integer"}, NAMED_SCOPE),
    )

    @answers(Caller)
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """Show the caller's id and login."""
        body = {"id": person_of(request).pk, "login": person_of(request).email}
        query = request.query_params
        if query.get("company_id") or query.get("project_id"):
            of_project = not query.get("company_id")
            scope.access_to(request, path, of_project=of_project)
            body["name"] = person_of(request).name
        return JsonAnswer(body)


class Companies(RestView):
    """Companies that the caller can access with this application."""

    listing = COMPANIES
    row_types = {"": CompanyRow}

    @answers(Page)
    def get(self, request: Request) -> JsonAnswer:
        """List them."""
        return self.listing.page(request, self._found(request), _companies)

    def _found(self, request: Request) -> QuerySet[Account]:
        visible = Account.objects.visible_to(person_of(request))
        # An application belongs to one company, so there is never more than one.
        return visible.filter(pk=application_of(request).account_id)


def _companies(pks: Sequence[int]) -> dict[int, dict[str, object]]:
    return {
        account.pk: {
            "id": account.pk,
            "name": account.name,
            "is_active": True,
            "logo_url": None,
            "pcn_business_experience": None,
            "my_company": True,
        }
        for account in Account.objects.filter(pk__in=pks)
    }


class CompanyMe(ScopedView):
    """The caller as a user of the company."""

    @answers(user_schemas.CompanyMe)
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """Show the user with the permission levels."""
        member = self.access.membership
        return JsonAnswer(user(member) | {"permission_levels": _levels(member)})


def _levels(member: Membership) -> Mapping[str, str]:
    """Return the effective levels: Admin on Directory is Admin in all tools."""
    return {tool.value: member.level(tool).label for tool in Tool}
