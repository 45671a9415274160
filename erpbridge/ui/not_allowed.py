"""A page for whoever opens the address of a button: after a reload, or a login in between."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve, reverse


class NotAllowedPageMiddleware:
    """Gives an empty 405 a page that leads back to what the button belongs to."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as asked; only an answer without any content is filled."""
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            context = {"above": page_above(request.path)}
            response.content = render_to_string("405.html", context, request).encode()
        return response


def page_above(path: str) -> str:
    """The nearest address further up that is a page."""
    while path.count("/") > 2:
        path = f"{path.rstrip('/').rpartition('/')[0]}/"
        try:
            resolve(path)
        except Resolver404:
            continue
        return path
    return reverse("home")
