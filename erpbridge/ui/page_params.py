"""What a request asks for, read so that nothing a person can send breaks a query."""

from __future__ import annotations

import re

from django.http import HttpRequest, QueryDict

# The name that a script gives a row that was typed and is not saved yet; the first is a model.
TYPED_ROW = re.compile(r"typed-[0-9]{1,9}", re.ASCII)
MODEL_ROW = "typed-0"


def words(params: QueryDict) -> str:
    """The search as :func:`erpbridge.ui.listing.list_page` uses it."""
    return params.get("q", "").replace("\x00", "").strip()[:200]


def is_part(request: HttpRequest) -> bool:
    """Whether a script asks, which puts the answer into the page."""
    return "HX-Request" in request.headers


def typed_row(params: QueryDict) -> str:
    """Which of the rows typed one after the other is sent; its fields are named after it."""
    key = params.get("key", "")
    return key if TYPED_ROW.fullmatch(key) else MODEL_ROW
