"""What a request asks for, read so that nothing a person can send breaks a query."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.http import HttpRequest, QueryDict

from erpbridge.access.scoping import LARGEST_ID

# The name that a script gives a row that was typed and is not saved yet; the first is a model.
TYPED_ROW = re.compile(r"typed-[0-9]{1,9}", re.ASCII)
MODEL_ROW = "typed-0"


def number(text: str) -> int:
    """A positive id or revision; 0, which nothing has, for anything else."""
    whole = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if whole and int(text) <= LARGEST_ID else 0


def numbers(texts: Iterable[str]) -> list[int]:
    """The ids among some texts, each once."""
    return sorted({number(text) for text in texts} - {0})


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
