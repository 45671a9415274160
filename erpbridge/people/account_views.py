"""Pages of the account's settings and of projects."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from erpbridge.access.models import Account, Project, ProjectMembership
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access, Scope
from erpbridge.access.querysets import projects_matching
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.access.services import accounts as account_services
from erpbridge.access.services import projects as project_services
from erpbridge.audit.models import Event
from erpbridge.people.forms import AccountSettingsForm, ProjectForm
from erpbridge.ui.listing import Page, list_page
from erpbridge.ui.navigation import company_settings

GET_OR_POST = ("GET", "HEAD", "POST")
MOST_HISTORY = 50


def posted(request: ScopedRequest) -> QueryDict | None:
    """Return the data to bind a form to: the body of a POST, even an empty one."""
    return request.POST if request.method == "POST" else None


@require_safe
@scoped(Permission.SETTINGS_VIEW)
def admin(request: ScopedRequest) -> HttpResponse:
    """Show the account's Admin tool: the settings that the person may open."""
    context = {"settings": company_settings(request.access)}
    return render(request, "access/admin.html", context)


@require_http_methods(GET_OR_POST)
@scoped(Permission.ACCOUNT_CONFIGURE)
def account_settings(request: ScopedRequest) -> HttpResponse:
    """Edit the account's settings."""
    # Read again, because the form writes what was typed to its instance, and the frame shows the
    # name.
    account = get_object_or_404(Account, pk=request.access.account.pk)
    form = AccountSettingsForm(posted(request), instance=account)
    if request.method == "POST" and form.is_valid():
        try:
            account_services.configure(form.settings(), by=request.access)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "Saved the account's settings.")
            return redirect("access:account_settings", account_id=account.pk)
    history = Event.objects.about(account.pk, account_services.ENTITY, account.pk)
    context = {"form": form, "history": history[:MOST_HISTORY]}
    return render(request, "access/account_settings.html", context)


@require_safe
@scoped()
def projects(request: ScopedRequest) -> HttpResponse:
    """List the projects that the person can see."""
    page = list_page(
        Project.objects.visible_to(request.access.membership),
        request.GET,
        sorts={"name": "name", "number": "number"},
        search=lambda queryset, query: queryset.filter(projects_matching(query)),
    )
    context = {
        "page": page,
        "configurable": _configurable(request.access, page),
        "may_create": request.access.can(Permission.PROJECTS_CREATE),
    }
    return render(request, "access/projects.html", context)


def _configurable(access: Access, page: Page[Project]) -> set[int]:
    """Return the ids of the projects whose settings the person may open, in one query."""
    # Put together here, because loading the access of each project would take queries for each.
    levels_of = {
        row.project_id: row
        for row in ProjectMembership.objects.filter(
            membership=access.membership, project__in=page.rows
        )
    }
    return {
        project.pk
        for project in page.rows
        if Access(
            access.user,
            Scope(access.account, project),
            access.membership,
            levels_of.get(project.pk),
        ).can(Permission.PROJECT_CONFIGURE)
    }


@require_http_methods(GET_OR_POST)
@scoped(Permission.PROJECTS_CREATE)
def project_add(request: ScopedRequest) -> HttpResponse:
    """Create a project."""
    form = ProjectForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            project = project_services.create(form.settings(), by=request.access)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"Created {project}.")
            return redirect("access:projects", account_id=request.access.account.pk)
    return render(request, "access/project_add.html", {"form": form})


@require_http_methods(GET_OR_POST)
@scoped(Permission.PROJECT_CONFIGURE)
def project_settings(request: ScopedRequest) -> HttpResponse:
    """Edit a project's settings."""
    access = request.access
    # As for the account: the form must not write to the project of the frame.
    project = get_object_or_404(
        Project, account=access.account, pk=access.project.pk if access.project else None
    )
    form = ProjectForm(posted(request), instance=project)
    if request.method == "POST" and form.is_valid():
        try:
            project_services.configure(project.pk, form.settings(), by=access)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "Saved the project's settings.")
            return redirect(request.path)
    history = Event.objects.about(access.account.pk, project_services.ENTITY, project.pk)
    context = {"form": form, "history": history[:MOST_HISTORY]}
    return render(request, "access/project_settings.html", context)
