"""Views for the OpenAPI description and its documentation page."""

from __future__ import annotations

from csp.decorators import csp_update
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from erpbridge.rest.responses import JsonAnswer


@login_not_required
@require_safe
def openapi(_request: HttpRequest) -> JsonAnswer:
    """Serve ``/rest/openapi.json``, for client generators and tests."""
    # Imported here: the generator and its libraries are 6 MB that no other page needs.
    from erpbridge.rest.schema.openapi import describe

    return JsonAnswer(describe())


@login_not_required
@require_safe
@csp_update({"img-src": ["data:"]})  # the arrows that Swagger UI draws
def docs(request: HttpRequest) -> HttpResponse:
    """Serve ``/rest/docs``: a page that documents every call, with a form to try it."""
    return render(request, "rest/docs.html")
