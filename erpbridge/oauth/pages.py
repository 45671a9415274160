"""Pages on which account admins manage applications and service accounts."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

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
@scoped("applications.manage")
def application_list(request: ScopedRequest) -> HttpResponse:
    """The programs that may call the API of the account."""
    found = applications.of_account(request.access.account)
    page = list_page(
        found,
        request.GET,
        sorts={"name": "name", "created": "created_at"},
        search=lambda rows, words: rows.filter(has_words(words, "search_text")),
    )
    return render(request, "oauth/applications.html", {"page": page})


@never_cache
@require_http_methods(GET_OR_POST)
@scoped("applications.manage")
def application_add(request: ScopedRequest) -> HttpResponse:
    """Add a program that people allow to act for them; its page shows the secret, once."""
    form = ApplicationForm(posted(request))
    if request.method == "POST" and form.is_valid():
        uris = form.cleaned_data["redirect_uris"]
        try:
            made = applications.create(
                form.cleaned_data["name"], redirect_uris=uris, by=request.access
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _shown_once(request, made)
    return render(request, "oauth/application_add.html", {"form": form})


@never_cache
@require_http_methods(GET_OR_POST)
@scoped("applications.manage")
def service_add(request: ScopedRequest) -> HttpResponse:
    """Add a service account; its page shows the secret, once."""
    form = ServiceForm(posted(request), access=request.access)
    if request.method == "POST" and form.is_valid():
        try:
            made = applications.create(
                form.cleaned_data["name"], service=form.service(), by=request.access
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _shown_once(request, made)
    return render(request, "oauth/service_add.html", {"form": form})


@never_cache
@require_safe
@scoped("applications.manage")
def application(request: ScopedRequest, application_id: int) -> HttpResponse:
    """An application: how it is called, what it may do, and what was done with it."""
    return _page(request, _one(request, application_id))


def _page(request: ScopedRequest, found: Application, *, secret: str = "") -> HttpResponse:
    events = Event.objects.about(found.account_id, applications.ENTITY, found.pk)
    context = {"application": found, "secret": secret, "history": events[:MOST_HISTORY]}
    if found.service is not None:
        context["projects"] = found.service.projects.select_related("project")
    return render(request, "oauth/application.html", context)


@never_cache
@require_POST
@scoped("applications.manage")
def application_secret(request: ScopedRequest, application_id: int) -> HttpResponse:
    """A new secret in place of the old one."""
    made = applications.rotate_secret(_one(request, application_id).pk, by=request.access)
    return _shown_once(request, made)


@require_POST
@scoped("applications.manage")
def application_revoke(request: ScopedRequest, application_id: int) -> HttpResponse:
    """End all tokens that the application holds."""
    found = _one(request, application_id)
    ended = applications.revoke_tokens(found.pk, by=request.access)
    messages.success(request, f"Ended {ended} token{'' if ended == 1 else 's'} of {found}.")
    return _to(found)


@require_http_methods(GET_OR_POST)
@scoped("applications.manage")
def application_delete(request: ScopedRequest, application_id: int) -> HttpResponse:
    """Ask, and shut the application out for good."""
    back = reverse("oauth:applications", args=[request.access.account.pk])
    found = applications.of_account(request.access.account).filter(pk=application_id).first()
    if found is not None and request.method != "POST":
        return render(request, "oauth/application_delete.html", {"application": found})
    if found is None or not applications.delete(found.pk, by=request.access):
        event = deletion(request, applications.ENTITY, application_id)
        return deleted_already(request, event, back=back)
    messages.success(request, f"Deleted {found}.")
    return redirect(back)


def _one(request: ScopedRequest, application_id: int) -> Application:
    found = applications.of_account(request.access.account).select_related("service__user")
    return get_object_or_404(found, pk=application_id)


def _shown_once(request: ScopedRequest, made: applications.Made) -> HttpResponse:
    """The page itself and no redirect to it: the secret is kept nowhere, so it cannot wait."""
    return _page(request, made.application, secret=made.secret)


def _to(application: Application) -> HttpResponse:
    return redirect(
        "oauth:application", account_id=application.account_id, application_id=application.pk
    )
