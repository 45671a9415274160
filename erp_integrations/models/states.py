"""The states of an acceptance item, with badge, color, label, tab and API value of each.

Only ``workflow.transitions`` changes a state.
See docs/design/erp-integrations-states.md, "Badges" and "Words of the API".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import models


class State(models.TextChoices):
    """State of an item. READY to NEEDS_ANSWER and FAILED are open and lock the record."""

    READY = "ready", "Ready to export"
    QUEUED = "queued", "Exporting"
    SENDING = "sending", "Exporting"
    SUBMITTED = "submitted", "Exporting"
    UNCERTAIN = "uncertain", "Exporting"
    NEEDS_ANSWER = "needs_answer", "Needs an answer"
    FAILED = "failed", "Failed to export"
    SYNCED = "synced", "Synced"
    UNLINKED = "unlinked", "Unlinked"
    RETRIEVED = "retrieved", "Retrieved"
    REJECTED = "rejected", "Rejected"


class ItemEvent(models.TextChoices):
    """What happens to an item, with the words of the history.

    The events of ``workflow.transitions.MOVES``, and those that are written without a move: SEND,
    LINK and USE_ANYWAY.
    """

    SEND = "send", "Sent to the ERP for acceptance"
    ACCEPT = "accept", "Accepted"
    RETRIEVE = "retrieve", "Retrieved"
    REJECT = "reject", "Rejected"
    CLAIM = "claim", "Export started"
    WITHDRAW = "withdraw", "Withdrawn from the export"
    SYNC = "sync", "Arrived in the ERP"
    POSTPONE = "postpone", "Postponed, will be retried"
    FAIL = "fail", "Failed to export"
    SUBMIT = "submit", "Submitted, waiting for the ERP"
    LOSE = "lose", "No answer, the outcome is unknown"
    RESEND = "resend", "Looked up, not in the ERP: sent again"
    ASK = "ask", "Needs an answer"
    ANSWER_THERE = "answer_there", "Answered: it is in the ERP"
    ANSWER_ABSENT = "answer_absent", "Answered: it is not in the ERP"
    RETRY = "retry", "Retried"
    LINK_INSTEAD = "link_instead", "Linked to the existing record"
    LINK = "link", "Linked to what the ERP holds"
    USE_ANYWAY = "use_anyway", "Confirmed to be the same as what the ERP holds"
    UNLINK = "unlink", "Unlinked"


class ItemTab(models.TextChoices):
    """The tabs of the ERP Integrations tool, in their order."""

    READY = "ready", "Ready to export"
    EXPORTING = "exporting", "Exporting"
    FAILED = "failed", "Failed to export"
    SYNCED = "synced", "Synced"
    RETURNED = "returned", "Rejected & retrieved"


@dataclass(frozen=True)
class Words:
    """How a state is shown, besides its label.

    ``badge`` is the key of its badge, by which lists are filtered. ``rest`` is the value in the
    REST API, as in Procore's. ``to_sender`` replaces the label for the sender of the record.
    """

    badge: str
    color: str
    icon: str
    rest: str
    tab: ItemTab | None
    meaning: str
    to_sender: str = ""


def _exporting(meaning: str) -> Words:
    return Words("exporting", "blue", "arrow-path", "exporting", ItemTab.EXPORTING, meaning)


STATES: Mapping[State, Words] = {
    State.READY: Words(
        "ready",
        "blue",
        "clock",
        "ready_to_export",
        ItemTab.READY,
        "An approver accepts or rejects it; until then its sender can retrieve it.",
        # The sender cannot export it, and must see who acts next.
        to_sender="Waiting for accounting",
    ),
    State.QUEUED: _exporting("It was accepted and is in the export queue."),
    State.SENDING: _exporting("It is being written to the ERP."),
    State.SUBMITTED: _exporting("It was submitted to the ERP, which reports the outcome later."),
    State.UNCERTAIN: _exporting(
        "The ERP did not report the outcome. It is looked up there before it is sent again."
    ),
    State.NEEDS_ANSWER: Words(
        "needs_answer",
        "red",
        "question-mark-circle",
        # Procore's list of failed items contains these too.
        "failed_to_export",
        ItemTab.FAILED,
        "Neither export nor lookup showed whether it is in the ERP. An approver has to check.",
    ),
    State.FAILED: Words(
        "failed",
        "red",
        "exclamation-triangle",
        "failed_to_export",
        ItemTab.FAILED,
        "The ERP did not accept it. An approver retries, rejects or links it.",
    ),
    State.SYNCED: Words(
        "synced",
        "green",
        "check-circle",
        "synced",
        ItemTab.SYNCED,
        "It is in the ERP, under its ID.",
    ),
    State.UNLINKED: Words(
        "unlinked",
        "gray",
        "link-slash",
        "not_in_erp",
        None,
        "It was in the ERP, and its link to the ERP was removed.",
    ),
    State.RETRIEVED: Words(
        "retrieved",
        "yellow",
        "arrow-uturn-left",
        "not_in_erp",
        ItemTab.RETURNED,
        "Its sender took it back before a decision was made.",
    ),
    State.REJECTED: Words(
        "rejected",
        "yellow",
        "no-symbol",
        "rejected",
        ItemTab.RETURNED,
        "An approver returned it to its sender.",
    ),
}


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
# In these states no other item may be accepted with the same ERP key.
IN_AIR = frozenset(
    {State.QUEUED, State.SENDING, State.SUBMITTED, State.UNCERTAIN, State.NEEDS_ANSWER}
)
# In these states the ERP may have applied a command, or may still apply it.
MAY_HAVE_LEFT = IN_AIR - {State.QUEUED}
MOVING = frozenset({State.QUEUED, State.SENDING, State.SUBMITTED, State.UNCERTAIN})
# In these states an item can be accepted, for the first time or again.
DECIDABLE = frozenset({State.READY, State.FAILED})
BEFORE_ACCEPTANCE = frozenset({State.READY, State.RETRIEVED, State.REJECTED})


def on_record(state: str) -> State:
    """The state that a record shows for its latest item, in its column ``erp_state``.

    The steps of an export are one state there, with one badge and label, so that the engine writes
    no record before the outcome is known.
    """
    return State.QUEUED if state in MOVING else State(state)


def states_of_tab(tab: str) -> frozenset[State]:
    """The states whose items a tab shows."""
    return frozenset(state for state, words in STATES.items() if words.tab == tab)


def label_for_sender(state: str) -> str:
    """Label of a state for the sender of the record."""
    return STATES[State(state)].to_sender or str(State(state).label)
