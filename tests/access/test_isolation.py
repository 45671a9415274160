"""Nothing of an account is visible to a program of another, whatever it asks for."""

from __future__ import annotations

import pytest
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from tests.every_call.ours import MARK, ROWS
from tests.factories import ProjectFactory

# Answers about the caller, whoever that is.
OF_THE_CALLER = {"rest/v1.0/me", "rest/v1.0/companies"}
# What the API is, which everybody may know.
DESCRIPTION = {"rest/openapi.json", "rest/docs"}
# Addresses that name their project in the query.
OF_PROJECTS = ("rest/v1.0/cost_codes", "rest/v1.0/sub_jobs")


def routes() -> list[str]:
    """Every address under /rest."""

    def walk(patterns: list, prefix: str = ""):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern) and route.startswith("rest/"):
                yield route

    return sorted(set(walk(get_resolver().url_patterns)))


def address(route: str, ours: dict[str, object]) -> str:
    route = route.replace("<int:company_id>", str(ours["account"]))
    route = route.replace("<int:project_id>", str(ours["project"]))
    route = route.replace("<int:vendor_id>", str(ours["company"]))
    route = route.replace("<uuid:request_id>", str(ours["click"]))
    route = route.replace("<int:segment_id>", str(ours["segment"]))
    if route.startswith(OF_PROJECTS):
        route += f"?project_id={ours['project']}"
    head, separator, _tail = route.partition("/<int:pk>")
    if separator:
        parts = head.split("/")
        row = ROWS.get("/".join(parts[-2:])) or ROWS[parts[-1]]
        route = route.replace("<int:pk>", str(ours[row]))
    assert "<" not in route, f"{route}: tell this test what the argument names"
    return f"/{route}"


@pytest.mark.parametrize("route", sorted({*routes()} - OF_THE_CALLER - DESCRIPTION))
def test_a_stranger_finds_nothing_of_the_account(route, ours, stranger, account, other_account):
    path = address(route, ours)
    for company in (account.pk, other_account.pk, None):
        stranger.company = company
        for method in ("GET", "POST", "PATCH", "DELETE"):
            body = None if method == "GET" else {"vendor": {"name": "x"}, "user": {}, "updates": []}
            response = stranger(method, path, body)
            assert response.status_code < 500
            assert MARK.encode() not in response.content
            if company == account.pk:
                assert response.status_code == 404
            elif "/<int" in route:
                assert response.status_code in (400, 404, 405)


def test_a_project_of_another_account_is_not_entered_through_ones_own(
    stranger, project, other_account
):
    ProjectFactory.create(account=other_account)
    assert stranger.get(f"projects/{project.pk}").status_code == 404
    assert stranger.get(f"projects/{project.pk}/vendors").status_code == 404
