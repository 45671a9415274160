"""The company and project of a call, resolved with the caller's rights."""

from __future__ import annotations

from collections.abc import Mapping

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


def body_of(request: Request) -> Mapping[str, object]:
    """Return the body of a writing call if it is an object, else an empty mapping."""
    if request.method not in WRITES:
        return {}
    return request.data if isinstance(request.data, Mapping) else {}


def company_id(request: Request, path: Mapping[str, object]) -> int | None:
    """Return the company that a call names, or None.

    :raises Malformed: when it names several companies, or an invalid id.
    """
    named = {
        f"header {HEADER}": request.headers.get(HEADER),
        "path": path.get("company_id"),
        "query": request.query_params.get("company_id"),
        "body": body_of(request).get("company_id"),
    }
    ids = {
        source: whole_number(value, "company_id")
        for source, value in named.items()
        if value not in (None, "")
    }
    if len(set(ids.values())) > 1:
        sources = ", ".join(f"{source} says {value}" for source, value in ids.items())
        raise Malformed({"company_id": [f"names different companies: {sources}"]})
    return next(iter(ids.values()), None)


def project_id(request: Request, path: Mapping[str, object]) -> int | None:
    """Return the project from the path, the query or the body, in this order.

    :raises Malformed: for an id that is not a whole number.
    """
    for source in (path, request.query_params, body_of(request)):
        value = source.get("project_id")
        if value not in (None, ""):
            return whole_number(value, "project_id")
    return None


def access_to(request: Request, path: Mapping[str, object], *, of_project: bool = False) -> Access:
    """Return the caller's rights in the company, or with ``of_project`` in the project, of a call.

    Without a company, the project determines it.

    :raises Malformed: when the company or the project is missing.
    :raises Http404: when it does not exist or the caller may not see it.
    :raises ApiError: 403 for a company that the application is not connected to.
    """
    project = project_id(request, path) if of_project or "project_id" in path else None
    if of_project and project is None:
        raise Malformed({"project_id": ["is missing"]})
    company = company_id(request, path)
    if company is None and project is not None:
        # Only to find the company; resolve() below checks the rights.
        company = Project.objects.filter(pk=project).values_list("account", flat=True).first()
        if company is None:
            raise Http404
    if company is None:
        raise ApiError(400, MISSING)
    access = resolve(person_of(request), company, project)
    # An application belongs to one company, its users may belong to several.
    if application_of(request).account_id != access.account.pk:
        raise ApiError(403, [NOT_CONNECTED])
    return access
