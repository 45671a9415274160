"""The first page after login, and the first page of an account or a project."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from erpbridge.access.models import Account, Project
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.db.folded_fields import has_words
from erpbridge.ui.listing import list_page
from erpbridge.ui.navigation import tools
from erpbridge.ui.waiting import landing

# The list of one's own projects, which every member may open.
PROJECTS = "access:projects"


@require_safe
def home(request: ScopedRequest) -> HttpResponse:
    """Redirect to the account if there is one, else list the accounts."""
    accounts = Account.objects.visible_to(request.user)
    # Two rows are enough to tell one account from several.
    first_two = list(accounts[:2])
    if len(first_two) == 1:
        return redirect("account", account_id=first_two[0].pk)
    page = list_page(
        accounts,
        request.GET,
        sorts={"name": "name"},
        search=lambda queryset, query: queryset.filter(has_words(query, "search_text")),
    )
    return render(request, "access/home.html", {"page": page})


@require_safe
@scoped()
def account(request: ScopedRequest) -> HttpResponse:
    """Redirect an approver to what waits, a person with one project there, others to a tool."""
    if desk := _approver_page(request.access):
        return redirect(desk)
    only = _only_project(request.access)
    if only is not None:
        return redirect("project", account_id=only.account_id, project_id=only.pk)
    return _first_tool(request)


@require_safe
@scoped()
def project(request: ScopedRequest) -> HttpResponse:
    """Redirect to the first tool of the project that the person may open."""
    return _first_tool(request)


def _approver_page(access: Access) -> str:
    """Return the page where an approver decides; empty for others and for idle admins."""
    for tool in tools(access):
        # An approver who is an admin as well goes there only if something waits.
        if tool.waiting and (tool.waiting.count or not access.can(Permission.ACCOUNT_CONFIGURE)):
            return landing(tool.url_name, access)
    return ""


def _only_project(access: Access) -> Project | None:
    """Return the only active project of a person who has no levels elsewhere."""
    if any(tool.url_name != PROJECTS for tool in tools(access)):
        return None
    first_two = Project.objects.visible_to(access.membership).filter(is_active=True)[:2]
    return first_two[0] if len(first_two) == 1 else None


def _first_tool(request: ScopedRequest) -> HttpResponse:
    open_tools = tools(request.access)
    if open_tools:
        return redirect(open_tools[0].href)
    return render(request, "access/nothing_open.html")


@login_not_required
def favicon(_request: HttpRequest) -> HttpResponse:
    """Redirect the path that browsers request without being told to."""
    return redirect(static("erpbridge/favicon.svg"))
