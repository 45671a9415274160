"""The settings of an account's Directory: the fields that a company must have."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from directory.companies.forms import RequiredForm
from directory.company_fields import required_fields
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.ACCOUNT_CONFIGURE)
def directory_settings(request: ScopedRequest) -> HttpResponse:
    """Choose the fields that API calls must fill in if they ask for validation."""
    access = request.access
    current = {"names": required_fields.of(access.account)}
    form = RequiredForm(request.POST if request.method == "POST" else None, initial=current)
    if request.method == "POST" and form.is_valid():
        required_fields.configure(form.cleaned_data["names"], by=access)
        messages.success(request, "Saved the settings of the Directory.")
        return redirect("directory:settings", access.account.pk)
    return render(request, "directory/settings.html", {"form": form})
