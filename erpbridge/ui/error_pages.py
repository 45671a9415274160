"""Pages for unexpected errors, and what the debug page may show."""

from __future__ import annotations

import sys
from collections.abc import ItemsView
from types import FrameType

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.debug import SafeExceptionReporterFilter
from django.views.defaults import server_error as broken

from erpbridge.db.busy import trouble_of
from erpbridge.db.retry import stored_something
from erpbridge.ui.logs.redaction import redact_line
from erpbridge.ui.resent_form import carried


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 503 with the submitted fields for a temporary database failure, else 500."""
    trouble = trouble_of(sys.exc_info()[1])
    if trouble is None:
        return broken(request)
    context = {
        "trouble": trouble,
        "method": "post" if request.method == "POST" else "get",
        "address": request.get_full_path(),
        "fields": _sent(request),
        "stored": stored_something(request),
        "carried": carried(request),
    }
    # Rendered without the request, because the page's frame would query the database.
    page = render_to_string("503.html", context)
    headers = {"Retry-After": str(trouble.retry_after), "Cache-Control": "no-store"}
    return HttpResponse(page, status=503, headers=headers)


def _sent(request: HttpRequest) -> list[tuple[str, str]] | None:
    """Return the submitted fields, or None if they cannot be sent again.

    Browsers do not submit a file twice, and passwords are not written into a page.
    """
    params = request.POST if request.method == "POST" else request.GET
    if request.FILES or any("password" in name for name in params):
        return None
    return [(name, value) for name, values in params.lists() for value in values]


class NoSecrets(SafeExceptionReporterFilter):
    """Removes secrets from Django's debug pages."""

    def is_active(self, request: HttpRequest | None) -> bool:
        """Whether to filter: always, even with ``DEBUG`` on."""
        return True

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, object]:
        """Return the variables of a frame, without those whose text has a secret."""
        variables = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self._shown(value) for name, value in variables}.items()

    def _shown(self, value: object) -> object:
        try:
            text = repr(value)
        except Exception:  # an object that cannot be printed has nothing to show
            return self.cleansed_substitute
        return value if redact_line(text) == text else self.cleansed_substitute
