"""The first page after login, and the first page of an account or a project."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from erpbridge.access.models import Account
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.ui.listing import list_page
from erpbridge.ui.navigation import tools


@require_safe
def home(request: ScopedRequest) -> HttpResponse:
    """One account: go there. Several: choose. None: say so."""
    accounts = Account.objects.visible_to(request.user)
    two = list(accounts[:2])
    if len(two) == 1:
        return redirect("account", account_id=two[0].pk)
    page = list_page(
        accounts,
        request.GET,
        sorts={"name": "name"},
        search=lambda found, words: found.filter(name__icontains=words),
    )
    return render(request, "access/home.html", {"page": page})


@require_safe
@scoped()
def account(request: ScopedRequest) -> HttpResponse:
    """The first tool of the account that is open to the person."""
    return _first_tool(request)


@require_safe
@scoped()
def project(request: ScopedRequest) -> HttpResponse:
    """The first tool of the project that is open to the person."""
    return _first_tool(request)


def _first_tool(request: ScopedRequest) -> HttpResponse:
    open_tools = tools(request.access)
    if open_tools:
        return redirect(open_tools[0].href)
    return render(request, "access/nothing_open.html")


@login_not_required
def favicon(_request: HttpRequest) -> HttpResponse:
    """Browsers ask for it at the root, whatever the page says."""
    return redirect(static("erpbridge/favicon.svg"))
