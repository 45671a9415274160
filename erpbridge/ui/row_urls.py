"""URLs of the rows of a page, of which only the first is reversed."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.urls import reverse

# Stand for the id of a row; no row has one of them.
NO_NUMBER, NO_UUID = 0, UUID(int=0)


def url_of(
    address: Callable[[int | UUID], str], stands_for: int | UUID = NO_NUMBER
) -> Callable[[object], str]:
    """Return a function from a row's id to its URL.

    :param address: reverses the URL for one id. ``stands_for`` is an id of the type that it takes.
    """
    # From the right, as an account or a project before it may have the same number.
    before, after = address(stands_for).rsplit(f"/{stands_for}/", 1)
    return lambda row_id: f"{before}/{row_id}/{after}"


def page_url(name: str, *place: object) -> Callable[[object], str]:
    """Return a function from a row's id, the last argument of page ``name``, to its URL."""
    return url_of(lambda row_id: reverse(name, args=[*place, row_id]))
