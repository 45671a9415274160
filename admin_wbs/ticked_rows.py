"""Reading what forms of ticked rows send."""

from __future__ import annotations

from django.http import QueryDict

# More digits than that name nothing; a database would fail on them.
MOST_DIGITS = 18


def ticked(posted: QueryDict) -> list[int]:
    """The ids of the ticked rows; what is no id is left out."""
    return [int(pk) for pk in posted.getlist("ids") if is_id(pk)]


def is_id(text: str) -> bool:
    """Whether a text can be the id of a row."""
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
