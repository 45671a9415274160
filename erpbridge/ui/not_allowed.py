"""A page for GET requests to the URL of a button, for example after a reload or a login."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve, reverse


class NotAllowedPageMiddleware:
    """Adds a page that links back to an empty 405 response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the response; only one without content is changed."""
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            context = {"above": page_above(request.path)}
            response.content = render_to_string("405.html", context, request).encode()
        return response


def page_above(path: str) -> str:
    """Return the nearest parent path that is a page."""
    while path.count("/") > 2:
        path = f"{path.rstrip('/').rpartition('/')[0]}/"
        try:
            resolve(path)
        except Resolver404:
            continue
        return path
    return reverse("home")
