"""What waits for a person in a tool: the count in the menu, and where they land after login.

The kernel knows no app; an app that has something waiting registers a counter for its tool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the configuration of an app imports this before there are models
    from erpbridge.access.policy import Access


@dataclass(frozen=True)
class Waiting:
    """How much waits, 0 for nothing; ``words`` as shown, for it may be capped ("1,000+")."""

    count: int
    words: str


Counter = Callable[["Access"], Waiting | None]
Landing = Callable[["Access"], str]
_counters: dict[str, tuple[Counter, Landing]] = {}


def register(url_name: str, counter: Counter, landing: Landing) -> None:
    """Let an app tell what waits in its tool, and the address of the page on which it does.

    The counter answers None for a person who decides nothing there.
    """
    _counters[url_name] = (counter, landing)


def waiting(url_name: str, access: Access) -> Waiting | None:
    """What waits for the person in a tool of the menu."""
    registered = _counters.get(url_name)
    return registered[0](access) if registered else None


def landing(url_name: str, access: Access) -> str:
    """Where the person finds what waits for them in a tool that has something waiting."""
    return _counters[url_name][1](access)
