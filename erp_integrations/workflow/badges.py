"""Label, color and icon of every state, and of the history's events."""

from __future__ import annotations

from dataclasses import dataclass

from erp_integrations.models.record_types import (
    Sendable,
)
from erp_integrations.models.states import MOVING, State

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


# A record whose link has ended is not in the ERP; that it was is said by its item alone.
MARKER_CHOICES: list[tuple[str, str]] = list(
    dict.fromkeys(
        (one.key, one.label)
        for one in [NOT_SENT, *MARKERS.values(), DRIFTED]
        if one is not UNLINKED
    )
)


def marker(record: Sendable) -> Marker:
    """Words, colour and shape for a record in a list; needs no query.

    A synced record stays green when an update of it came back.
    """
    if record.origin_id and record.erp_state in UPDATE_BACK:
        return UPDATE_BACK[record.erp_state]
    if record.drifted and record.erp_state in ("", State.SYNCED):
        return DRIFTED
    if record.erp_state in MARKERS:
        return MARKERS[record.erp_state]
    return LINKED if record.origin_id else NOT_SENT
