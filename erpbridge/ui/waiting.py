"""What waits for a person in a tool: the count in the menu, and the page after login.

The kernel imports no app; an app with a count registers a counter for its tool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported by app configurations before models are loaded
    from erpbridge.access.policy import Access


@dataclass(frozen=True)
class Waiting:
    """The count, 0 for nothing; ``words`` is its display text, which may be capped ("1,000+")."""

    count: int
    words: str


Counter = Callable[["Access"], Waiting | None]
Landing = Callable[["Access"], str]
_counters: dict[str, tuple[Counter, Landing]] = {}


def register(url_name: str, counter: Counter, landing: Landing) -> None:
    """Register the counter of a tool, and the function that returns the page to open.

    The counter returns None for a person who decides nothing there.
    """
    _counters[url_name] = (counter, landing)


def waiting(url_name: str, access: Access) -> Waiting | None:
    """Return what waits for the person in a tool of the menu."""
    registered = _counters.get(url_name)
    return registered[0](access) if registered else None


def landing(url_name: str, access: Access) -> str:
    """Return the page where the person finds what waits in a tool."""
    return _counters[url_name][1](access)
