"""Limit on the size of request bodies."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


class BodySizeMiddleware:
    """Rejects bodies over the limit before anything reads them.

    The CSRF check reads the whole body of any sender, uploads included; without a limit, somebody
    who is not signed in could fill the disk.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return 413 above the limit, and 411 for a body without a length.

        The server itself rejects lengths that are not a number.
        """
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return HttpResponse("Send the length of the body (Content-Length).", status=411)
        announced = request.META.get("CONTENT_LENGTH") or "0"
        most = settings.ERPBRIDGE_MOST_BODY_BYTES
        # Cut to 20 digits, because int() of a very long text is slow.
        if announced.isdecimal() and int(announced[:20]) > most:
            page = render_to_string("413.html", {"most": f"{most // 1024 // 1024} MB"})
            return HttpResponse(page, status=413)
        return self.get_response(request)
