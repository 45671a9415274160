"""The states of an acceptance item: words, colours, and the table of every legal move.

``moves.move()`` is the only code that changes a state; it reads :data:`MOVES`.
Words and colours: docs/design/erp-integrations-states.md, "Markers" and "Words of the API".
"""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    """Where an item stands. READY to NEEDS_ANSWER and FAILED are open and lock the record."""

    READY = "ready", "Ready to Export"
    QUEUED = "queued", "Exporting"
    SENDING = "sending", "Exporting"
    SUBMITTED = "submitted", "Exporting"
    UNCERTAIN = "uncertain", "Exporting"
    NEEDS_ANSWER = "needs_answer", "Needs an Answer"
    FAILED = "failed", "Failed to Export"
    SYNCED = "synced", "Synced"
    UNLINKED = "unlinked", "Unlinked"
    RETRIEVED = "retrieved", "Retrieved"
    REJECTED = "rejected", "Rejected"


OPEN = frozenset(
    {
        State.READY,
        State.QUEUED,
        State.SENDING,
        State.SUBMITTED,
        State.UNCERTAIN,
        State.NEEDS_ANSWER,
        State.FAILED,
    }
)
# While an item is in one of these its ERP key belongs to it alone.
IN_AIR = frozenset(
    {State.QUEUED, State.SENDING, State.SUBMITTED, State.UNCERTAIN, State.NEEDS_ANSWER}
)
# Of these: something may be in the ERP already, or get there.
MAY_HAVE_LEFT = IN_AIR - {State.QUEUED}
MOVING = frozenset({State.QUEUED, State.SENDING, State.SUBMITTED, State.UNCERTAIN})
BEFORE_ACCEPTANCE = frozenset({State.READY, State.RETRIEVED, State.REJECTED})
