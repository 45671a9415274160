"""Routes of resources, ``rest(["v1.0", "v1.1"], "projects", ...)``, and of their description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from erpbridge.rest.schema import docs_views

# For a route that only reads another route's resource:
# ``View.as_view(http_method_names=READ_ONLY)``.
READ_ONLY = ["get", "head", "options"]


def rest(
    versions: Sequence[str], route: str, view: Callable[..., HttpResponseBase], **options: Any
) -> list[URLPattern]:
    """Return the routes of a resource, one per version, without a trailing slash."""
    return [path(f"rest/{version}/{route}", view, **options) for version in versions]


app_name = "rest"
urlpatterns: list[URLPattern] = [
    path("rest/openapi.json", docs_views.openapi, name="openapi"),
    path("rest/docs", docs_views.docs, name="docs"),
]
