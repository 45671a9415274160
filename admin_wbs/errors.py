"""Why something was not done to a list or a code, in words for the person who tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erpbridge.refusals import Refused


class CodeRefused(Refused):
    """A change that was not made; the text says why and can be shown. ``field`` names the input."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class ReadOnly(CodeRefused):
    """The list takes no changes here: its ERP owns it, or is no longer connected."""


class Stale(CodeRefused):
    """Somebody else has changed the code or the list since the page was opened."""


class Locked(CodeRefused):
    """The code waits for, or is in, the ERP; the text says who sent it and when."""


@dataclass(frozen=True)
class Left:
    """A code that an action on many left as it was, and why."""

    code_id: int
    label: str
    why: str


@dataclass(frozen=True)
class Outcome:
    """What an action on many codes did."""

    done: int
    left: Sequence[Left] = ()


# What a budget code of a project says to whoever would change or delete a part of it.
IN_BUDGET_CODE = "A budget code uses it."
INSTEAD = "Deactivate it instead."


class SegmentRefused(Refused):
    """A change of a segment, an item of it or a cost type that was not made; says why."""


class StaleItem(SegmentRefused):
    """Somebody else has changed the item since the page was opened."""
