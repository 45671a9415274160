"""``Deprecation`` header for routes that Procore has deprecated (RFC 9745)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec, TypeVar

from django.http import HttpResponse

from erpbridge.rest.schema.operations import declared_by

# Procore deprecated three routes on this day and has not announced when they end, so there is no
# ``Sunset`` header. See docs/design/procore-rest-conventions.md, "Deprecated routes".
WORK_BREAKDOWN_STRUCTURE = datetime(2022, 3, 31, tzinfo=UTC)

Answer = TypeVar("Answer", bound=HttpResponse)
Given = ParamSpec("Given")


def deprecated(
    since: datetime,
) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """Decorate a view's handler so that its responses carry ``Deprecation: @<unix seconds>``."""

    def mark(handler: Callable[Given, Answer]) -> Callable[Given, Answer]:
        @wraps(handler)
        def handle(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
            response = handler(*args, **kwargs)
            response["Deprecation"] = f"@{int(since.timestamp())}"
            return response

        declared_by(handle).deprecated = True
        return handle

    return mark
