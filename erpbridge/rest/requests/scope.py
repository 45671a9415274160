"""Which company, and which project, a call is about; resolved with the caller's rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from rest_framework.request import Request

from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.access.scoping import resolve
from erpbridge.rest.authentication import application_of, person_of
from erpbridge.rest.errors import ApiError, Malformed
from erpbridge.rest.requests.parameters import whole_number

HEADER = "Procore-Company-Id"
MISSING = (
    "Missing Procore-Company-Id header! Send the id of the company in this header, "
    "or as company_id in the path, the query or the body."
)
NOT_CONNECTED = "App is not connected to this company."
WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


def body_of(request: Request) -> Mapping[str, Any]:
    """The body of a writing call where it is an object; nothing for a call without one."""
    if request.method not in WRITES:
        return {}
    return request.data if isinstance(request.data, Mapping) else {}


def company_id(request: Request, path: Mapping[str, Any]) -> int | None:
    """The company that a call names, None where it names none.

    :raises Malformed: where it names two, or something that is no id.
    """
    named = {
        f"header {HEADER}": request.headers.get(HEADER),
        "path": path.get("company_id"),
        "query": request.query_params.get("company_id"),
        "body": body_of(request).get("company_id"),
    }
    given = {
        place: whole_number(value, "company_id")
        for place, value in named.items()
        if value not in (None, "")
    }
    if len(set(given.values())) > 1:
        words = ", ".join(f"{place} says {value}" for place, value in given.items())
        raise Malformed({"company_id": [f"names different companies: {words}"]})
    return next(iter(given.values()), None)


def project_id(request: Request, path: Mapping[str, Any]) -> int | None:
    """The project in the path, the query or the body, in this order."""
    for place in (path, request.query_params, body_of(request)):
        value = place.get("project_id")
        if value not in (None, ""):
            return whole_number(value, "project_id")
    return None


def access_to(request: Request, path: Mapping[str, Any], *, of_project: bool = False) -> Access:
    """The caller's rights in the company, or with ``of_project`` in the project, of a call.

    A project names its company, for clients that send none.

    :raises Malformed: where the company, or the project, is missing.
    :raises Http404: for what the caller may not see, as for what does not exist.
    :raises ApiError: 403 for a company that the application is not connected to.
    """
    project = project_id(request, path) if of_project or "project_id" in path else None
    if of_project and project is None:
        raise Malformed({"project_id": ["is missing"]})
    company = company_id(request, path)
    if company is None and project is not None:
        company = Project.objects.filter(pk=project).values_list("account", flat=True).first()
        if company is None:
            raise Http404
    if company is None:
        raise ApiError(400, MISSING)
    access = resolve(person_of(request), company, project)
    if application_of(request).account_id != access.account.pk:
        raise ApiError(403, [NOT_CONNECTED])
    return access
