"""Pages where account admins manage applications and service accounts."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.audit.models import Event
from erpbridge.db.folded_fields import has_words
from erpbridge.oauth import applications
from erpbridge.oauth.forms import ApplicationForm, ServiceForm
from erpbridge.oauth.models import Application
from erpbridge.people.account_views import GET_OR_POST, MOST_HISTORY, posted
from erpbridge.ui.confirmation.second_click import deleted_already, deletion
from erpbridge.ui.listing import list_page


@require_safe
@scoped(Permission.APPLICATIONS_MANAGE)
def application_list(request: ScopedRequest) -> HttpResponse:
    """List the API clients of the account."""
    queryset = applications.of_account(request.access.account)
    page = list_page(
        queryset,
        request.GET,
        sorts={"name": "name", "created": "created_at"},
        search=lambda queryset, query: queryset.filter(has_words(query, "search_text")),
    )
    return render(request, "oauth/applications.html", {"page": page})


@never_cache
@require_http_methods(GET_OR_POST)
@scoped(Permission.APPLICATIONS_MANAGE)
def application_add(request: ScopedRequest) -> HttpResponse:
    """Add an application; the resulting page shows its secret once."""
    form = ApplicationForm(posted(request))
    if request.method == "POST" and form.is_valid():
        uris = form.cleaned_data["redirect_uris"]
        try:
            created = applications.create(
                form.cleaned_data["name"], redirect_uris=uris, by=request.access
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _page_with_secret(request, created)
    return render(request, "oauth/application_add.html", {"form": form})


@never_cache
@require_http_methods(GET_OR_POST)
@scoped(Permission.APPLICATIONS_MANAGE)
def service_add(request: ScopedRequest) -> HttpResponse:
    """Add a service account; the resulting page shows its secret once."""
    form = ServiceForm(posted(request), access=request.access)
    if request.method == "POST" and form.is_valid():
        try:
            created = applications.create(
                form.cleaned_data["name"], service=form.service(), by=request.access
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _page_with_secret(request, created)
    return render(request, "oauth/service_add.html", {"form": form})


@never_cache
@require_safe
@scoped(Permission.APPLICATIONS_MANAGE)
def application(request: ScopedRequest, application_id: int) -> HttpResponse:
    """Show an application, its rights and its history."""
    return _page(request, _application_of(request, application_id))


def _page(request: ScopedRequest, client: Application, *, secret: str = "") -> HttpResponse:
    events = Event.objects.about(client.account_id, applications.ENTITY, client.pk)
    context = {"application": client, "secret": secret, "history": events[:MOST_HISTORY]}
    if client.service is not None:
        context["projects"] = client.service.projects.select_related("project")
    return render(request, "oauth/application.html", context)


@never_cache
@require_POST
@scoped(Permission.APPLICATIONS_MANAGE)
def application_secret(request: ScopedRequest, application_id: int) -> HttpResponse:
    """Replace the secret."""
    created = applications.rotate_secret(
        _application_of(request, application_id).pk, by=request.access
    )
    return _page_with_secret(request, created)


@require_POST
@scoped(Permission.APPLICATIONS_MANAGE)
def application_revoke(request: ScopedRequest, application_id: int) -> HttpResponse:
    """End all tokens of the application."""
    client = _application_of(request, application_id)
    ended = applications.revoke_tokens(client.pk, by=request.access)
    messages.success(request, f"Ended {ended} token{'' if ended == 1 else 's'} of {client}.")
    return redirect("oauth:application", account_id=client.account_id, application_id=client.pk)


@require_http_methods(GET_OR_POST)
@scoped(Permission.APPLICATIONS_MANAGE)
def application_delete(request: ScopedRequest, application_id: int) -> HttpResponse:
    """Ask for confirmation, then delete the application."""
    back = reverse("oauth:applications", args=[request.access.account.pk])
    client = applications.of_account(request.access.account).filter(pk=application_id).first()
    if client is not None and request.method != "POST":
        return render(request, "oauth/application_delete.html", {"application": client})
    # A second click, or another admin was faster.
    if client is None or not applications.delete(client.pk, by=request.access):
        event = deletion(request, applications.ENTITY, application_id)
        return deleted_already(request, event, back=back)
    messages.success(request, f"Deleted {client}.")
    return redirect(back)


def _application_of(request: ScopedRequest, application_id: int) -> Application:
    clients = applications.of_account(request.access.account).select_related("service__user")
    return get_object_or_404(clients, pk=application_id)


def _page_with_secret(
    request: ScopedRequest, created: applications.CreatedApplication
) -> HttpResponse:
    """Render the page without a redirect: the secret is not stored, so it cannot survive one."""
    return _page(request, created.application, secret=created.secret)
