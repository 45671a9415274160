"""Why an action on a list or a code was refused, as messages for the person."""

from __future__ import annotations

from erpbridge.refusals import Refused


class CodeRefused(Refused):
    """A change that was refused. The text can be shown to the person; ``field`` names the input."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class ReadOnly(CodeRefused):
    """The list cannot be changed here: its ERP owns it, or is no longer connected."""


class Stale(CodeRefused):
    """Somebody else has changed the code or the list since the page was opened."""


class Locked(CodeRefused):
    """The code waits for accounting, or is in the ERP; the text says who sent it and when."""


# Reason why a part of a project's budget code cannot be changed or deleted.
IN_BUDGET_CODE = "A budget code uses it."
INSTEAD = "Deactivate it instead."


class SegmentRefused(Refused):
    """A refused change of a segment, an item or a cost type; the text has the reason."""


class StaleItem(SegmentRefused):
    """Somebody else has changed the item since the page was opened."""
