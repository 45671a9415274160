"""The states of an acceptance item: words, colours, and the table of every legal move.

``moves.move()`` is the only code that changes a state; it reads :data:`MOVES`.
Words and colours: reference erp-integrations-tool.md section 2, product.md "The main job".
"""

from __future__ import annotations

from dataclasses import dataclass

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

# event -> (states it may start from, state it leads to)
MOVES: dict[str, tuple[frozenset[State], State]] = {
    "accept": (frozenset({State.READY}), State.QUEUED),
    "retrieve": (frozenset({State.READY}), State.RETRIEVED),
    "reject": (frozenset({State.READY, State.FAILED, State.NEEDS_ANSWER}), State.REJECTED),
    "claim": (frozenset({State.QUEUED}), State.SENDING),
    "withdraw": (frozenset({State.QUEUED}), State.READY),
    "sync": (
        frozenset({State.SENDING, State.SUBMITTED, State.UNCERTAIN}),
        State.SYNCED,
    ),
    "postpone": (frozenset({State.SENDING}), State.QUEUED),
    "fail": (frozenset({State.SENDING, State.SUBMITTED}), State.FAILED),
    "submit": (frozenset({State.SENDING}), State.SUBMITTED),
    "lose": (frozenset({State.SENDING, State.SUBMITTED}), State.UNCERTAIN),
    "resend": (frozenset({State.UNCERTAIN}), State.QUEUED),
    "ask": (frozenset({State.UNCERTAIN}), State.NEEDS_ANSWER),
    "answer_there": (frozenset({State.NEEDS_ANSWER}), State.SYNCED),
    "answer_absent": (frozenset({State.NEEDS_ANSWER}), State.QUEUED),
    "retry": (frozenset({State.FAILED}), State.QUEUED),
    "link_instead": (frozenset({State.READY, State.FAILED}), State.SYNCED),
    "unlink": (frozenset({State.SYNCED}), State.UNLINKED),
}

EVENT_WORDS = {
    "send": "Sent to the ERP for acceptance",
    "accept": "Accepted",
    "retrieve": "Retrieved",
    "reject": "Rejected",
    "claim": "Export started",
    "withdraw": "Withdrawn from the export",
    "sync": "Arrived in the ERP",
    "postpone": "Put off, will be tried again",
    "fail": "Failed to export",
    "submit": "Handed over, waiting for the ERP",
    "lose": "No answer, the outcome is unknown",
    "resend": "Looked up, not there: sent again",
    "ask": "Needs an answer",
    "answer_there": "Answered: it is there",
    "answer_absent": "Answered: it is not there",
    "retry": "Retried",
    "link_instead": "Linked to the record that is there",
    "link": "Linked to what the ERP holds",
    "use_anyway": "Said to be the same as what the ERP holds",
    "unlink": "Unlinked",
}


@dataclass(frozen=True)
class Marker:
    """How a state is shown: words, a colour and a shape, so that colour is never alone."""

    key: str
    label: str
    colour: str
    icon: str


NOT_SENT = Marker("none", "Not in ERP", "grey", "minus-circle")
LINKED = Marker("synced", "Synced", "green", "check-circle")
UNLINKED = Marker("unlinked", "Unlinked", "grey", "link-slash")
DRIFTED = Marker("drifted", "Changed since sync", "yellow", "pencil-square")
MARKERS: dict[str, Marker] = {
    State.READY: Marker("ready", "Waiting for accounting", "blue", "clock"),
    State.QUEUED: Marker("exporting", "Exporting", "blue", "arrow-path"),
    State.SENDING: Marker("exporting", "Exporting", "blue", "arrow-path"),
    State.SUBMITTED: Marker("exporting", "Exporting", "blue", "arrow-path"),
    State.UNCERTAIN: Marker("exporting", "Exporting", "blue", "arrow-path"),
    State.NEEDS_ANSWER: Marker("needs_answer", "Needs an answer", "red", "question-mark-circle"),
    State.FAILED: Marker("failed", "Failed to export", "red", "exclamation-triangle"),
    State.SYNCED: LINKED,
    State.UNLINKED: UNLINKED,
    State.RETRIEVED: Marker("retrieved", "Retrieved", "yellow", "arrow-uturn-left"),
    State.REJECTED: Marker("rejected", "Rejected", "yellow", "no-symbol"),
}
# The same of a record that is linked: what came back was an update, the record is in the ERP.
UPDATE_BACK: dict[str, Marker] = {
    State.RETRIEVED: Marker("retrieved", "Synced, update retrieved", "green", "check-circle"),
    State.REJECTED: Marker("rejected", "Synced, update rejected", "green", "check-circle"),
}
# Filter key -> states of the record's latest item.
STATES_OF_MARKER: dict[str, frozenset[State]] = {
    "ready": frozenset({State.READY}),
    "exporting": MOVING,
    "failed": frozenset({State.FAILED}),
    "needs_answer": frozenset({State.NEEDS_ANSWER}),
    "retrieved": frozenset({State.RETRIEVED}),
    "rejected": frozenset({State.REJECTED}),
}
