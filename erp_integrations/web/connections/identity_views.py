"""The page on which a connection is led to another address, company or database."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from erp_integrations.connections import refresh_job
from erp_integrations.models import Connection
from erp_integrations.models.record_types import counted
from erp_integrations.web.connections.forms import IdentityForm
from erp_integrations.web.connections.views import (
    fetch,
    manifest_or_404,
    settings_shown,
    show_errors,
)
from erp_integrations.workflow.links import connection_identity
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.jobs import views as job_pages
from erpbridge.ui.resent_form import keeps_nothing_typed


@require_http_methods(["GET", "HEAD", "POST"])
@keeps_nothing_typed
@sensitive_post_parameters()
@scoped(Permission.CONNECTION_CONFIGURE)
def lead_elsewhere(request: ScopedRequest, pk: int) -> HttpResponseBase:
    """Show where the connection leads and what prevents a change; change it on POST.

    :raises Http404: if its adapter declares no identity settings, or cannot be used.
    """
    connection = fetch(request.access, pk)
    manifest = manifest_or_404(connection)
    if not manifest.identity:
        raise Http404
    form = IdentityForm(
        manifest,
        request.POST or None,
        initial={
            setting.name: connection.config.get(setting.name, setting.default)
            for setting in manifest.identity
        },
        secrets_set=connection.secrets,
        linked=connection_identity.linked(connection),
    )
    if request.method == "POST" and form.is_valid():
        try:
            # In one transaction, so that a conflict repeats all of it.
            with transaction.atomic():
                changed = connection_identity.lead_elsewhere(
                    connection,
                    config=form.config,
                    secrets=form.secrets,
                    books=form.books,
                    by=request.user,
                )
                if changed:
                    # Nothing can be sent until it was tested and refreshed there.
                    job = refresh_job.test_and_refresh(connection, access=request.access)
                    return redirect(job_pages.href(job, request.access))
        except ValidationError as error:
            show_errors(form, error)
        else:
            messages.info(
                request,
                f"{connection.name} connects to the same ERP as before; nothing was changed.",
            )
            return redirect("erp:connection", request.access.account.pk)
    context = {
        "form": form,
        "manifest": manifest,
        "connection": connection,
        "leads": settings_shown(manifest.identity, connection),
        "open": _open(connection),
    }
    return render(request, "erp/identity_form.html", context)


def _open(connection: Connection) -> list[tuple[str, str]]:
    """Return the open items, which prevent a change, in words with links to their lists."""
    return [
        (counted(kind, count), reverse("erp:items", args=[connection.account_id, kind.slug]))
        for kind, count in connection_identity.still_open(connection)
    ]
