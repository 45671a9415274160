"""Pages for what nobody expected, and what an error page of development may show."""

from __future__ import annotations

import sys
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.debug import SafeExceptionReporterFilter
from django.views.defaults import server_error as broken

from erpbridge.db.busy import trouble_of
from erpbridge.db.retry import stored_something
from erpbridge.ui.logs.redaction import redact_line
from erpbridge.ui.resent_form import carried


def server_error(request: HttpRequest) -> HttpResponse:
    """503 with what was sent, to send it again, where the database cannot do it now; else 500."""
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
    # Without the request: the frame of the page would ask the database.
    page = render_to_string("503.html", context)
    headers = {"Retry-After": str(trouble.retry_after), "Cache-Control": "no-store"}
    return HttpResponse(page, status=503, headers=headers)


def _sent(request: HttpRequest) -> list[tuple[str, str]] | None:
    """The fields of the form, or of the address; None where they cannot be shown to be sent again:
    a browser gives no file twice, and a password is not written into a page.
    """
    given = request.POST if request.method == "POST" else request.GET
    if request.FILES or any("password" in name for name in given):
        return None
    return [(name, value) for name, values in given.lists() for value in values]


class NoSecrets(SafeExceptionReporterFilter):
    """Keeps secrets off Django's debug pages: a screen is shared as easily as a report."""

    def is_active(self, request: HttpRequest | None) -> bool:
        """Also while ``DEBUG`` is on."""
        return True

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        """The variables of a frame; a hidden one where its text holds a secret."""
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self._shown(value) for name, value in found}.items()

    def _shown(self, value: Any) -> Any:
        try:
            text = repr(value)
        except Exception:  # an object that cannot be printed has nothing to show
            return self.cleansed_substitute
        return value if redact_line(text) == text else self.cleansed_substitute
