"""The largest request that is read at all."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


class BodySizeMiddleware:
    """Refuses a body that no page takes, before anything reads it.

    The check of the form's token reads the whole body, uploads included, whoever sends it; without
    a limit somebody who is not even signed in could fill the disk.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 413 for more than the limit; the server refuses lengths that are no number.

        411 for a body without a length, where the server has not measured it.
        """
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return HttpResponse("Send the length of the body (Content-Length).", status=411)
        announced = request.META.get("CONTENT_LENGTH") or "0"
        most = settings.ERPBRIDGE_MOST_BODY_BYTES
        if announced.isdecimal() and int(announced[:20]) > most:
            page = render_to_string("413.html", {"most": f"{most // 1024 // 1024} MB"})
            return HttpResponse(page, status=413)
        return self.get_response(request)
